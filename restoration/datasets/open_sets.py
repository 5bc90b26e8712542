"""Photographs that anyone may download: BSDS500 to train and test with, the 24 of Kodak to test with."""

import csv
import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from restoration.datasets import PhotoSet
from restoration.datasets.decode import BadPhoto, decode
from restoration.datasets.download import GZIP, PNG, DownloadFailed, Downloads
from restoration.datasets.folder import held_out
from restoration.datasets.manifest import Manifest
from restoration.errors import UserError
from restoration.files import alone_in, replacing

BSDS500_PHOTOGRAPHS = {"train": 200, "val": 100, "test": 200}
LARGEST_ARCHIVE, LARGEST_MEMBER = 2**30, 2**24  # bytes; what holds more is none of ours
MEMBER = re.compile(r"(?:\./)?BSR/BSDS500/data/images/(train|val|test)/(\w+\.jpg)")


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
    """The 300 photographs that BSDS500 calls train and val, 8 of them held out to validate with; and test sets.

    Args:
        name: stands in run folders and tables.
        tests: "bsds500", its 200 test photographs; "kodak24"; or both, scored and reported apart.
        bsds500, kodak24: folders; photographs are kept below them.
        bsds500_url, kodak24_url: the archive, and the folder of kodim01.png to kodim24.png.

    Raises:
        UserError: photographs could not be had, or are not those of the set.
    """
    if not tests or set(tests) - {"bsds500", "kodak24"}:
        raise UserError(f"data.tests is a list of bsds500 and kodak24, got {list(tests)}")
    berkeley = _bsds500(Path(bsds500), downloads, bsds500_url)
    train, val = held_out((*berkeley["train"], *berkeley["val"]), 8, name)
    sets = {"bsds500": berkeley["test"]}
    if "kodak24" in tests:
        sets["kodak24"] = _kodak24(Path(kodak24), downloads, kodak24_url)
    return PhotoSet(name, train, val, {test: sets[test] for test in tests})


def _bsds500(folder: Path, downloads: Downloads, url: str) -> dict[str, tuple[Path, ...]]:
    """The photographs of each of BSDS500's own roles."""
    archive = folder / "originals" / "BSR_bsds500.tgz"

    def make(_: str) -> None:
        manifest = Manifest(folder / "seen.csv")
        if not archive.exists() or manifest.objection(archive, archive):
            downloads.fetch(url, archive, begins=GZIP, objection=lambda part: manifest.objection(archive, part))
        try:
            _unpack(archive, folder / "photographs")
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            archive.unlink()
            raise DownloadFailed(f"{url}: not the archive of BSDS500 ({error})") from error
        manifest.record(archive)

    photographs = _unpacked(folder / "photographs")
    if _counts(photographs) != BSDS500_PHOTOGRAPHS:
        with alone_in(folder):
            downloads.each(make, [archive.name], title="archives of BSDS500")
        photographs = _unpacked(folder / "photographs")
    if _counts(photographs) != BSDS500_PHOTOGRAPHS:
        raise UserError(
            f"{folder}/photographs holds {_counts(photographs)} photographs, BSDS500 has {BSDS500_PHOTOGRAPHS}; "
            "take away what is none of its files"
        )
    return photographs


def _unpacked(folder: Path) -> dict[str, tuple[Path, ...]]:
    return {role: tuple(sorted((folder / role).glob("[!.]*.jpg"))) for role in BSDS500_PHOTOGRAPHS}


def _counts(photographs: dict[str, tuple[Path, ...]]) -> dict[str, int]:
    return {role: len(paths) for role, paths in photographs.items()}


class _Unpacked(gzip.GzipFile):
    """What a gzip file holds, as long as nobody wants too much of it at once, such as a name of a gigabyte."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= LARGEST_MEMBER:
            raise tarfile.TarError(f"it holds a piece of {size} bytes")
        return super().read(size)


def _unpack(archive: Path, folder: Path) -> None:
    """Takes the photographs out of the archive and nothing else, to places that it has no say in.

    Raises:
        TarError: it is too large, or does not hold the photographs of BSDS500.
    """
    found = dict.fromkeys(BSDS500_PHOTOGRAPHS, 0)
    with _Unpacked(archive) as unpacked, tarfile.open(fileobj=unpacked, mode="r:") as files:
        for member in files:
            if member.offset_data + member.size > LARGEST_ARCHIVE:
                raise tarfile.TarError(f"it unpacks to more than {LARGEST_ARCHIVE / 1e9:.0f} GB")
            match = MEMBER.fullmatch(member.name)
            content = files.extractfile(member) if match and member.isreg() else None
            if match and content:
                with replacing(folder / match[1] / match[2]) as temporary:
                    temporary.write_bytes(content.read(LARGEST_MEMBER))
                found[match[1]] += 1
    if found != BSDS500_PHOTOGRAPHS:
        raise tarfile.TarError(f"it holds {found} photographs instead of {BSDS500_PHOTOGRAPHS}")


def _kodak24(folder: Path, downloads: Downloads, url: str) -> tuple[Path, ...]:
    """Kodak's photographs, each recognised by its pixels."""
    with open(folder / "pixels.csv", newline="") as file:
        pixels = {folder / "photographs" / row["file"]: row["sha256"] for row in csv.DictReader(file)}

    def objection(path: Path, content: Path) -> str:
        try:
            known = hashlib.sha256(decode(content).data).hexdigest() == pixels[path]
        except BadPhoto as error:
            return str(error)
        return "" if known else "shows other pixels than Kodak's photograph"

    def make(path: Path) -> None:
        downloads.fetch(f"{url}/{path.name}", path, begins=PNG, objection=lambda part: objection(path, part))

    if missing := [path for path in pixels if not path.exists() or objection(path, path)]:
        with alone_in(folder):
            downloads.each(make, missing, title="photographs of Kodak")
    return tuple(pixels)
