"""Losses that equal L1 until something happens to their training."""

import math
import os
import signal
from pathlib import Path

import torch

from restoration.losses import L1Loss


class Broken(L1Loss):
    """Not finite at the third step, also when steps are repeated."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, restored, target):
        self.calls += 1
        return super().forward(restored, target) * (math.nan if self.calls == 3 else 1)


class SignalOnce(L1Loss):
    """Sends a signal to its own process once, at the third step.

    Args:
        marker: a file that this makes when it sends.
    """

    def __init__(self, number: int, marker: str):
        super().__init__()
        self.number = number
        self.marker = Path(marker)
        self.calls = 0

    def forward(self, restored, target):
        self.calls += 1
        if self.calls == 3 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.Signals(self.number))
        return super().forward(restored, target)
