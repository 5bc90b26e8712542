"""A wrapper for losses of other libraries that refuse values outside [0, 1], which a network may give."""

from torch import Tensor, nn


class Clamped(nn.Module):
    """A loss of the restored patch clamped to [0, 1]: a pixel beyond gets no gradient.

    Args:
        loss: with `forward(restored, target)`, such as piq's.
    """

    def __init__(self, loss: nn.Module):
        super().__init__()
        self.loss = loss

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return self.loss(restored.clamp(0, 1), target)
