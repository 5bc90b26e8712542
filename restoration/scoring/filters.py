"""Separable filters of images."""

import math
from collections.abc import Sequence

from torch import Tensor


def gaussian(sigma: float, radius: int) -> list[float]:
    """2 radius + 1 weights of sum 1."""
    weights = [math.exp(-(offset**2) / (2 * sigma**2)) for offset in range(-radius, radius + 1)]
    return [weight / sum(weights) for weight in weights]


def filtered(images: Tensor, weights: Sequence[float], *, step: int = 1) -> Tensor:
    """(..., H, W), filtered along both axes, at every `step`-th position where the filter lies inside the image."""
    for axis in (-2, -1):
        taps = images.unfold(axis, len(weights), step).unbind(-1)  # views
        images = weights[0] * taps[0]
        for weight, tap in zip(weights[1:], taps[1:], strict=True):
            images.add_(tap, alpha=weight)
    return images
