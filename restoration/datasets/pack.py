"""Decodes photographs once, on all cores, into one file that is named after a hash of all inputs.

The file is written again only if an input changes. Only the photographs that are being decoded are in memory.
"""

import errno
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from safetensors import SafetensorError

from restoration.datasets.decode import BadPhoto, decode, read_file
from restoration.datasets.photos import PackedPhotos, PackedSet, PhotoSet, look_alikes, read_photos, write_photos
from restoration.errors import UserError
from restoration.files import NO_ROOM, alone_in, printable, replacing
from restoration.progress import tracked

FORMAT = "photographs 1"  # part of the hash that runs record for a set
DECODER = 2  # increase this when decoding or storing changes
SHOWN = 20  # photographs in one message
MIN_SIDE = 48  # pixels: a 31 x 31 patch, the margin of every degradation, and some space for random positions

Item = TypeVar("Item")
Result = TypeVar("Result")


def pack_set(photos: PhotoSet, cache: Path) -> PackedSet:
    """The photographs of a set, decoded into `cache` unless `cache` has them already.

    Raises:
        UserError: files are unusable (the message names all of them), or a photograph has two roles.
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
    if duplicates := _in_two_roles(parts):
        listed = "\n".join(duplicates[:SHOWN] + [f"  and {len(duplicates) - SHOWN} more"] * (len(duplicates) > SHOWN))
        if not photos.published:
            raise UserError(
                f"photographs with the same content in two roles:\n{listed}\n"
                "A network must not be scored on its training photographs: remove them from one of the folders."
            )
        print(f"photographs of the published split that look alike:\n{listed}")
    train, val, *tests = parts.values()
    return PackedSet(train, val, dict(zip(photos.test, tests, strict=True)))


def _in_two_roles(parts: dict[str, PackedPhotos]) -> list[str]:
    """A line for each photograph of one role that looks like one of another; test sets may share photographs."""
    lines = []
    for first, second in combinations(parts, 2):
        if not first.startswith("test"):
            for index, match in look_alikes(parts[first], parts[second]):
                names = parts[first].names[index], parts[second].names[match]
                lines.append(f"  {second} photograph {names[1]} and {first} photograph {names[0]}")
    return lines


def pack(paths: Sequence[Path], cache: Path, *, title: str, skip_bad: bool = False) -> PackedPhotos:
    """The photographs of `paths`, decoded into `cache` unless `cache` has them already.

    Args:
        title: name of these photographs for the progress bar and messages.
        skip_bad: leave out files that cannot be used, and print their names.

    Raises:
        UserError: files cannot be used; each is named with the reason.
    """
    key = key_of(paths, skip_bad=skip_bad)
    return _opened_or_made(cache, key, lambda file: _decode_all(file, paths, title, skip_bad))


def key_of(paths: Sequence[Path], *, skip_bad: bool = False) -> str:
    """The key of `pack` for the photographs of `paths`: a hash of names and contents."""
    return _hash([FORMAT, skip_bad, _short_names(paths), list(in_parallel(_digest, paths))])


def packed_before(cache: Path, key: str) -> PackedPhotos:
    """The photographs that were packed under this key; the files themselves are not needed.

    Raises:
        UserError: they are not in `cache`.
    """

    def missing(file: BinaryIO) -> None:
        raise UserError(f"{cache} does not hold these photographs any more")

    return _opened_or_made(cache, key, missing)


def pack_stored(
    photos: PackedPhotos, store: Callable[[np.ndarray], np.ndarray], recipe: str, cache: Path, *, title: str
) -> PackedPhotos:
    """The result of `store` for each photograph, packed in the same order, for deterministic degradations.

    Args:
        store: (H, W, 3) uint8 -> (h, w, 3) uint8.
        recipe: identifies `store` and its settings.
    """

    def make(file: BinaryIO) -> None:
        stored = in_parallel(lambda index: store(photos.array(index)), range(len(photos)))
        write_photos(file, tracked(stored, f"packing {title.removesuffix(' photographs')}", len(photos)), photos.names)

    return _opened_or_made(cache, _hash([FORMAT, photos.key, recipe]), make)


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yields `work(item)` for each item in order; works on all cores, a bounded number of items ahead."""
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


def _digest(path: Path) -> str:
    """The file's sha256; empty for an unreadable file: `decode` reports the reason later."""
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except (OSError, BadPhoto):
        return ""


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Paths below their common folder."""
    absolute = [path.absolute() for path in paths]
    common = Path(os.path.commonpath([path.parent for path in absolute]))
    return [path.relative_to(common).as_posix() for path in absolute]


def _opened_or_made(cache: Path, key: str, make: Callable[[BinaryIO], None]) -> PackedPhotos:
    """The packed file of this key in `cache`. A missing or damaged file is written by `make`.

    Raises:
        UserError: the disk is full or read-only.
    """
    path = cache / f"{_hash([DECODER, key])[:20]}.safetensors"
    if path.exists():
        try:
            return read_photos(path, key)
        except SafetensorError:
            path.unlink(missing_ok=True)
    try:
        with alone_in(cache):
            if not path.exists():  # another process may have written the file just now
                with replacing(path) as temporary, open(temporary, "wb") as file:
                    make(file)
    except OSError as error:
        if error.errno not in (*NO_ROOM, errno.EACCES, errno.EROFS):
            raise
        raise UserError(f"cannot write the packed photographs {path}: {error.strerror}; nothing was kept") from error
    return read_photos(path, key)


def _decode_all(file: BinaryIO, paths: Sequence[Path], title: str, skip_bad: bool) -> None:
    bad: list[str] = []
    kept: list[str] = []

    def attempt(path: Path) -> np.ndarray | BadPhoto:
        try:
            photo = decode(path)
        except BadPhoto as error:
            return error
        height, width = photo.shape[:2]
        if min(height, width) < MIN_SIDE:
            return BadPhoto(f"{width}x{height} pixels; photographs have at least {MIN_SIDE}x{MIN_SIDE}")
        return photo

    def good() -> Iterator[np.ndarray]:
        bar = f"packing {title.removesuffix(' photographs')}"
        decoded = tracked(in_parallel(attempt, paths), bar, len(paths))
        for path, name, photo in zip(paths, _short_names(paths), decoded, strict=True):
            if isinstance(photo, BadPhoto):
                bad.append(f"  {printable(path)}: {photo}")
            else:
                kept.append(printable(name))
                yield photo

    write_photos(file, good(), kept)
    if bad and (not skip_bad or not kept):
        raise UserError(
            f"{len(bad)} of {len(paths)} {title} cannot be used:\n" + "\n".join(bad) + "\n"
            "Repair or remove them (downloads are then repeated), or leave them out with data.skip_bad=true "
            "(DATA=folder)."
        )
    if bad:
        print(f"Left out {len(bad)} of {len(paths)} {title}:\n" + "\n".join(bad))
