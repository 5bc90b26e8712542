"""Photographs of any size in one flat tensor, on any device."""

import numpy as np
import torch
from torch import Tensor

Places = tuple[Tensor, Tensor, Tensor]  # photograph, top, left: (N,) int64 each; a corner may lie outside


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

    def crop(self, places: Places, size: int) -> Tensor:
        """Windows at N places, (N, 3, size, size) uint8; beyond an edge the edge pixel repeats."""
        photo, top, left = places
        heights, widths = self.sizes[photo].T
        rows, columns = _positions(top, size, heights), _positions(left, size, widths)
        row_bytes = self.starts[photo][:, None] + 3 * rows * widths[:, None]
        column_bytes = (3 * columns[:, :, None] + torch.arange(3, device=columns.device)).flatten(1)
        places_of_bytes = row_bytes[:, :, None] + column_bytes[:, None, :]
        window = self.pixels.index_select(0, places_of_bytes.view(-1))  # six times as fast as pixels[...]
        return window.view(-1, size, size, 3).permute(0, 3, 1, 2)


def _positions(start: Tensor, length: int, size: Tensor) -> Tensor:
    """`length` positions from each start on, held inside the photographs, (N, length)."""
    positions = start[:, None] + torch.arange(length, device=start.device)
    return positions.clamp_min(0).minimum(size[:, None] - 1)
