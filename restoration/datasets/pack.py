"""Photographs decoded once, on all cores, into a file that is called after a hash of everything that went into it.

So it is made again exactly when an input changes. Only the photographs that are being decoded are in memory.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO, TypeVar

import numpy as np
from rich.progress import Progress

from restoration.datasets import PhotoSet
from restoration.datasets.decode import BadPhoto, decode
from restoration.datasets.packed_file import opened_or_made, write
from restoration.datasets.photos import PackedPhotos
from restoration.errors import UserError

FORMAT = "photographs 1"  # changes whenever the same inputs would give other bytes
GROUP_BYTES, GROUP_FILES = 2**20, 16


@dataclass(frozen=True)
class PackedSet:
    """A `PhotoSet`, decoded."""

    train: PackedPhotos
    val: PackedPhotos
    test: dict[str, PackedPhotos]


Item = TypeVar("Item")
Result = TypeVar("Result")


def pack_set(photos: PhotoSet, cache: Path) -> PackedSet:
    """Every photograph of a set, decoded into `cache` unless it already was.

    Raises:
        UserError: files cannot be used (all are named), or a test photograph is also trained or validated on.
    """
    roles = {"training": photos.train, "validation": photos.val}
    roles |= {f"test {name}": paths for name, paths in photos.test.items()}
    parts, refused = [], []
    for role, paths in roles.items():
        try:
            parts.append(pack(paths, cache, title=f"{role} photographs", skip_bad=photos.skip_bad))
        except UserError as error:
            refused.append(str(error))
    if refused:
        raise UserError("\n".join(refused))
    train, val, *tests = parts
    packed = PackedSet(train, val, dict(zip(photos.test, tests, strict=True)))
    seen: dict[str, str] = {}
    for role, part in zip(roles, parts, strict=True):
        if role.startswith("test"):
            seen = {digest: where for digest, where in seen.items() if not where.startswith("test")}
        names = dict(zip(part.digests, part.names, strict=True))
        both = [f"  {names[digest]} is also {seen[digest]}" for digest in names.keys() & seen.keys()]
        if both:
            raise UserError(
                f"{role} photographs are also used otherwise:\n" + "\n".join(sorted(both)) + "\n"
                "Scores on them would mean nothing; move them out of one of the folders."
            )
        seen |= {digest: f"{role} photograph {name}" for digest, name in names.items()}
    return packed


def pack(paths: Sequence[Path], cache: Path, *, title: str, skip_bad: bool = False) -> PackedPhotos:
    """The photographs of `paths`, decoded into `cache` unless the same files already were.

    Args:
        title: what these photographs are, for the progress bar and messages.
        skip_bad: leave out files that cannot be used; they are still named.

    Raises:
        UserError: naming every file that cannot be used, with the reason.
    """
    groups = list(_grouped(paths))
    digests = list(chain.from_iterable(in_parallel(_digests, groups)))
    names = _short_names(paths)
    key = hashlib.sha256(json.dumps([FORMAT, skip_bad, names, digests]).encode()).hexdigest()
    sources = list(zip(names, digests, strict=True))
    return opened_or_made(cache, key, lambda file: _decode_all(file, groups, sources, title, skip_bad))


def pack_recorded(
    photos: PackedPhotos, record: Callable[[np.ndarray], np.ndarray], recipe: str, cache: Path, *, title: str
) -> PackedPhotos:
    """What a deterministic degradation keeps of each photograph, packed in the same order.

    Args:
        record: (H, W, 3) uint8 -> (h, w, 3) uint8.
        recipe: identifies `record` and its settings.
    """
    key = hashlib.sha256(json.dumps([FORMAT, photos.key, recipe]).encode()).hexdigest()

    def make(file: BinaryIO) -> None:
        recorded = in_parallel(lambda index: record(photos.array(index)), range(len(photos)))
        sources = list(zip(photos.names, photos.digests, strict=True))
        write(file, _with_progress(recorded, len(photos), title), sources)

    return opened_or_made(cache, key, make)


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


def _grouped(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Paths in order, small files together: to hand them over one by one takes as long as to read them."""
    group: list[Path] = []
    size = 0
    for path in paths:
        group.append(path)
        with contextlib.suppress(OSError):  # decoding will say what is wrong with it
            size += os.stat(path).st_size
        if size > GROUP_BYTES or len(group) == GROUP_FILES:
            yield group
            group, size = [], 0
    yield group


def _digests(paths: list[Path]) -> list[str]:
    return [_digest(path) for path in paths]


def _digest(path: Path) -> str:
    """The file's sha256; of a file that cannot be read, which decoding will say, nothing."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Paths below their common folder: short, and still different from one another."""
    resolved = [path.absolute() for path in paths]
    common = Path(os.path.commonpath([path.parent for path in resolved]))
    return [path.relative_to(common).as_posix() for path in resolved]


def _decode_all(
    file: BinaryIO, groups: Sequence[list[Path]], sources: list[tuple[str, str]], title: str, skip_bad: bool
) -> None:
    paths = list(chain.from_iterable(groups))
    bad: list[str] = []
    kept: list[tuple[str, str]] = []
    memory: SimpleQueue[np.ndarray] = SimpleQueue()  # of photographs that were written, to decode into again

    def attempt(path: Path) -> np.ndarray | BadPhoto:
        try:
            return decode(path, _any_of(memory))
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
                memory.put(photo.reshape(-1))

    write(file, good(), kept)
    if bad and (not skip_bad or not kept):
        raise UserError(
            f"{len(bad)} of {len(paths)} {title} cannot be used:\n" + "\n".join(bad) + "\n"
            "Mend or remove them (downloads are then made again), or leave a folder's out with data.skip_bad=true."
        )
    if bad:
        print(f"Left out {len(bad)} of {len(paths)} {title}:\n" + "\n".join(bad))


def _any_of(queue: SimpleQueue[Item]) -> Item | None:
    try:
        return queue.get_nowait()
    except Empty:
        return None


def _with_progress(results: Iterable[Result], total: int, title: str) -> Iterator[Result]:
    if not sys.stdout.isatty():
        yield from results
        return
    with Progress(transient=True) as progress:
        yield from progress.track(results, total=total, description=f"packing {title}")
