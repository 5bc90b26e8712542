"""A wrapper for losses of other libraries that refuse values outside [0, 1], which a network may give."""

from torch import Tensor, nn


class Clamped(nn.Module):
    """A loss of the restored patch clamped to [0, 1]: a pixel beyond gets no gradient.

    Args:
        loss: with `forward(restored, target)`, such as piq's; its terms are logged, where it names any.
    """

    def __init__(self, loss: nn.Module):
        super().__init__()
        if hasattr(loss, "progress"):
            raise ValueError(
                f"{type(loss).__name__} follows the training's progress, which would not reach it in Clamped: "
                "clamp the losses in it instead"
            )
        self.loss = loss

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return self.loss(restored.clamp(0, 1), target)

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        return self.loss.terms(restored.clamp(0, 1), target) if hasattr(self.loss, "terms") else {}  # pyright: ignore
