"""Your own photographs: folders of images, lists of files, or patterns."""

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from restoration.datasets.decode import SUFFIXES
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError


def folder(
    train: str | None,
    test: str | Mapping[str, str] | None,
    *,
    val: int | str = 8,
    name: str | None = None,
    skip_bad: bool = False,
) -> PhotoSet:
    """A photo set from PNG, JPEG, TIFF, WebP or BMP files of at least 48 x 48 pixels.

    Photographs are named by a folder, which is searched with its subfolders; by a text file with one path a line,
    relative ones from where the list lies, remarks after " #"; by a pattern such as "photos/**/*.png"; or by one file.

    Args:
        train: photographs to draw patches from.
        test: photographs to score, or several sets of them by name, which are scored and reported apart.
        val: validation photographs; or how many to hold out of `train` (at most a tenth of it, at least one), those
            whose names have the smallest hashes, so that the choice is stable.
        name: stands in run folders and tables; by default the last two parts of the training folder's path.
        skip_bad: leave out files that cannot be used instead of stopping.

    Raises:
        UserError: nothing is given, does not exist or holds no photographs.
    """
    if not train or not test:
        raise UserError(
            "a folder data set needs data.train=DIR and data.test=DIR (with make: TRAIN=DIR TEST=DIR; a list of files "
            f"or a pattern will do as well), got data.train={train} and data.test={test}"
        )
    tests = dict(test) if isinstance(test, Mapping) else {_plain_parts(test)[-1]: test}
    training = photographs_in(train, "data.train")
    if isinstance(val, int):
        training, validation = held_out(training, val, "data.train")
    else:
        validation = photographs_in(val, "data.val")
    return PhotoSet(
        name or "-".join(_plain_parts(train)[-2:]),
        training,
        validation,
        {title: photographs_in(path, f"data.test ({title})") for title, path in tests.items()},
        skip_bad,
    )


def photographs_in(given: str, option: str) -> tuple[Path, ...]:
    """The files that a folder, a list, a pattern or a file's own name stands for.

    Args:
        option: what the user gave it as.

    Raises:
        UserError: it holds no photographs.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        return _of_kind(sorted(files_below(path)), path, option)
    if path.is_file():
        return (path,) if path.suffix.lower() in SUFFIXES else _listed(path, option)
    if glob.has_magic(given):
        return _of_kind(_matching(path), path, option)
    raise UserError(f"{option}: there is no {path}; give a folder, a list of files, a pattern or a photograph")


def _matching(pattern: Path) -> list[Path]:
    """The files of a pattern but hidden ones; "**" does not go through links, which may lead in circles."""
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    found = fixed.glob(str(pattern.relative_to(fixed)))
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _of_kind(files: list[Path], where: Path, option: str) -> tuple[Path, ...]:
    photographs = tuple(file for file in files if file.suffix.lower() in SUFFIXES)
    others = [file.name for file in files if file.is_file() and file.suffix.lower() not in SUFFIXES]
    if not photographs:
        raise UserError(
            f"{option}: no photographs in {where} ({len(others)} other files; looked for {', '.join(sorted(SUFFIXES))})"
        )
    if others:
        print(f"{option}: not taken for photographs: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}")
    return photographs


def _listed(path: Path, option: str) -> tuple[Path, ...]:
    try:
        lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise UserError(f"{option}: {path} is neither a photograph of a known kind nor a list of files") from None
    photographs = dict.fromkeys(path.parent / Path(line).expanduser() for line in lines if line)
    if not photographs:
        raise UserError(f"{option}: the list {path} names no photographs")
    return tuple(photographs)


def _plain_parts(given: str) -> list[str]:
    """The parts of a path to name things by: up to the first wildcard, without a list's suffix."""
    path = Path(given).expanduser().resolve()
    parts = [part for part in path.parts if part != path.anchor]
    if path.is_file():
        return [*parts[:-1], path.stem]
    plain = parts if path.exists() else list(takewhile(lambda part: not glob.has_magic(part), parts))
    return plain or ["photographs"]


def existing_folder(path: str, option: str) -> Path:
    """The folder that a user named.

    Raises:
        UserError: there is none.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise UserError(f"{option}: {root} is not a folder")
    return root


def files_below(root: Path) -> Iterator[Path]:
    """Files below `root` but hidden ones; links to folders are followed, each folder once."""
    seen = set()
    for parent, folders, names in os.walk(root, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def held_out(files: tuple[Path, ...], count: int, option: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Splits `files` into the rest and `count` to validate with, at most a tenth, at least one.

    Raises:
        UserError: there are not two files.
    """
    count = max(1, min(count, len(files) // 10))
    if len(files) < 2:
        raise UserError(f"{option} holds one photograph; two are needed, one of them to validate with")
    by_hash = sorted(files, key=lambda file: hashlib.sha256(file.name.encode()).digest())
    validation = set(by_hash[:count])
    return tuple(file for file in files if file not in validation), tuple(sorted(validation))
