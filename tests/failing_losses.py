"""L1 losses that fail or send a signal at the third step."""

import math
import os
import signal
from pathlib import Path

import torch

from restoration.losses import L1Loss


class Broken(L1Loss):
    """Not finite at the third step."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, restored, target):
        self.calls += 1
        return super().forward(restored, target) * (math.nan if self.calls == 3 else 1)


class SignalOnce(L1Loss):
    """Sends the signal `number` to its own process at the third step, unless the file `marker` exists; creates it."""

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
