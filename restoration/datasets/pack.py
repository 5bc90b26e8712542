"""Photographs decoded once, on all cores, into one file named after a hash of everything that went into it.

The file is made again exactly when an input changes. Only the photographs being decoded are in memory.
"""

import contextlib
import errno
import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from rich.progress import Progress
from safetensors import SafetensorError

from restoration.datasets.decode import BadPhoto, decode
from restoration.datasets.photos import PackedPhotos, PackedSet, PhotoSet, read_photos, write_photos
from restoration.errors import UserError
from restoration.files import NO_ROOM, alone_in, replacing

FORMAT = "photographs 1"  # part of a set's identity in the records of runs
GROUP_BYTES, GROUP_FILES = 2**20, 16

Item = TypeVar("Item")
Result = TypeVar("Result")


def pack_set(photos: PhotoSet, cache: Path) -> PackedSet:
    """The photographs of a set, decoded into `cache` unless they are there already.

    Raises:
        UserError: files cannot be used (all are named), or a photograph has two roles.
    """
    roles = {"training": photos.train, "validation": photos.val}
    roles |= {f"test {name}": paths for name, paths in photos.test.items()}
    parts: dict[str, PackedPhotos] = {}
    refused = []
    for role, paths in roles.items():
        try:
            parts[role] = pack(paths, cache, title=f"{role} photographs", skip_bad=photos.skip_bad)
        except UserError as error:
            refused.append(str(error))
    if refused:
        raise UserError("\n".join(refused))
    _refuse_two_roles(parts)
    train, val, *tests = parts.values()
    return PackedSet(train, val, dict(zip(photos.test, tests, strict=True)))


def _refuse_two_roles(parts: dict[str, PackedPhotos]) -> None:
    """Training, validation and test share no photograph; two test sets may."""
    seen: dict[str, str] = {}
    for role, part in parts.items():
        names = dict(zip(part.digests, part.names, strict=True))
        if both := [f"  {names[digest]} is also {seen[digest]}" for digest in names.keys() & seen.keys()]:
            raise UserError(
                f"{role} photographs have another role, too:\n" + "\n".join(sorted(both)) + "\n"
                "Scores on them would mean nothing; remove them from one of the folders."
            )
        if not role.startswith("test"):
            seen |= {digest: f"{role} photograph {name}" for digest, name in names.items()}


def pack(paths: Sequence[Path], cache: Path, *, title: str, skip_bad: bool = False) -> PackedPhotos:
    """The photographs of `paths`, decoded into `cache` unless the same files already were.

    Args:
        title: what these photographs are, for the progress bar and messages.
        skip_bad: leave out files that cannot be used; they are named all the same.

    Raises:
        UserError: files cannot be used; each is named with the reason.
    """
    groups = list(_grouped(paths))
    digests = list(chain.from_iterable(in_parallel(lambda group: [_digest(path) for path in group], groups)))
    sources = list(zip(_short_names(paths), digests, strict=True))
    key = _hash([FORMAT, skip_bad, *zip(*sources, strict=True)])
    return _opened_or_made(cache, key, lambda file: _decode_all(file, groups, sources, title, skip_bad))


def pack_recorded(
    photos: PackedPhotos, record: Callable[[np.ndarray], np.ndarray], recipe: str, cache: Path, *, title: str
) -> PackedPhotos:
    """What a deterministic degradation keeps of each photograph, packed in the same order.

    Args:
        record: (H, W, 3) uint8 -> (h, w, 3) uint8.
        recipe: identifies `record` and its settings.
    """

    def make(file: BinaryIO) -> None:
        recorded = in_parallel(lambda index: record(photos.array(index)), range(len(photos)))
        sources = list(zip(photos.names, photos.digests, strict=True))
        write_photos(file, _with_progress(recorded, len(photos), title), sources)

    return _opened_or_made(cache, _hash([FORMAT, photos.key, recipe]), make)


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` of each item in order, on all cores, a bounded number ahead of the reader."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _hash(facts: list) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _grouped(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Paths in order, small files together: handing them to a thread one by one takes as long as reading them."""
    group: list[Path] = []
    size = 0
    for path in paths:
        group.append(path)
        with contextlib.suppress(OSError):  # `decode` will name the error
            size += os.stat(path).st_size
        if size > GROUP_BYTES or len(group) == GROUP_FILES:
            yield group
            group, size = [], 0
    yield group


def _digest(path: Path) -> str:
    """The file's sha256; empty where it cannot be read, which `decode` will name."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Paths below their common folder."""
    absolute = [path.absolute() for path in paths]
    common = Path(os.path.commonpath([path.parent for path in absolute]))
    return [path.relative_to(common).as_posix() for path in absolute]


def _opened_or_made(cache: Path, key: str, make: Callable[[BinaryIO], None]) -> PackedPhotos:
    """The packed file of this key in `cache`; `make` writes it where it is missing or damaged.

    Raises:
        UserError: the disk is full or read-only.
    """
    path = cache / f"{key[:20]}.safetensors"
    if path.exists():
        try:
            return read_photos(path, key)
        except SafetensorError:
            path.unlink(missing_ok=True)
    try:
        with alone_in(cache):
            if not path.exists():  # another process may just have made it
                with replacing(path) as temporary, open(temporary, "wb") as file:
                    make(file)
    except OSError as error:
        if error.errno not in (*NO_ROOM, errno.EACCES, errno.EROFS):
            raise
        raise UserError(f"cannot write the packed photographs {path}: {error.strerror}; nothing was kept") from error
    return read_photos(path, key)


def _decode_all(
    file: BinaryIO, groups: Sequence[list[Path]], sources: list[tuple[str, str]], title: str, skip_bad: bool
) -> None:
    paths = list(chain.from_iterable(groups))
    bad: list[str] = []
    kept: list[tuple[str, str]] = []

    def attempt(path: Path) -> np.ndarray | BadPhoto:
        try:
            return decode(path)
        except BadPhoto as error:
            return error

    def good() -> Iterator[np.ndarray]:
        decoded = chain.from_iterable(in_parallel(lambda group: [attempt(path) for path in group], groups))
        for path, source, photo in zip(paths, sources, _with_progress(decoded, len(paths), title), strict=True):
            if isinstance(photo, BadPhoto):
                bad.append(f"  {path}: {photo}")
            else:
                kept.append(source)
                yield photo

    write_photos(file, good(), kept)
    if bad and (not skip_bad or not kept):
        raise UserError(
            f"{len(bad)} of {len(paths)} {title} cannot be used:\n" + "\n".join(bad) + "\n"
            "Mend or remove them (downloads are then made again), or leave them out with data.skip_bad=true "
            "(DATA=folder)."
        )
    if bad:
        print(f"Left out {len(bad)} of {len(paths)} {title}:\n" + "\n".join(bad))


def _with_progress(results: Iterable[Result], total: int, title: str) -> Iterator[Result]:
    if not sys.stdout.isatty():
        yield from results
        return
    with Progress(transient=True) as progress:
        yield from progress.track(results, total=total, description=f"packing {title}")
