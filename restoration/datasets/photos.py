"""A set of photographs: its files by role, and the decoded pixels in one flat tensor on any device.

Decoded photographs are kept in one safetensors file: `pixels`, uint8, the photographs one after the other, each (rows,
columns, RGB); `sizes`, (n, 2) int64, height and width; `thumbnails`, (n, 24, 24) uint8, grey; `names`, JSON in UTF-8.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from restoration.errors import UserError

HEADER_BYTES = 512
THUMBNAIL = 24  # side, pixels
SAME = 0.9  # correlation

Places = tuple[Tensor, Tensor, Tensor]  # corners of N windows: photograph, top, left, each (N,) int64; may lie outside


@dataclass(frozen=True)
class PhotoSet:
    """The files of a study.

    Attributes:
        name: the data set's name in paths of runs and in tables.
        train: photographs from which patches are drawn.
        val: whole photographs that are scored during training.
        test: named sets of whole photographs; each set is scored and reported apart.
        skip_bad: leave out unusable files; False: an unusable file is an error.
        published: its authors fixed the split. Photographs that look alike in two roles are listed, not refused.
    """

    name: str
    train: tuple[Path, ...]
    val: tuple[Path, ...]
    test: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    skip_bad: bool = False
    published: bool = False

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
        thumbnails: (n, 24, 24) uint8, see `thumbnail`.
        key: hash of the photographs' files and names.
    """

    def __init__(self, pixels: Tensor, sizes: Tensor, names: list[str], thumbnails: Tensor, key: str):
        self.pixels = pixels
        self.sizes = sizes
        self.names = names
        self.thumbnails = thumbnails
        self.key = key
        lengths = sizes.prod(dim=1) * 3
        self.starts = lengths.cumsum(dim=0) - lengths

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> "PackedPhotos":
        """The same photographs in the memory of `device`."""
        return PackedPhotos(self.pixels.to(device), self.sizes.to(device), self.names, self.thumbnails, self.key)

    def array(self, index: int) -> np.ndarray:
        """One photograph, (H, W, 3) uint8, without a copy."""
        height, width = self.sizes[index].tolist()
        start = int(self.starts[index])
        return self.pixels[start : start + height * width * 3].view(height, width, 3).numpy()

    def image(self, index: int) -> Tensor:
        """One photograph, (3, H, W) float32 in [0, 1]."""
        return torch.from_numpy(self.array(index).copy()).permute(2, 0, 1).float() / 255

    def crop(self, places: Places, size: int) -> Tensor:
        """N windows, (N, 3, size, size) uint8; outside a photograph, the edge pixels are repeated."""
        photo, top, left = places
        heights, widths = self.sizes[photo].T
        rows, columns = _positions(top, size, heights), _positions(left, size, widths)
        row_bytes = self.starts[photo][:, None] + 3 * rows * widths[:, None]
        column_bytes = (3 * columns[:, :, None] + torch.arange(3, device=columns.device)).flatten(1)
        byte_positions = row_bytes[:, :, None] + column_bytes[:, None, :]
        window = self.pixels.index_select(0, byte_positions.view(-1))  # six times as fast as pixels[...]
        return window.view(-1, size, size, 3).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class PackedSet:
    """A `PhotoSet`, decoded."""

    train: PackedPhotos
    val: PackedPhotos
    test: dict[str, PackedPhotos]


def thumbnail(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (24, 24) uint8, the grey picture that `look_alikes` compares."""
    step = max(1, min(photo.shape[:2]) // 512)  # equally good, and much faster for large photographs
    grey = Image.fromarray(np.ascontiguousarray(photo[::step, ::step])).convert("L")
    return np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def look_alikes(first: PackedPhotos, second: PackedPhotos) -> list[tuple[int, int]]:
    """Index pairs of photographs with the same content, one of each set, also if compressed, reduced or made grey.

    Two photographs look alike if the slopes of their thumbnails correlate by more than 0.9. Among 568 photographs, no
    two different ones reach 0.6; copies as JPEG of quality 50 and above, or of half the size, nearly always reach 0.99.
    """
    similar = _slopes(first.thumbnails) @ _slopes(second.thumbnails).T > SAME
    return [(row, column) for row, column in similar.nonzero().tolist()]


def write_photos(file: BinaryIO, photos: Iterable[np.ndarray], names: list[str]) -> None:
    """Writes photographs one by one.

    Args:
        photos: each (H, W, 3) uint8; the iterator may append to `names`.
        names: names of the photographs, read after the last photograph.
    """
    file.seek(HEADER_BYTES)
    sizes, thumbnails = [], []
    for photo in photos:
        sizes.append(photo.shape[:2])
        thumbnails.append(thumbnail(photo))
        file.write(np.ascontiguousarray(photo).data)
    end = file.tell() - HEADER_BYTES
    padding = bytes(-end % 8)  # safetensors wants int64 values aligned
    parts = {
        "sizes": ("I64", [len(sizes), 2], np.array(sizes, dtype=np.int64).tobytes()),
        "thumbnails": ("U8", [len(sizes), THUMBNAIL, THUMBNAIL], np.array(thumbnails, dtype=np.uint8).tobytes()),
        "names": ("U8", [len(encoded := json.dumps(names).encode())], encoded),
    }
    file.write(padding)
    start = end + len(padding)
    layout = {"pixels": {"dtype": "U8", "shape": [start], "data_offsets": [0, start]}}
    for name, (dtype, shape, content) in parts.items():
        file.write(content)
        layout[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, start + len(content)]}
        start += len(content)
    header = json.dumps(layout).encode().ljust(HEADER_BYTES - 8)
    file.seek(0)
    file.write(len(header).to_bytes(8, "little") + header)


def read_photos(path: Path, key: str) -> PackedPhotos:
    """The photographs of a packed file, mapped into memory.

    Raises:
        SafetensorError: the file is damaged.
    """
    with safe_open(path, framework="pt") as file:
        names = json.loads(bytes(file.get_tensor("names").numpy()))
        pixels, sizes, thumbnails = (file.get_tensor(name) for name in ("pixels", "sizes", "thumbnails"))
        return PackedPhotos(pixels, sizes, names, thumbnails, key)


def _positions(start: Tensor, length: int, size: Tensor) -> Tensor:
    """`length` positions from each start, clamped to the photographs, (N, length)."""
    positions = start[:, None] + torch.arange(length, device=start.device)
    return positions.clamp_min(0).minimum(size[:, None] - 1)


def _slopes(thumbnails: Tensor) -> Tensor:
    """(n, 24, 24) -> differences of neighbours, (n, 2 * 24 * 23), each row of length 1; 0 for a flat picture."""
    grey = thumbnails.float()
    slopes = torch.cat([grey.diff(dim=1).flatten(1), grey.diff(dim=2).flatten(1)], dim=1)
    return functional.normalize(slopes, dim=1)
