"""Joint denoising and demosaicking: signal-dependent noise, a Bayer mosaic, bilinear interpolation back to RGB.

The sensor sees one colour per pixel in the pattern RGGB (red at even rows and columns). A raw value y gets Gaussian
noise of variance a y + b and is clipped to [0, 1]. The network's input is the bilinear interpolation of that noisy
mosaic, which is mirrored at the edges, so that the pattern goes on.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from restoration.photographs import PackedPhotos

# Every missing colour is the mean of its nearest samples; a colour that is there keeps its value.
RED_BLUE_KERNEL = ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25))
GREEN_KERNEL = ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0))


@dataclass(frozen=True, kw_only=True)
class Demosaic:
    """Noise of variance a y + b on the Bayer mosaic; a and b are for values in [0, 1]."""

    a: float = 0.005
    b: float = 0.0001

    input_name: ClassVar[str] = "Noisy"
    margin: ClassVar[int] = 1
    records: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.a < 0 or self.b < 0:
            raise ValueError(f"the noise variance a y + b is not negative, got a={self.a}, b={self.b}")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) in [0, 1] -> the noisy mosaic, bilinearly interpolated, (3, H, W) in [0, 1]."""
        height, width = image.shape[1:]
        noise = torch.randn((1, height, width), generator=generator, device=generator.device).to(image)
        start = torch.zeros(1, dtype=torch.int64, device=image.device)
        raw = self._noisy(_mosaic(image[None], start, start), noise)
        mirrored = functional.pad(raw[None], (1, 1, 1, 1), mode="reflect")[0]
        return _bilinear(mirrored, start - 1, start - 1)[0]

    def record(self, photo: np.ndarray) -> np.ndarray:
        """The photograph itself: the noise is new at every draw."""
        return photo

    def patches(
        self, source: PackedPhotos, photo: Tensor, top: Tensor, left: Tensor, size: int, generator: torch.Generator
    ) -> Tensor:
        """`size` x `size` crops of the degraded photographs, each with noise of its own, (N, 3, size, size)."""
        window = source.crop(photo, top - 1, left - 1, size + 2, size + 2).float() / 255
        noise = torch.randn((len(window), size + 2, size + 2), generator=generator, device=window.device)
        raw = self._noisy(_mosaic(window, top - 1, left - 1), noise)
        return _bilinear(raw, top - 1, left - 1)

    def _noisy(self, raw: Tensor, noise: Tensor) -> Tensor:
        return (raw + (self.a * raw + self.b).sqrt() * noise).clamp(0, 1)


def _bayer(top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Which colour each pixel of N windows samples, (N, 3, height, width), ones and zeros."""
    odd_row = ((top[:, None] + torch.arange(height, device=top.device)) % 2 == 1)[:, :, None]
    odd_column = ((left[:, None] + torch.arange(width, device=left.device)) % 2 == 1)[:, None, :]
    return torch.stack([~odd_row & ~odd_column, odd_row ^ odd_column, odd_row & odd_column], dim=1)


def _mosaic(image: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, H, W), the colour that the sensor has at each pixel."""
    return (image * _bayer(top, left, *image.shape[2:])).sum(dim=1)


def _bilinear(raw: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """(N, H + 2, W + 2) mosaics whose corners lie at (top, left) -> (N, 3, H, W), without their border."""
    samples = raw[:, None] * _bayer(top, left, *raw.shape[1:])
    kernels = raw.new_tensor([RED_BLUE_KERNEL, GREEN_KERNEL, RED_BLUE_KERNEL])[:, None]
    return functional.conv2d(samples, kernels, groups=3)
