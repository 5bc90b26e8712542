"""Joint denoising and demosaicking: signal-dependent noise, a Bayer mosaic, bilinear interpolation back to RGB.

The sensor measures one colour per pixel in the pattern RGGB (red at even rows and columns). A raw value y gets Gaussian
noise of variance a y + b and is clipped to [0, 1]. The network's input is the bilinear interpolation of the noisy
mosaic. The mosaic is mirrored at its edges, so that the pattern continues.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from restoration.datasets.photos import PackedPhotos, Places
from restoration.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Demosaic(Task):
    """Noise of variance a y + b on the Bayer mosaic; a and b are for values in [0, 1]."""

    a: float = 0.005
    b: float = 0.0001

    margin: ClassVar[int] = 1
    stores: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.a < 0 or self.b < 0:
            raise ValueError(f"a and b of the noise variance a y + b must not be negative, got a={self.a}, b={self.b}")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) in [0, 1] -> the noisy mosaic, bilinearly interpolated, (3, H, W) in [0, 1]."""
        return interpolated(self.mosaic(image, generator)[None])

    def mosaic(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) in [0, 1] -> the noisy mosaic, (H, W) in [0, 1]."""
        noise = torch.randn((1, *image.shape[1:]), generator=generator, device=generator.device).to(image)
        return self._noisy(mosaic_of(image), noise)[0]

    def patches(
        self, clean: PackedPhotos, stored: PackedPhotos, places: Places, size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Crops of the degraded photographs, with new noise at every call, and crops of the true photographs."""
        photo, top, left = places
        window = clean.crop((photo, top - 1, left - 1), size + 2).float() / 255
        raw = _mosaic(window, top - 1, left - 1)
        noise = torch.randn(raw.shape, generator=generator, device=raw.device)
        return _bilinear(self._noisy(raw, noise), top, left), window[:, :, 1:-1, 1:-1]

    def _noisy(self, raw: Tensor, noise: Tensor) -> Tensor:
        return (raw + (self.a * raw + self.b).sqrt() * noise).clamp(0, 1)


def mosaic_of(image: Tensor) -> Tensor:
    """(3, H, W) -> (1, H, W), the colour that the sensor measures at each pixel."""
    start = torch.zeros(1, dtype=torch.int64, device=image.device)
    return _mosaic(image[None], start, start)


def interpolated(raw: Tensor) -> Tensor:
    """(1, H, W), a mosaic whose first pixel is red -> (3, H, W), bilinear; mirrored at the edges."""
    start = torch.zeros(1, dtype=torch.int64, device=raw.device)
    mirrored = functional.pad(raw[None], (1, 1, 1, 1), mode="reflect")[0]
    return _bilinear(mirrored, start, start)[0]


def _parities(top: Tensor, left: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Which rows, (N, height, 1), and columns, (N, 1, width), of N windows are odd in their photographs."""
    rows = top[:, None, None] + torch.arange(height, device=top.device)[:, None]
    columns = left[:, None, None] + torch.arange(width, device=left.device)
    return rows % 2 == 1, columns % 2 == 1


def _mosaic(image: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, H, W), the colour that the sensor measures at each pixel."""
    odd_row, odd_column = _parities(top, left, *image.shape[2:])
    red, green, blue = image.unbind(dim=1)
    return torch.where(odd_row == odd_column, torch.where(odd_row, blue, red), green)


def _bilinear(raw: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """(N, H + 2, W + 2) mosaics -> (N, 3, H, W), without outermost pixels: the result begins at (top, left).

    A measured colour keeps its value; a missing colour is the mean of its two or four nearest samples.
    """
    centre = raw[:, 1:-1, 1:-1]
    beside = (raw[:, :, :-2] + raw[:, :, 2:]) / 2
    above_below = (raw[:, :-2, 1:-1] + raw[:, 2:, 1:-1]) / 2
    diagonal = (beside[:, :-2] + beside[:, 2:]) / 2
    beside = beside[:, 1:-1]
    odd_row, odd_column = _parities(top, left, *centre.shape[1:])
    is_green = odd_row != odd_column
    red = torch.where(odd_row, torch.where(odd_column, diagonal, above_below), torch.where(odd_column, beside, centre))
    green = torch.where(is_green, centre, (beside + above_below) / 2)
    blue = torch.where(odd_row, torch.where(odd_column, centre, beside), torch.where(odd_column, above_below, diagonal))
    return torch.stack([red, green, blue], dim=1)
