"""MIT-Adobe FiveK: 5000 photographs, raw and as rendered by five retouchers (Bychkovsky et al., CVPR 2011).

The paper trains on 700 of them and tests on 40, but does not say which. Here all 5000 are ordered by the sha256 of
their names, and the first ones are taken: data/fivek/{test,val,train}.txt.
"""

import csv
import hashlib
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from restoration.datasets.decode import BadPhoto
from restoration.datasets.develop import Reduction, TooSmall, raw_library, read_dng, read_tiff
from restoration.datasets.download import TIFF, Downloads
from restoration.datasets.folder import existing_folder, files_below
from restoration.datasets.photos import PhotoSet
from restoration.datasets.seen import SeenFiles
from restoration.errors import UserError
from restoration.files import alone_in, replacing

EXPERT = re.compile(r"(?:tiff16|expert)_?([a-e])", re.IGNORECASE)  # matches the name of a retoucher's folder
CORES = threading.Semaphore(os.cpu_count() or 1)  # limits the photographs that are developed at a time
MEGABYTES = {".tif": 60, ".dng": 12}  # approximate size of an original


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
    """FiveK at 999 x 666, downloaded, developed and kept as PNG files in `folder`/photographs.

    Args:
        folder: contains index.csv and the lists train.txt, val.txt and test.txt; all other files are written there.
        rendering: "expert_a" to "expert_e", the retouchers' TIFFs; or "raw", the camera's DNGs.
        n, n_val, n_test: numbers of photographs for training, validation and test. A smaller set is the beginning of a
            larger one; a photograph that would have to be enlarged is replaced by the next one.
        url: the server's folder that holds tiff16_a to tiff16_e and dng.
        root: a folder with FiveK's files, which are used instead of downloads.
        keep_originals: keep the downloads, 45 GB; or delete each one when its PNG is written.

    Raises:
        UserError: photographs could not be downloaded or read (the message names all of them, the others are done),
            or too few photographs are large enough.
    """
    home = Path(folder)
    orders = photograph_orders(home)
    preparation = _Preparation(
        home=home,
        downloads=downloads,
        reduction=reduction,
        source=_Source(rendering),
        root=None if root is None else existing_folder(root, "data.root"),
        url=url,
        keep_originals=keep_originals,
    )
    counts = {"train": n, "val": n_val, "test": n_test}
    while missing := preparation.missing(chosen := preparation.chosen(orders, counts)):
        with alone_in(home):
            preparation.make(missing)
    preparation.drop_originals(chosen)
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


class _Source:
    """The files of one rendering, and how to read them."""

    def __init__(self, rendering: str):
        if not re.fullmatch("raw|expert_[a-e]", rendering):
            raise ValueError(f"rendering is raw or expert_a to expert_e, got {rendering}")
        self.rendering = rendering
        self.expert = rendering[-1]
        raw = rendering == "raw"
        self.folder = "dng" if raw else f"tiff16_{self.expert}"
        self.suffixes = (".dng",) if raw else (".tif", ".tiff")
        self.read = read_dng if raw else read_tiff
        if raw:
            raw_library()  # raises before anything is downloaded

    def files_below(self, root: Path) -> dict[str, list[Path]]:
        """The files of this rendering by photograph, in any layout of folders."""
        files: dict[str, list[Path]] = defaultdict(list)
        for path in files_below(root):
            folders = (root.name, *path.parent.relative_to(root).parts)
            experts = {match[1].lower() for folder in folders if (match := EXPERT.fullmatch(folder))}
            if path.suffix.lower() in self.suffixes and experts <= {self.expert}:
                files[path.stem].append(path)
        return files


@dataclass(frozen=True, kw_only=True)
class _Preparation:
    """Makes the PNG files of one rendering and reduction. All state is on the disk."""

    home: Path
    downloads: Downloads
    reduction: Reduction
    source: _Source
    root: Path | None
    url: str
    keep_originals: bool

    @cached_property
    def photographs(self) -> Path:
        """The folder of the PNG files."""
        recipe = f"{self.source.rendering}-{self.reduction}"
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
        return [name for names in chosen.values() for name in names if not self.target(name).exists()]

    def make(self, names: list[str]) -> None:
        """Makes photographs, one process at a time; a photograph that is too small gets a marker file instead."""
        self.photographs.mkdir(parents=True, exist_ok=True)
        names = [name for name in names if not self.target(name).exists() and not self._too_small(name).exists()]
        if not names:  # another process made them
            return
        if self.root is None:
            print(self._announcement(len(names)), flush=True)
            work = partial(self._fetch_and_develop, seen=SeenFiles(self.home / "seen.csv"))
        else:
            work = partial(self._develop_own, files=self.source.files_below(self.root))
        self.downloads.each(work, names, title="photographs of FiveK")

    def _fetch_and_develop(self, name: str, seen: SeenFiles) -> None:
        original = self._original(name)
        if not original.exists() or seen.objection(original, original):
            url = f"{self.url}/{self.source.folder}/{quote(original.name)}"
            self.downloads.fetch(url, original, begins=TIFF, objection=partial(seen.objection, original))
        try:
            self._develop(name, original, seen)
        except BadPhoto:
            if original not in seen:
                original.unlink()  # complete, but damaged: the next attempt may bring another file
            raise
        if not self.keep_originals:
            original.unlink()

    def _develop_own(self, name: str, files: dict[str, list[Path]]) -> None:
        self._develop(name, _only(files.get(name, [])))

    def _develop(self, name: str, original: Path, seen: SeenFiles | None = None) -> None:
        """Makes the PNG file. A readable original is added to `seen` before the PNG is in place."""
        try:
            with CORES, replacing(self.target(name)) as temporary:
                pixels = self.source.read(original)
                if seen is not None:
                    seen.add(original)
                Image.fromarray(self.reduction(pixels)).save(temporary, "PNG", compress_level=4)
        except TooSmall:
            self._too_small(name).touch()

    def drop_originals(self, chosen: dict[str, list[str]]) -> None:
        """Deletes the downloaded originals of finished photographs, unless they are to be kept."""
        if not self.keep_originals and self.root is None:
            for name in chain.from_iterable(chosen.values()):
                self._original(name).unlink(missing_ok=True)

    def _announcement(self, count: int) -> str:
        megabytes = count * MEGABYTES[self.source.suffixes[0]]
        originals = f"{megabytes / 1000:.0f} GB" if megabytes > 9999 else f"{megabytes} MB"
        fate = "kept" if self.keep_originals else "each deleted when developed"
        return (
            f"FiveK: photographs to fetch from {self.url}: {count}, about {originals}, {fate} (data.keep_originals).\n"
            "They are for research only, under LicenseAdobe or LicenseAdobeMIT: see data/fivek/README.md"
        )

    def _original(self, name: str) -> Path:
        return self.home / "originals" / self.source.folder / f"{name}{self.source.suffixes[0]}"

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
