"""The file of decoded photographs: written as a stream, mapped into memory to read.

It is safetensors: `pixels`, all photographs one after the other, (rows, columns, RGB) uint8; `sizes`, (n, 2) int64,
height and width; `sources`, their names and sha256, JSON in UTF-8.
"""

import errno
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from restoration.datasets.photos import PackedPhotos
from restoration.errors import UserError
from restoration.files import NO_ROOM, alone_in, replacing

HEADER_BYTES = 512
SYNC_BYTES = 2**23  # so much goes to the disk at a time, while the next photographs are decoded


def opened_or_made(cache: Path, key: str, make: Callable[[BinaryIO], None]) -> PackedPhotos:
    """The file of this key in `cache`; where there is none, or a damaged one, `make` writes it.

    Raises:
        UserError: the disk is full or may not be written.
    """
    path = cache / f"{key[:20]}.safetensors"
    if not path.exists():
        _make(path, make)
    try:
        return _opened(path, key)
    except SafetensorError:  # damaged since it was made: it is only a cache
        path.unlink(missing_ok=True)
        _make(path, make)
        return _opened(path, key)


def write(file: BinaryIO, photos: Iterable[np.ndarray], sources: list[tuple[str, str]]) -> None:
    """Writes photographs as they come; `sources` is read last, so that it may grow meanwhile."""
    file.seek(HEADER_BYTES)
    sizes = []
    for photo in _synced(file, photos):
        sizes.append(photo.shape[:2])
        file.write(np.ascontiguousarray(photo).data)
    end = file.tell() - HEADER_BYTES
    padding = -end % 8  # safetensors: int64 values must be aligned
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


def _make(path: Path, make: Callable[[BinaryIO], None]) -> None:
    try:
        with alone_in(path.parent):
            if not path.exists():  # another process may just have made it
                with replacing(path) as temporary, open(temporary, "wb") as file:
                    make(file)
    except OSError as error:
        if error.errno not in (*NO_ROOM, errno.EACCES, errno.EROFS):
            raise
        raise UserError(f"cannot write the packed photographs {path}: {error.strerror}; nothing was kept") from error


def _opened(path: Path, key: str) -> PackedPhotos:
    with safe_open(path, framework="pt") as file:
        names, digests = zip(*json.loads(bytes(file.get_tensor("sources").numpy())), strict=True)
        return PackedPhotos(file.get_tensor("pixels"), file.get_tensor("sizes"), list(names), list(digests), key)


def _synced(file: BinaryIO, photos: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """The same photographs; what was written of them goes to the disk meanwhile, not all of it at the end."""
    with ThreadPoolExecutor(1) as disk:
        syncing: Future[None] | None = None
        unsynced = 0
        for photo in photos:
            yield photo
            unsynced += photo.nbytes
            if unsynced > SYNC_BYTES and (syncing is None or syncing.done()):
                if syncing is not None:
                    syncing.result()
                file.flush()
                syncing, unsynced = disk.submit(os.fsync, file.fileno()), 0
        if syncing is not None:
            syncing.result()


def _entry(dtype: str, shape: list[int], start: int, length: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, start + length]}
