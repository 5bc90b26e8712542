"""MIT-Adobe FiveK: 5000 photographs, raw and as rendered by five retouchers (Bychkovsky et al., CVPR 2011).

The paper trains on 700 of them and tests on 40, but does not name them. Here all 5000 are ordered by the sha256 of
their names, and the first of this order are used: data/fivek/{test,val,train}.txt.
"""

import csv
import hashlib
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from restoration.datasets.decode import BadPhoto
from restoration.datasets.develop import Reduction, TooSmall, raw_library, read_dng, read_tiff
from restoration.datasets.download import Downloads
from restoration.datasets.folder import files_below
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError
from restoration.files import alone_in, replacing

EXPERT = re.compile(r"(?:tiff16|expert)_?([a-e])", re.IGNORECASE)  # matches the name of a retoucher's folder
CORES = threading.Semaphore(os.cpu_count() or 1)  # limits the photographs that are developed at a time


def fivek(
    folder: str,
    *,
    downloads: Downloads,
    reduction: Reduction,
    rendering: str = "expert_c",
    n: int = 700,
    n_val: int = 8,
    n_test: int = 40,
    url: str,
    root: str | None = None,
    keep_originals: bool = True,
) -> PhotoSet:
    """FiveK at 999 x 666 pixels: downloads and develops photographs into PNG files in `folder`/photographs.

    Args:
        folder: contains index.csv and the lists train.txt, val.txt and test.txt; all other files are written there.
        rendering: "expert_a" to "expert_e", the retouchers' TIFFs; or "raw", the camera's DNGs.
        n, n_val, n_test: numbers of photographs for training, validation and test. A smaller set is the beginning of a
            larger one; a photograph that would have to be enlarged is replaced by the next one.
        url: the server's folder that holds tiff16_a to tiff16_e and dng.
        root: a folder with FiveK's files, which are used instead of downloads.
        keep_originals: keep the downloads, 45 GB; or delete each one when its PNG is written.

    Raises:
        UserError: photographs could not be downloaded or read: the message names all of them, all others are ready. Or
            too few photographs are large enough.
    """
    if not re.fullmatch("raw|expert_[a-e]", rendering):
        raise UserError(f"data.rendering must be raw or expert_a to expert_e, got {rendering}")
    if rendering == "raw":
        raw_library()  # raises before anything is downloaded
    home, source = Path(folder), None if root is None else Path(os.path.expanduser(root))
    if source and not source.is_dir():
        raise UserError(f"data.root: {source} is not a folder")
    orders = photograph_orders(home)
    preparation = _Preparation(
        home=home,
        downloads=downloads,
        reduction=reduction,
        rendering=rendering,
        root=source,
        url=url,
        keep_originals=keep_originals,
    )
    counts = {"train": n, "val": n_val, "test": n_test}
    while preparation.missing(chosen := preparation.chosen(orders, counts)):
        with alone_in(home):
            if missing := preparation.missing(chosen):  # another process may have written them just now
                preparation.make(missing)
    train, val, test = ([preparation.target(name) for name in chosen[role]] for role in counts)
    name = "fivek" if rendering == "expert_c" else f"fivek-{rendering}"
    return PhotoSet(name, tuple(train), tuple(val), {name: tuple(test)}, published=True)


def split_order(names: Iterable[str]) -> list[str]:
    """The order of all photographs: the first 40 are for test, the next 8 for validation, the next 700 for training."""
    return sorted(names, key=lambda name: hashlib.sha256(f"fivek split: {name}".encode()).digest())


def photograph_orders(folder: Path) -> dict[str, list[str]]:
    """The names for each role: first its list, then further names for replacements and larger sets.

    Raises:
        UserError: a list has a name that is not in the index.
    """
    with open(folder / "index.csv", newline="") as file:
        index = [row["name"] for row in csv.DictReader(file)]
    lists = {role: (folder / f"{role}.txt").read_text().splitlines() for role in ("train", "val", "test")}
    for role, names in lists.items():
        if unknown := sorted(set(names) - set(index)):
            raise UserError(f"{folder / role}.txt names {unknown[0]!r}, but FiveK has no photograph of this name")
    listed = set().union(*lists.values())
    spare = [name for name in split_order(index) if name not in listed]
    return {
        "train": lists["train"] + spare[:-100],
        "val": lists["val"] + spare[-100:-50],
        "test": lists["test"] + spare[-50:],
    }


@dataclass(frozen=True, kw_only=True)
class _Preparation:
    """Writes the PNG files of one rendering and reduction. All state is on the disk."""

    home: Path
    downloads: Downloads
    reduction: Reduction
    rendering: str
    root: Path | None
    url: str
    keep_originals: bool

    @property
    def raw(self) -> bool:
        return self.rendering == "raw"

    @property
    def originals(self) -> Path:
        """The folder of the downloads, named as on the server."""
        return self.home / "originals" / ("dng" if self.raw else f"tiff16_{self.rendering[-1]}")

    @cached_property
    def photographs(self) -> Path:
        """The folder of the PNG files."""
        recipe = f"{self.rendering}-{self.reduction}"
        if self.root is not None:  # a user's files may differ from the server's
            recipe += f"-{hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:8]}"
        return self.home / "photographs" / recipe

    def target(self, name: str) -> Path:
        return self.photographs / f"{name}.png"

    def chosen(self, orders: dict[str, list[str]], counts: dict[str, int]) -> dict[str, list[str]]:
        """The first names of each role, without photographs known to be too small."""
        chosen = {}
        for role, count in counts.items():
            large = [name for name in orders[role] if not self._too_small(name).exists()]
            if not 0 < count <= len(large):
                raise UserError(f"FiveK has 1 to {len(large)} photographs for {role}, {count} are asked for")
            chosen[role] = large[:count]
        return chosen

    def missing(self, chosen: dict[str, list[str]]) -> list[str]:
        names = [name for role in chosen.values() for name in role]
        return [name for name in names if not self.target(name).exists() and not self._too_small(name).exists()]

    def make(self, names: list[str]) -> None:
        """Writes PNG files; a photograph that is too small gets a marker file instead."""
        self.photographs.mkdir(parents=True, exist_ok=True)
        files = {} if self.root is None else self._files_below(self.root)

        def work(name: str) -> None:
            if self.root is None:
                self._fetch_and_develop(name)
            else:
                self._develop(name, _only(files.get(name, [])))

        if self.root is None:
            print(self._announcement(len(names)), flush=True)
        self.downloads.each(work, names, title="photographs of FiveK")

    def _fetch_and_develop(self, name: str) -> None:
        original = self.originals / f"{name}{'.dng' if self.raw else '.tif'}"
        if not original.exists():
            self.downloads.fetch(f"{self.url}/{original.parent.name}/{quote(original.name)}", original)
        try:
            self._develop(name, original)
        except BadPhoto:
            original.unlink()  # the next attempt may bring another file
            raise
        if not self.keep_originals:
            original.unlink()

    def _develop(self, name: str, original: Path) -> None:
        try:
            with CORES, replacing(self.target(name)) as temporary:
                pixels = self.reduction((read_dng if self.raw else read_tiff)(original))
                Image.fromarray(pixels).save(temporary, "PNG", compress_level=4)
        except TooSmall:
            self._too_small(name).touch()

    def _files_below(self, root: Path) -> dict[str, list[Path]]:
        """The user's files of this rendering by photograph, in any layout of folders."""
        suffixes = (".dng",) if self.raw else (".tif", ".tiff")
        files: dict[str, list[Path]] = defaultdict(list)
        for path in files_below(root):
            folders = (root.name, *path.parent.relative_to(root).parts)
            others = [match for folder in folders if (match := EXPERT.fullmatch(folder)) and not self._is_of(match[1])]
            if path.suffix.lower() in suffixes and not others:
                files[path.stem].append(path)
        return files

    def _is_of(self, expert: str) -> bool:
        return self.rendering == f"expert_{expert.lower()}"

    def _announcement(self, count: int) -> str:
        size = count * (0.012 if self.raw else 0.06)
        fate = "kept" if self.keep_originals else "each deleted when developed"
        return (
            f"FiveK: {count} photographs to fetch from {self.url}, about {size:.2g} GB, {fate} (data.keep_originals).\n"
            "They are for research only, under LicenseAdobe or LicenseAdobeMIT: see data/fivek/README.md"
        )

    def _too_small(self, name: str) -> Path:
        return self.photographs / f"{name}.too_small"


def _only(paths: list[Path]) -> Path:
    if not paths:
        raise BadPhoto("not in data.root")
    if len(paths) > 1:
        raise BadPhoto(
            f"several files of this name, {paths[0]} and {paths[1]}: point data.root at one of their folders"
        )
    return paths[0]
