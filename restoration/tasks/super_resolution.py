"""Super-resolution: a photograph is reduced, saved with 8 bits, and enlarged bilinearly to its full size.

If `scale` does not divide a side, the last row or column is repeated first, so that the grids of both resolutions stay
aligned; the enlarged image is cut back.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from restoration.datasets.photos import PackedPhotos, Places
from restoration.tasks.task import Task

FILTERS = ("bicubic", "bilinear", "lanczos", "area")


@dataclass(frozen=True, kw_only=True)
class SuperResolution(Task):
    """Reduction by an integer `scale` with an antialiased `filter`, bilinear enlargement."""

    scale: int = 2
    filter: str = "bicubic"

    def __post_init__(self) -> None:
        if not isinstance(self.scale, int) or self.scale < 2:
            raise ValueError(f"scale must be an integer of at least 2, got {self.scale}")
        if self.filter not in FILTERS:
            raise ValueError(f"filter must be one of {', '.join(FILTERS)}, got {self.filter}")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) in [0, 1] -> reduced and enlarged, (3, H, W) in [0, 1]; deterministic."""
        height, width = image.shape[1:]
        return self.enlarged(self.reduced(image * 255))[:, :height, :width] / 255

    def store(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> the low-resolution file, (ceil(H / scale), ceil(W / scale), 3) uint8."""
        return self.reduced(torch.from_numpy(photo.copy()).permute(2, 0, 1).float()).byte().permute(1, 2, 0).numpy()

    def patches(
        self, clean: PackedPhotos, stored: PackedPhotos, places: Places, size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Crops of the enlarged low-resolution files and of the photographs."""
        photo, top, left = places
        taps = -(-(size - 1) // self.scale) + 2
        first_row, rows = self._interpolation(top, size, taps)
        first_column, columns = self._interpolation(left, size, taps)
        small = stored.crop((photo, first_row, first_column), taps).float() / 255
        return rows[:, None] @ small @ columns[:, None].mT, clean.crop(places, size).float() / 255

    def reduced(self, image: Tensor) -> Tensor:
        """(3, H, W) in [0, 255] -> the low-resolution image in whole levels."""
        height, width = image.shape[1:]
        extended = functional.pad(image[None], (0, -width % self.scale, 0, -height % self.scale), mode="replicate")
        size = (extended.shape[2] // self.scale, extended.shape[3] // self.scale)
        if self.filter == "area":
            small = functional.interpolate(extended, size, mode="area")
        else:
            small = functional.interpolate(extended, size, mode=self.filter, antialias=True)
        return small[0].round().clamp(0, 255)

    def enlarged(self, small: Tensor) -> Tensor:
        """(3, h, w) of any range -> (3, scale h, scale w), bilinear: the network's input for a small photograph."""
        return functional.interpolate(small[None], scale_factor=self.scale, mode="bilinear")[0]

    def _interpolation(self, start: Tensor, size: int, taps: int) -> tuple[Tensor, Tensor]:
        """Bilinear enlargement along one axis from pixel `start` on, for N windows.

        Returns:
            The first low-resolution position, (N,), and the weights of `taps` positions from there on, (N, size, taps).
        """
        pixel = start[:, None] + torch.arange(size, device=start.device)
        position = (pixel + 0.5) / self.scale - 0.5
        first = position[:, 0].floor()
        distance = position[:, :, None] - first[:, None, None] - torch.arange(taps, device=start.device)
        return first.long(), (1 - distance.abs()).clamp_min(0)
