"""Losses that equal L1 until a fault in the middle of the training."""

import math
import os
import signal
from pathlib import Path

from restoration.losses import L1Loss


class Similarity(L1Loss):
    """A mistake: higher for better images."""

    def forward(self, restored, target):
        return 1 - super().forward(restored, target)


class Middle(L1Loss):
    """Detects the middle of a training: neither the trial call, nor the first or the last steps."""

    def __init__(self):
        super().__init__()
        self.progress = 0.0

    @property
    def reached(self) -> bool:
        return 0 < self.progress < 0.9


class Broken(Middle):
    """Not finite in the middle of the training."""

    def forward(self, restored, target):
        return super().forward(restored, target) * (math.nan if self.reached else 1)


class SignalOnce(Middle):
    """Sends a signal to the process that trains, once.

    Args:
        marker: a file that is created with the signal.
    """

    def __init__(self, number: int, marker: str):
        super().__init__()
        self.number = number
        self.marker = Path(marker)

    def forward(self, restored, target):
        if self.reached and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.Signals(self.number))
        return super().forward(restored, target)
