"""Pairs of a restored and a true patch, from photographs that come with scikit-image."""

from collections.abc import Callable
from functools import cache

import numpy as np
import skimage.data
import skimage.filters
import torch
from torch import Tensor

from restoration.tasks import JPEG

SIZE = 256  # side of the photographs' crops
PATCH = 31
PATCHES_PER_SIDE = {31: 3, 64: 2}  # patches along a side of a crop; 1 for larger patches


def _blurred(image: Tensor, sigma: float) -> Tensor:
    return torch.from_numpy(skimage.filters.gaussian(image.numpy(), sigma, channel_axis=0))


def _compressed(image: Tensor, quality: float) -> Tensor:
    return JPEG(quality=int(quality)).degrade(image, torch.Generator())


def _contrast(image: Tensor, factor: float) -> Tensor:
    mean = image.mean(dim=(1, 2), keepdim=True)
    return mean + factor * (image - mean)


DEGRADATIONS: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "noise": (lambda image, sigma: image + sigma * normal(image.shape), (0.01, 0.03, 0.1, 0.3)),
    "blur": (_blurred, (0.5, 1, 2, 4)),
    "JPEG": (_compressed, (90, 50, 20, 5)),
    "shift": (lambda image, pixels: image.roll(int(pixels), dims=2), (1, 2, 4)),
    "contrast": (_contrast, (0.9, 0.7, 0.5)),
    "brightness": (lambda image, shift: image + shift, (0.01, 0.03, 0.06)),
}


def normal(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Normal random numbers, the same in each call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@cache
def photographs() -> Tensor:
    """(3, 3, 256, 256) in [0.1, 0.9], so that small errors stay in [0, 1]."""
    astronaut, coffee, cat = skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()
    crops = [astronaut[:SIZE, 100 : 100 + SIZE], coffee[60 : 60 + SIZE, 150 : 150 + SIZE], cat[30 : 30 + SIZE, 60:316]]
    return 0.1 + 0.8 * torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous().float().div(255)


@cache
def degraded(kind: str, strength: float) -> Tensor:
    """Whole photographs, degraded."""
    degrade, _ = DEGRADATIONS[kind]
    return torch.stack([degrade(image, strength) for image in photographs()])


def patches(images: Tensor, side: int) -> Tensor:
    """Patches of photographs, (N, 3, side, side): N is 27 for a side of 31, 12 for 64, else 3."""
    count = PATCHES_PER_SIDE.get(side, 1)
    step = (SIZE - side) // max(count - 1, 1)
    corners = [(row * step, column * step) for row in range(count) for column in range(count)]
    return torch.cat([images[..., top : top + side, left : left + side] for top, left in corners])
