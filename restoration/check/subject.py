"""A loss under check: which patches the loss accepts, and its values and gradients."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restoration.check.pictures import PATCH, degraded, patches, photographs

SIDES = (PATCH, 64, 128, 192, 256)  # the first size that the loss accepts is used
NOISE = 0.03


class Unusable(Exception):
    """The loss gives no value with a gradient for any size of patches."""


class Subject:
    """A loss, and patches that the loss accepts.

    Attributes:
        side: side of the patches in pixels.
        bounded: the loss refuses values outside [0, 1]; all probes clamp them.
        declares: names of probes that the loss fails by its definition, with the reasons.
        refusal: the error message for patches of 31 pixels, if the loss refuses them.

    Raises:
        Unusable: no size of patches is accepted.
    """

    def __init__(self, loss: nn.Module, declares: Mapping[str, str]):
        self.loss = loss
        self.declares = {**getattr(loss, "declares", {}), **declares}
        self.bounded, self.refusal, problems = False, "", {}
        for side in SIDES:
            for self.bounded in (False, True):
                self.side = side
                try:
                    self.gradient(*self.noisy())
                    self.value(3 * self.noisy()[0] - 1, self.noisy()[1])
                    return
                except Exception as error:
                    problems[side, self.bounded] = f"{type(error).__name__}: {error}"
            self.refusal = self.refusal or problems[side, True]
        raise Unusable(problems[SIDES[-1], True])

    def target(self) -> Tensor:
        """Patches of photographs, (N, 3, side, side) in [0.1, 0.9]."""
        return patches(photographs(), self.side)

    def restored(self, kind: str, strength: float) -> Tensor:
        """The same patches of degraded photographs."""
        return patches(degraded(kind, strength), self.side)

    def noisy(self) -> tuple[Tensor, Tensor]:
        return self.restored("noise", NOISE), self.target()

    def raw(self, restored: Tensor, target: Tensor) -> Tensor:
        """The unchanged result of the loss."""
        return self.loss(restored.clamp(0, 1) if self.bounded else restored, target)

    def value(self, restored: Tensor, target: Tensor) -> float:
        with torch.no_grad():
            return self.raw(restored, target).item()

    def gradient(self, restored: Tensor, target: Tensor) -> Tensor:
        """The gradient for the restored patches, in the type of these patches.

        Raises:
            TypeError: the loss is not one number, or has no gradient.
        """
        restored = restored.detach().clone().requires_grad_()
        value = self.raw(restored, target)
        if not isinstance(value, Tensor):
            raise TypeError(f"returns a {type(value).__name__}, not a tensor")
        if value.ndim:
            raise TypeError(f"returns a tensor of shape {tuple(value.shape)}, not one number")
        if not value.requires_grad:
            raise TypeError("the result has no gradient")
        (gradient,) = torch.autograd.grad(value, restored, allow_unused=True, materialize_grads=True)
        return gradient
