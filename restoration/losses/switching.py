"""A loss that gives way to another during the training: the paper's figure of convergence, L1 -> L2 and L2 -> L1."""

from torch import Tensor, nn


class SwitchedLoss(nn.Module):
    """`first` until the share `at` of the training is over, then `second`.

    The trainer sets `progress` before every step, so that a resumed training switches at the same step.

    Args:
        at: in (0, 1); the paper switches half-way.
    """

    def __init__(self, first: nn.Module, second: nn.Module, *, at: float = 0.5):
        super().__init__()
        if not 0 < at < 1:
            raise ValueError(f"at is the share of the training before the switch and lies in (0, 1), got {at}")
        self.first = first
        self.second = second
        self.at = at
        self.progress = 0.0

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return (self.first if self.progress < self.at else self.second)(restored, target)
