"""Open photographs: samples of scikit-image and matplotlib, BSDS500 for training and test, Kodak's 24 for test."""

import csv
import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from restoration.datasets.decode import BadPhoto, decode
from restoration.datasets.download import DownloadFailed, Downloads
from restoration.datasets.folder import held_out
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError
from restoration.files import alone_in, replacing

BSDS500_PHOTOGRAPHS = {"train": 200, "val": 100, "test": 200}
LARGEST_MEMBER = 2**24  # bytes; BSDS500's photographs are smaller
MEMBER = re.compile(r"(?:\./)?BSR/BSDS500/data/images/(train|val|test)/(\w+\.jpg)")


def sample(manifest: Path) -> PhotoSet:
    """Colour photographs that scikit-image and matplotlib ship in their wheels; nothing is downloaded.

    Args:
        manifest: CSV with the columns file (below the folder of installed packages), split (train, val or test) and
            sha256.

    Raises:
        UserError: an installed package lacks one of the files or has another version of it.
    """
    splits: dict[str, list[Path]] = {"train": [], "val": [], "test": []}
    with open(manifest, newline="") as file:
        for row in csv.DictReader(file):
            package, _, name = row["file"].partition("/")
            path = Path(str(files(package))) / name
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
                raise UserError(
                    f"{path} is missing or differs from {manifest}; install the version of {package} in constraints.txt"
                )
            splits[row["split"]].append(path)
    return PhotoSet("sample", tuple(splits["train"]), tuple(splits["val"]), {"sample": tuple(splits["test"])})


def open_set(
    name: str,
    tests: Sequence[str],
    *,
    bsds500: str,
    kodak24: str,
    downloads: Downloads,
    bsds500_url: str,
    kodak24_url: str,
) -> PhotoSet:
    """Trains on BSDS500's folders train and val, 300 photographs, of which 8 are held out for validation.

    Args:
        name: the data set's name in paths of runs and in tables.
        tests: "bsds500", its 200 test photographs; "kodak24"; or both, scored and reported apart.
        bsds500, kodak24: folders in which photographs are kept.
        bsds500_url: address of the archive.
        kodak24_url: address of the folder with kodim01.png to kodim24.png.

    Raises:
        UserError: photographs could not be downloaded or are not those of the set.
    """
    if not tests or set(tests) - {"bsds500", "kodak24"}:
        raise UserError(f"data.tests is a list of bsds500 and kodak24, got {list(tests)}")
    berkeley = _bsds500(Path(bsds500), downloads, bsds500_url)
    train, val = held_out((*berkeley["train"], *berkeley["val"]), 8, name)
    sets = {"bsds500": berkeley["test"]}
    if "kodak24" in tests:
        sets["kodak24"] = _kodak24(Path(kodak24), downloads, kodak24_url)
    return PhotoSet(name, train, val, {test: sets[test] for test in tests}, published=True)


def _bsds500(folder: Path, downloads: Downloads, url: str) -> dict[str, tuple[Path, ...]]:
    """The photographs of each of BSDS500's roles."""
    archive = folder / "originals" / "BSR_bsds500.tgz"

    def make(_: str) -> None:
        if not archive.exists():
            downloads.fetch(url, archive)
        try:
            _unpack(archive, folder / "photographs")
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            archive.unlink()
            raise DownloadFailed(f"{url}: not the archive of BSDS500 ({error})") from error

    photographs = _unpacked(folder / "photographs")
    if _counts(photographs) != BSDS500_PHOTOGRAPHS:
        with alone_in(folder):
            downloads.each(make, [archive.name], title="archives of BSDS500")
        photographs = _unpacked(folder / "photographs")
    if _counts(photographs) != BSDS500_PHOTOGRAPHS:
        raise UserError(
            f"{folder}/photographs holds {_counts(photographs)} photographs, BSDS500 has {BSDS500_PHOTOGRAPHS}; "
            "remove all other files"
        )
    return photographs


def _unpacked(folder: Path) -> dict[str, tuple[Path, ...]]:
    return {role: tuple(sorted((folder / role).glob("[!.]*.jpg"))) for role in BSDS500_PHOTOGRAPHS}


def _counts(photographs: dict[str, tuple[Path, ...]]) -> dict[str, int]:
    return {role: len(paths) for role, paths in photographs.items()}


def _unpack(archive: Path, folder: Path) -> None:
    """Writes the photographs of the archive to `folder`/role/name; other files of the archive are ignored.

    Raises:
        TarError: the archive lacks photographs of BSDS500.
    """
    counts = dict.fromkeys(BSDS500_PHOTOGRAPHS, 0)
    with tarfile.open(archive, mode="r:gz") as members:
        for member in members:
            match = MEMBER.fullmatch(member.name)
            data = members.extractfile(member) if match and member.isreg() and member.size < LARGEST_MEMBER else None
            if match and data:
                with replacing(folder / match[1] / match[2]) as temporary:
                    temporary.write_bytes(data.read())
                counts[match[1]] += 1
    if counts != BSDS500_PHOTOGRAPHS:
        raise tarfile.TarError(f"{counts} photographs instead of {BSDS500_PHOTOGRAPHS}")


def _kodak24(folder: Path, downloads: Downloads, url: str) -> tuple[Path, ...]:
    """Kodak's photographs; each file is checked by the hash of its pixels."""
    with open(folder / "pixels.csv", newline="") as file:
        pixels = {folder / "photographs" / row["file"]: row["sha256"] for row in csv.DictReader(file)}

    def is_known(path: Path) -> bool:
        try:
            return hashlib.sha256(decode(path).data).hexdigest() == pixels[path]
        except BadPhoto:
            return False

    def make(path: Path) -> None:
        downloads.fetch(f"{url}/{path.name}", path)
        if not is_known(path):
            path.unlink()
            raise DownloadFailed(f"{url}/{path.name}: not Kodak's photograph, or damaged")

    if missing := [path for path in pixels if not is_known(path)]:
        with alone_in(folder):
            downloads.each(make, missing, title="photographs of Kodak")
    return tuple(pixels)
