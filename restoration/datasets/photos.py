"""A set of photographs: its files by role, and decoded, all pixels in one flat tensor on any device.

Decoded photographs are kept in one safetensors file: `pixels`, uint8, the photographs one after the other, each (rows,
columns, RGB); `sizes`, (n, 2) int64, height and width; `sources`, JSON in UTF-8, name and sha256 of each file.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from restoration.errors import UserError

HEADER_BYTES = 512

Places = tuple[Tensor, Tensor, Tensor]  # photograph, top, left: (N,) int64 each; a corner may lie outside


@dataclass(frozen=True)
class PhotoSet:
    """The files of a study.

    Attributes:
        name: stands in the paths of runs and in tables.
        train: photographs from which patches are drawn.
        val: whole photographs that are scored during training.
        test: named sets of whole photographs; each set is scored and reported apart.
        skip_bad: leave out files that cannot be used; otherwise one such file is an error.
    """

    name: str
    train: tuple[Path, ...]
    val: tuple[Path, ...]
    test: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    skip_bad: bool = False

    def __post_init__(self) -> None:
        for name in (self.name, *self.test):
            if "/" in name or name in ("", ".", ".."):
                raise UserError(f"{name!r} cannot name a data set or a test set: folders are named after them")


class PackedPhotos:
    """Decoded photographs in 8 bits.

    Args:
        pixels: uint8, the photographs one after the other, each (rows, columns, RGB).
        sizes: (n, 2) int64, height and width.
        names: one name per photograph.
        digests: sha256 of each photograph's file.
        key: hash of the names and digests.
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
        """Windows at N places, (N, 3, size, size) uint8; outside a photograph its edge pixels repeat."""
        photo, top, left = places
        heights, widths = self.sizes[photo].T
        rows, columns = _positions(top, size, heights), _positions(left, size, widths)
        row_bytes = self.starts[photo][:, None] + 3 * rows * widths[:, None]
        column_bytes = (3 * columns[:, :, None] + torch.arange(3, device=columns.device)).flatten(1)
        places_of_bytes = row_bytes[:, :, None] + column_bytes[:, None, :]
        window = self.pixels.index_select(0, places_of_bytes.view(-1))  # six times as fast as pixels[...]
        return window.view(-1, size, size, 3).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class PackedSet:
    """A `PhotoSet`, decoded."""

    train: PackedPhotos
    val: PackedPhotos
    test: dict[str, PackedPhotos]


def write_photos(file: BinaryIO, photos: Iterable[np.ndarray], sources: list[tuple[str, str]]) -> None:
    """Writes photographs, (H, W, 3) uint8, as they come.

    Args:
        sources: name and sha256 of each photograph's file; read last, so `photos` may still append to it.
    """
    file.seek(HEADER_BYTES)
    sizes = []
    for photo in photos:
        sizes.append(photo.shape[:2])
        file.write(np.ascontiguousarray(photo).data)
    end = file.tell() - HEADER_BYTES
    padding = -end % 8  # safetensors wants int64 values aligned
    size_bytes = np.array(sizes, dtype=np.int64).tobytes()
    source_bytes = json.dumps(sources).encode()
    file.write(bytes(padding) + size_bytes + source_bytes)
    layout = {
        "pixels": _entry("U8", [end + padding], 0, end + padding),
        "sizes": _entry("I64", [len(sizes), 2], end + padding, len(size_bytes)),
        "sources": _entry("U8", [len(source_bytes)], end + padding + len(size_bytes), len(source_bytes)),
    }
    header = json.dumps(layout).encode().ljust(HEADER_BYTES - 8)
    file.seek(0)
    file.write(len(header).to_bytes(8, "little") + header)


def read_photos(path: Path, key: str) -> PackedPhotos:
    """The photographs of a packed file, mapped into memory.

    Raises:
        SafetensorError: the file is damaged.
    """
    with safe_open(path, framework="pt") as file:
        names, digests = zip(*json.loads(bytes(file.get_tensor("sources").numpy())), strict=True)
        return PackedPhotos(file.get_tensor("pixels"), file.get_tensor("sizes"), list(names), list(digests), key)


def _positions(start: Tensor, length: int, size: Tensor) -> Tensor:
    """`length` positions from each start, clamped to the photographs, (N, length)."""
    positions = start[:, None] + torch.arange(length, device=start.device)
    return positions.clamp_min(0).minimum(size[:, None] - 1)


def _entry(dtype: str, shape: list[int], start: int, length: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, start + length]}
