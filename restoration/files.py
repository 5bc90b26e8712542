"""Files that are written completely or not at all; printable names."""

import contextlib
import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from restoration.errors import UserError

if TYPE_CHECKING:
    import pandas as pd  # takes half a second

UNFINISHED = ".unfinished."  # first letters of the names of files that are being written
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)  # errors of a full disk or quota
LONGEST_SUFFIX = 20  # a file name has at most 255 bytes, sometimes 143


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary file beside `path`, which replaces `path` at the end, or is deleted after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""
    temporary = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}{suffix}")
    try:
        with open(temporary, "xb"):  # with the permissions that the umask allows
            pass
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def printable(name: str | Path) -> str:
    """A name without bytes that are not UTF-8 and without control characters, which are escaped."""
    return re.sub("[\x00-\x1f\x7f\ud800-\udfff]", lambda match: ascii(match[0])[1:-1], str(name))


def write_text(path: Path, text: str) -> None:
    """Writes a whole text file in place of `path`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, frame: "pd.DataFrame") -> None:
    """Writes a whole table in place of `path`, compressed if `path` ends in .xz, with all digits of its numbers.

    Pandas writes numbers as NumPy prints them, and colour-science sets NumPy to print 12 digits.
    """
    with replacing(path) as temporary, np.printoptions(legacy=False):
        compression = "xz" if path.suffix == ".xz" else None
        frame.to_csv(temporary, index=False, lineterminator="\n", compression=compression)


def _name_in(owner: Path) -> str:
    """The name of the process that holds a lock; waits up to a second, since the lock is taken before it is written."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            return owner.read_text(encoding="utf-8")
        time.sleep(0.05)
    return "another process"


@contextlib.contextmanager
def alone_in(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """One process at a time works in `folder`. The lock of a killed process is free; its unfinished files are deleted.

    Args:
        wait: wait for another process that works there.

    Raises:
        UserError: another process works there, and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(folder / ".lock"), folder / ".owner"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = _name_in(owner)
        if not wait:
            raise UserError(f"{who} works in {printable(folder)}; wait for its end, or stop it") from None
        print(f"waiting for {who}, which works in {printable(folder)}", flush=True)
        lock.acquire()
    try:
        owner.unlink(missing_ok=True)  # the name of a killed process
        for unfinished in folder.rglob(f"{UNFINISHED}*"):
            unfinished.unlink()
        now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
        write_text(owner, f"process {os.getpid()} on {socket.gethostname()}, started {now},")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
