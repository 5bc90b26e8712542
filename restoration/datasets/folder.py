"""Your own photographs: folders of images, searched with their subfolders."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from restoration.datasets import PhotoSet
from restoration.datasets.decode import SUFFIXES
from restoration.errors import UserError


def folder(
    train: str | None,
    test: str | Mapping[str, str] | None,
    *,
    val: int | str = 8,
    name: str | None = None,
    skip_bad: bool = False,
) -> PhotoSet:
    """A photo set from folders of PNG, JPEG, TIFF, WebP or BMP files of at least 48 x 48 pixels.

    Args:
        train: folder of photographs to draw patches from.
        test: folder of photographs to score, or several by name, which are scored and reported apart.
        val: folder of validation photographs; or how many to hold out of `train` (at most a tenth of it, at least one),
            those whose names have the smallest hashes, so that the choice is stable.
        name: stands in run folders and tables; by default the last two parts of the training folder's path.
        skip_bad: leave out files that cannot be used instead of stopping.

    Raises:
        UserError: a folder is not given, does not exist or holds no photographs.
    """
    if not train or not test:
        raise UserError(
            "a folder data set needs data.train=DIR and data.test=DIR (with make: TRAIN=DIR TEST=DIR), "
            f"got data.train={train} and data.test={test}"
        )
    tests = dict(test) if isinstance(test, Mapping) else {Path(test).resolve().name: test}
    training = _photographs(train, "data.train")
    if isinstance(val, int):
        training, validation = _held_out(training, val, train)
    else:
        validation = _photographs(val, "data.val")
    return PhotoSet(
        name or "-".join(Path(train).resolve().parts[-2:]),
        training,
        validation,
        {title: _photographs(path, f"data.test ({title})") for title, path in tests.items()},
        skip_bad,
    )


def _photographs(path: str, option: str) -> tuple[Path, ...]:
    root = Path(path).expanduser()
    if not root.is_dir():
        raise UserError(f"{option}: {root} is not a folder")
    files = sorted(_files(root))
    photographs = tuple(file for file in files if file.suffix.lower() in SUFFIXES)
    if not photographs:
        raise UserError(
            f"{option}: no photographs in {root} ({len(files)} other files; looked for {', '.join(sorted(SUFFIXES))})"
        )
    if len(photographs) < len(files):
        others = [file.name for file in files if file.suffix.lower() not in SUFFIXES]
        print(f"{option}: not taken for photographs: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}")
    return photographs


def _files(root: Path) -> Iterator[Path]:
    """Files below `root` but hidden ones; links to folders are followed, each folder once."""
    seen = set()
    for parent, folders, names in os.walk(root, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def _held_out(files: tuple[Path, ...], count: int, path: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Splits `files` into the rest and `count` to validate with."""
    count = max(1, min(count, len(files) // 10))
    if len(files) < 2:
        raise UserError(f"data.train: {path} holds one photograph; two are needed, one of them to validate with")
    by_hash = sorted(files, key=lambda file: hashlib.sha256(file.name.encode()).digest())
    validation = set(by_hash[:count])
    return tuple(file for file in files if file not in validation), tuple(sorted(validation))
