"""Restored files and their true photographs: paired by name, read, scored."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

import torch
from torch import Tensor

from restoration.datasets.decode import SUFFIXES, BadPhoto, decode
from restoration.datasets.folder import files_below
from restoration.errors import UserError
from restoration.files import printable


@dataclass(frozen=True)
class Pair:
    """A restored file and its true photograph; `name` is shown in tables."""

    name: str
    restored: Path
    truth: Path

    def images(self) -> tuple[Tensor, Tensor]:
        """The restored and the true image, (3, H, W) uint8 each.

        Raises:
            UserError: a file cannot be read, or their sizes differ; the message names the file.
        """
        restored, truth = (_image(path) for path in (self.restored, self.truth))
        if restored.shape != truth.shape:
            sizes = [f"{image.shape[2]}x{image.shape[1]}" for image in (restored, truth)]
            raise UserError(
                f"{printable(self.restored)} has {sizes[0]} pixels, {printable(self.truth)} has {sizes[1]}; "
                "both must have the same size"
            )
        return restored, truth


def paired(restored: Path, truth: Path) -> tuple[list[Pair], list[str]]:
    """The pairs of two files, or of two folders with their subfolders; and a message for each file without a partner.

    Files of two folders are partners if their relative paths are the same, or the same except for the suffix and no
    other file has this name.

    Raises:
        UserError: a path does not exist, one is a file and the other a folder, or nothing can be paired.
    """
    for path in (restored, truth):
        if not path.exists():
            raise UserError(f"there is no {printable(path)}")
    if restored.is_dir() != truth.is_dir():
        folder, file = (restored, truth) if restored.is_dir() else (truth, restored)
        raise UserError(f"{printable(folder)} is a folder and {printable(file)} a file; give two files, or two folders")
    if not restored.is_dir():
        return [Pair(restored.name, restored, truth)], []
    left, right = _photographs(restored), _photographs(truth)
    pairs = [Pair(str(name), left.pop(name), right.pop(name)) for name in sorted(left.keys() & right.keys())]
    by_stem = [_by_stem(names) for names in (left, right)]
    for stem in sorted(by_stem[0].keys() & by_stem[1].keys()):
        first, second = by_stem[0][stem], by_stem[1][stem]
        if len(first) == len(second) == 1:
            pairs.append(Pair(str(first[0]), left.pop(first[0]), right.pop(second[0])))
    if not pairs:
        raise UserError(
            f"no file of {printable(restored)} has the name of a file of {printable(truth)}; "
            "partners have the same name, up to their suffix"
        )
    alone = [f"{printable(restored / name)} has no partner in {printable(truth)}" for name in sorted(left)]
    alone += [f"{printable(truth / name)} has no partner in {printable(restored)}" for name in sorted(right)]
    return sorted(pairs, key=lambda pair: pair.name), alone


@dataclass(frozen=True)
class Mean:
    """The mean of the finite values of a metric; `left_out`: number of infinite or NaN values."""

    value: float
    left_out: int


def means(rows: Iterable[Mapping[str, float]]) -> dict[str, Mean]:
    """Means by metric of values by metric."""
    values = defaultdict(list)
    for row in rows:
        for metric, value in row.items():
            values[metric].append(value)
    result = {}
    for metric, numbers in values.items():
        finite = [number for number in numbers if isfinite(number)]
        result[metric] = Mean(sum(finite) / len(finite) if finite else nan, len(numbers) - len(finite))
    return result


def _photographs(folder: Path) -> dict[Path, Path]:
    """Files by their path below the folder."""
    files = {file.relative_to(folder): file for file in files_below(folder) if file.suffix.lower() in SUFFIXES}
    if not files:
        raise UserError(f"{printable(folder)} has no {', '.join(sorted(SUFFIXES))} files")
    return files


def _by_stem(names: Iterable[Path]) -> dict[Path, list[Path]]:
    groups = defaultdict(list)
    for name in names:
        groups[name.with_suffix("")].append(name)
    return groups


def _image(path: Path) -> Tensor:
    try:
        return torch.from_numpy(decode(path)).permute(2, 0, 1)
    except BadPhoto as error:
        raise UserError(f"{printable(path)} cannot be read as a photograph: {error}") from error
