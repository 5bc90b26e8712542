"""Photographs of any size in one flat tensor, on any device."""

import numpy as np
import torch
from torch import Tensor


class PackedPhotos:
    """Decoded photographs, kept as 8 bits.

    Args:
        pixels: uint8, the photographs one after the other, each (rows, columns, RGB).
        sizes: (n, 2) int64, height and width.
        names: one name a photograph.
        digests: sha256 of the file that each photograph came from.
        key: hash of what the photographs were made from.
    """

    def __init__(self, pixels: Tensor, sizes: Tensor, names: list[str], digests: list[str], key: str):
        self.pixels = pixels
        self.sizes = sizes
        self.names = names
        self.digests = digests
        self.key = key
        lengths = sizes.prod(dim=1) * 3
        self.starts = lengths.cumsum(dim=0) - lengths

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> "PackedPhotos":
        """The same photographs in the memory of `device`."""
        return PackedPhotos(self.pixels.to(device), self.sizes.to(device), self.names, self.digests, self.key)

    def array(self, index: int) -> np.ndarray:
        """One photograph, (H, W, 3) uint8, without a copy."""
        height, width = self.sizes[index].tolist()
        start = int(self.starts[index])
        return self.pixels[start : start + height * width * 3].view(height, width, 3).numpy()

    def image(self, index: int) -> Tensor:
        """One photograph, (3, H, W) float32 in [0, 1]."""
        return torch.from_numpy(self.array(index).copy()).permute(2, 0, 1).float() / 255

    def crop(self, photo: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
        """N windows at once, (N, 3, height, width) uint8; beyond an edge the edge pixel repeats.

        Args:
            photo, top, left: (N,) int64; the window's corner may lie outside the photograph.
        """
        rows = self._along(top, height, self.sizes[photo, 0])
        columns = self._along(left, width, self.sizes[photo, 1])
        pixel = rows[:, :, None] * self.sizes[photo, 1][:, None, None] + columns[:, None, :]
        byte = self.starts[photo][:, None, None] + 3 * pixel
        channels = torch.arange(3, device=byte.device)
        return self.pixels[byte[..., None] + channels].permute(0, 3, 1, 2)

    @staticmethod
    def _along(start: Tensor, length: int, size: Tensor) -> Tensor:
        positions = start[:, None] + torch.arange(length, device=start.device)
        return positions.clamp_min(0).minimum(size[:, None] - 1)
