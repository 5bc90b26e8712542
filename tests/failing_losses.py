"""Losses that equal L1 until something happens in the middle of their training."""

import math
import os
import signal
from pathlib import Path

from restoration.losses import L1Loss


class Similarity(L1Loss):
    """Higher for better images."""

    def forward(self, restored, target):
        return 1 - super().forward(restored, target)


class Middle(L1Loss):
    """Knows whether the training is after its first and before its last steps: neither the trial call nor step 1."""

    def __init__(self):
        super().__init__()
        self.progress = 0.0

    @property
    def reached(self) -> bool:
        return 0 < self.progress < 0.9


class Broken(Middle):
    """Not finite."""

    def forward(self, restored, target):
        return super().forward(restored, target) * (math.nan if self.reached else 1)


class SignalOnce(Middle):
    """Sends a signal to its own process, once.

    Args:
        marker: a file that this makes when it sends.
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
