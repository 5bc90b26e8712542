"""The files that a user names, and the paths of their restored versions; all new paths are different."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from restoration.datasets.decode import SUFFIXES
from restoration.datasets.folder import files_below
from restoration.errors import UserError
from restoration.files import printable
from restoration.pictures import KINDS
from restoration.saving import suffix_of
from restoration.sensor import RAW_SUFFIXES


@dataclass(frozen=True)
class UserFile:
    """A file to restore, and its path below the folder of all new files."""

    path: Path
    relative: Path


def user_files(arguments: Sequence[str], *, raw: bool, mark: str, out: Path | None) -> list[UserFile]:
    """The files that paths, folders and patterns name, without repetitions.

    Folders are searched with their subfolders, without hidden files, restored files (names that end in `mark`) and
    files in `out`.

    Args:
        raw: look for raw files in folders, else for photographs.

    Raises:
        UserError: a folder or a pattern has no such file.
    """
    unique: dict[Path, UserFile] = {}
    several = len(arguments) > 1
    for argument in arguments:
        for file in _files(argument, several=several, raw=raw, mark=mark, out=out):
            unique.setdefault(file.path.absolute(), file)
    return list(unique.values())


def targets(files: Iterable[UserFile], *, mark: str, kind: str | None, out: Path | None) -> dict[Path, Path]:
    """The new path of each file: in the same folder, with `mark` in the name; or below `out`, with the same name.

    If two files would get one path (a.jpg and a.png as PNG), the second name also contains the old suffix, or else a
    number.
    """
    chosen: dict[Path, Path] = {}
    taken: set[str] = set()
    ordered = sorted(files, key=lambda file: file.path.suffix != _suffix(file.path, kind))
    for file in ordered:
        base = file.path if out is None else out / file.relative
        for name in _names(file.path, mark if out is None else "", _suffix(file.path, kind)):
            target = base.with_name(name)
            key = str(target.absolute()).casefold()  # some file systems do not distinguish a.jpg and A.jpg
            if key not in taken:
                taken.add(key)
                chosen[file.path] = target
                break
    return chosen


def _names(path: Path, mark: str, suffix: str) -> Iterator[str]:
    yield f"{path.stem}{mark}{suffix}"
    if suffix != path.suffix:
        yield f"{path.name}{mark}{suffix}"
    number = 2
    while True:
        yield f"{path.stem}{mark}-{number}{suffix}"
        number += 1


def _suffix(path: Path, kind: str | None) -> str:
    if kind is not None:
        return suffix_of(path, kind)
    return path.suffix if path.suffix.lower() in SUFFIXES else KINDS["png"]


def _files(argument: str, *, several: bool, raw: bool, mark: str, out: Path | None) -> Iterator[UserFile]:
    path = Path(argument).expanduser()
    if path.is_dir():
        suffixes = RAW_SUFFIXES if raw else SUFFIXES
        matches = sorted(file for file in files_below(path) if file.suffix.lower() in suffixes)
        matches = [file for file in matches if not file.stem.endswith(mark) and not (out and out in file.parents)]
        if not matches:
            raise UserError(f"{printable(path)} has no files of this task's kinds: {', '.join(sorted(suffixes))}")
        for file in matches:
            relative = file.relative_to(path)
            yield UserFile(file, Path(path.resolve().name) / relative if several else relative)
    elif not path.exists() and glob.has_magic(argument):
        matching = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        matching = [file for file in matching if file.is_file()]
        if not matching:
            raise UserError(f"no file matches {printable(argument)}")
        yield from (UserFile(file, Path(file.name)) for file in matching)
    else:
        yield UserFile(path, Path(path.name))
