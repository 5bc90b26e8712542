"""Files appear whole or not at all."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

UNFINISHED = ".unfinished."  # how the names of files begin that are being written
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)  # what writing fails with where the disk or a quota is full


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; it takes the place of `path` at the end, or vanishes on any error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=f".{path.name}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a whole text file in place of `path`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Writes a whole table in place of `path`, compressed where that ends in .xz, its numbers to the last bit.

    Pandas writes numbers as NumPy prints them, of which packages change the options: colour-science leaves 12 digits.
    """
    with replacing(path) as temporary, np.printoptions(legacy=False):
        compression = "xz" if path.suffix == ".xz" else None
        frame.to_csv(temporary, index=False, lineterminator="\n", compression=compression)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """One process at a time works in `folder`, others wait; what a killed one held is free, what it left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process that works in {folder}", flush=True)
        lock.acquire()
    try:
        for unfinished in folder.rglob(f"{UNFINISHED}*"):
            unfinished.unlink()
        yield
    finally:
        lock.release()
