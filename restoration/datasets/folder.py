"""Photographs of the user: folders of images, lists of files, or patterns."""

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from restoration.datasets.decode import SUFFIXES
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError
from restoration.files import printable

NO_PHOTOGRAPHS = {"@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found"}  # thumbnails, trash


def folder(
    train: str | None,
    test: str | Mapping[str, str] | None,
    *,
    val: int | str = 8,
    name: str | None = None,
    skip_bad: bool = False,
) -> PhotoSet:
    """A photo set of JPEG, PNG, TIFF, WebP or BMP files.

    Photographs are named by a folder, which is searched with its subfolders; by a text file with one path per line,
    relative to the file, comments after " #"; by a pattern such as "photos/**/*.png"; or by one file. Hidden files and
    folders are left out, and those of operating systems, such as thumbnails and trash.

    Args:
        train: photographs from which patches are drawn.
        test: photographs to score; or several sets by name, each scored and reported apart.
        val: validation photographs; or the number of photographs to hold out of `train` (at most a tenth, at least
            one). The photographs whose names have the smallest hashes are held out, so the choice is stable.
        name: the data set's name in paths of runs and in tables; by default the last two parts of the training path.
        skip_bad: leave out unusable files; False: an unusable file is an error.

    Raises:
        UserError: train or test is missing, does not exist or contains no photographs.
    """
    if not train or not test:
        raise UserError(
            "a folder data set needs data.train=DIR and data.test=DIR (with make: TRAIN=DIR TEST=DIR; a list of files "
            f"or a pattern is accepted as well), got data.train={train} and data.test={test}"
        )
    tests = dict(test) if isinstance(test, Mapping) else {_name_parts(test)[-1]: test}
    training = photographs_in(train, "data.train")
    if isinstance(val, int):
        training, validation = held_out(training, val, "data.train")
    else:
        validation = photographs_in(val, "data.val")
    return PhotoSet(
        name or "-".join(_name_parts(train)[-2:]),
        training,
        validation,
        {title: photographs_in(path, f"data.test ({title})") for title, path in tests.items()},
        skip_bad,
    )


def photographs_in(text: str, option: str) -> tuple[Path, ...]:
    """The files that a folder, a list, a pattern or a file name refers to.

    Args:
        option: the option that the user gave, for messages.

    Raises:
        UserError: there are no photographs.
    """
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        return _photographs(files_below(path), path, option)
    if path.is_file():
        return (path,) if path.suffix.lower() in SUFFIXES else _listed(path, option)
    if glob.has_magic(text):
        return _photographs(_matching(path), path, option)
    raise UserError(f"{option}: there is no {path}; give a folder, a list of files, a pattern or a photograph")


def files_below(root: Path) -> Iterator[Path]:
    """Files below `root` without hidden and system ones; links to folders are followed, each folder once."""
    seen = set()
    for parent, folders, names in os.walk(root, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        folders[:] = [name for name in folders if not _left_out(name)]
        yield from (Path(parent) / name for name in names if not _left_out(name))


def held_out(files: tuple[Path, ...], count: int, option: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Splits `files` into training files and `count` validation files, at most a tenth, at least one.

    Raises:
        UserError: there are fewer than two files.
    """
    count = max(1, min(count, len(files) // 10))
    if len(files) < 2:
        raise UserError(f"{option} holds one photograph; two are needed, one of them for validation")
    by_hash = sorted(files, key=lambda file: hashlib.sha256(os.fsencode(file.name)).digest())
    validation = set(by_hash[:count])
    return tuple(file for file in files if file not in validation), tuple(sorted(validation))


def _left_out(name: str) -> bool:
    return name.startswith(".") or name.lower() in NO_PHOTOGRAPHS


def _matching(pattern: Path) -> Iterator[Path]:
    """Files that match a pattern, without hidden and system files, unless the pattern names their folder."""
    fixed = Path()
    for part in pattern.parts:
        if glob.has_magic(part) and not (fixed / part).is_dir():  # "photos [2020]" may be the name of a folder
            break
        fixed = fixed / part
    for path in fixed.glob(str(pattern.relative_to(fixed))):  # "**" follows no links, so the search ends
        if not path.is_dir() and not any(_left_out(part) for part in path.relative_to(fixed).parts):
            yield path


def _photographs(files: Iterator[Path], source: Path, option: str) -> tuple[Path, ...]:
    photographs, ignored = [], []
    for file in sorted(files):
        (photographs if file.suffix.lower() in SUFFIXES and not _is_special(file) else ignored).append(file)
    if not photographs:
        raise UserError(
            f"{option}: no photographs in {source} "
            f"({len(ignored)} other files; looked for {', '.join(sorted(SUFFIXES))})"
        )
    if ignored:
        names = ", ".join(printable(file.name) for file in ignored[:5])
        print(f"{option}: not taken for photographs: {names}{', ...' if len(ignored) > 5 else ''}")
    return tuple(photographs)


def _is_special(file: Path) -> bool:
    """True for a pipe, a socket or a device; false for a broken link, which `decode` will report."""
    return file.exists() and not stat.S_ISREG(file.stat().st_mode)


def _listed(path: Path, option: str) -> tuple[Path, ...]:
    try:
        lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise UserError(f"{option}: {path} is neither a photograph of a known kind nor a list of files") from None
    photographs = dict.fromkeys(path.parent / os.path.expanduser(line) for line in lines if line)
    if not photographs:
        raise UserError(f"{option}: the list {path} names no photographs")
    return tuple(photographs)


def _name_parts(text: str) -> list[str]:
    """The parts of a path that can name a data set: up to the first wildcard, without a list's suffix."""
    path = Path(os.path.expanduser(text)).resolve()
    parts = [printable(part) for part in path.parts if part != path.anchor]
    if path.is_file():
        return [*parts[:-1], printable(path.stem)]
    plain = parts if path.exists() else list(takewhile(lambda part: not glob.has_magic(part), parts))
    return plain or ["photographs"]
