"""BSDS500 and Kodak from a server, and malicious archives."""

import csv
import functools
import gzip
import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restoration.datasets.decode import decode
from restoration.datasets.download import Downloads
from restoration.datasets.open_sets import open_set
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError
from tests.server import Server

ROOT = Path(__file__).parents[2]
KODAK = ROOT / ".." / "shared" / "photos" / "kodak24"
ROLES = {"train": 200, "val": 100, "test": 200}


@functools.cache
def jpeg(number: int) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(np.full((50, 60, 3), number % 256, np.uint8)).save(encoded, "JPEG")
    return encoded.getvalue()


@functools.cache
def archive(*extra: tarfile.TarInfo, roles: tuple[int, ...] = (200, 100, 200)) -> bytes:
    """BSDS500's layout with small pictures in each role, after `extra` members."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as files:
        for member in extra:
            files.addfile(member)
        for role, count in zip(ROLES, roles, strict=False):
            for number in range(count):
                member = tarfile.TarInfo(f"BSR/BSDS500/data/images/{role}/{number:06}.jpg")
                picture = jpeg(number)
                member.size = len(picture)
                files.addfile(member, io.BytesIO(picture))
            files.addfile(tarfile.TarInfo(f"BSR/BSDS500/data/images/{role}/Thumbs.db"))
    return packed.getvalue()


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The folders of both sets."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # 500 of them take five seconds
    (tmp_path / "kodak24").mkdir()
    shutil.copy(ROOT / "data" / "kodak24" / "pixels.csv", tmp_path / "kodak24")
    return {"bsds500": str(tmp_path / "bsds500"), "kodak24": str(tmp_path / "kodak24")}


def load(server: Server, folders: dict[str, str], *tests: str) -> PhotoSet:
    return open_set(
        "open",
        tests or ("bsds500",),
        **folders,
        downloads=Downloads(pause=0.01, timeout=5, attempts=2),
        bsds500_url=f"{server.url}/BSR_bsds500.tgz",
        kodak24_url=f"{server.url}/kodak",
    )


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_bsds500(server, folders):
    """The archive is fetched once, also if a photograph is lost or the folder has another file."""
    server.files["/BSR_bsds500.tgz"] = archive()
    photos = load(server, folders)
    assert (photos.name, len(photos.train), len(photos.val)) == ("open", 292, 8)
    assert len(photos.test["bsds500"]) == 200
    trained = {path.parent.name for path in (*photos.train, *photos.val)}
    assert (trained, {path.parent.name for path in photos.test["bsds500"]}) == ({"train", "val"}, {"test"})
    assert photos.test["bsds500"][7].read_bytes() == jpeg(7)
    photos.train[0].unlink()
    assert load(server, folders) == photos
    shutil.copy(photos.train[0], photos.train[0].with_name("copy.jpg"))
    with pytest.raises(UserError, match=r"photographs holds .*201.*remove all other files"):
        load(server, folders)
    assert server.requests["/BSR_bsds500.tgz"] == 1


@pytest.mark.parametrize("bad", ["cut", "other", "text", "incomplete"])
def test_other_archives(server, folders, bad):
    whole = archive()
    server.files["/BSR_bsds500.tgz"] = {
        "cut": whole[: len(whole) // 2],
        "other": archive(roles=()),
        "text": b"\x1f\x8b these are no files",
        "incomplete": archive(roles=(200, 100, 199)),
    }[bad]
    with pytest.raises(UserError, match="not the archive of BSDS500"):
        load(server, folders)
    server.files["/BSR_bsds500.tgz"] = whole
    assert len(load(server, folders).train) == 292


def evil_members() -> list[tarfile.TarInfo]:
    """Members whose names would put files, links and devices outside the folder."""
    members = [
        tarfile.TarInfo(name)
        for name in (
            "../../../escaped.jpg",
            "/tmp/escaped.jpg",
            "BSR/BSDS500/data/images/train/../../../../../escaped.jpg",
            "BSR/BSDS500/data/images/train/.hidden.jpg",
        )
    ]
    for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.CHRTYPE, "")):
        member = tarfile.TarInfo(f"BSR/BSDS500/data/images/train/link{int(kind)}.jpg")
        member.type, member.linkname = kind, target
        members.append(member)
    folder_link = tarfile.TarInfo("BSR/BSDS500/data/images/train")
    folder_link.type, folder_link.linkname = tarfile.SYMTYPE, "../../../../../.."
    return [*members, folder_link]


def test_archives_cannot_write_elsewhere(server, folders, tmp_path):
    server.files["/BSR_bsds500.tgz"] = archive(*evil_members())
    load(server, folders)
    written = everything(tmp_path)
    assert not any("escaped" in name or "link" in name or "hidden" in name for name in written)
    assert not (tmp_path.parent / "escaped.jpg").exists()
    assert not Path("/tmp/escaped.jpg").exists()
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    assert {name for name in written if name.startswith("bsds500/photographs/")} == {
        f"bsds500/photographs/{role}/{number:06}.jpg" for role, count in ROLES.items() for number in range(count)
    }


def test_huge_members(server, folders, tmp_path):
    huge = tarfile.TarInfo("BSR/BSDS500/data/images/train/huge.jpg")
    huge.size = 2**31  # the claimed size
    server.files["/BSR_bsds500.tgz"] = gzip.compress(huge.tobuf() + bytes(2**20))
    with pytest.raises(UserError, match="not the archive of BSDS500"):
        load(server, folders)
    assert not list((tmp_path / "bsds500").rglob("*.jpg"))


def test_unknown_test_sets(server, folders):
    with pytest.raises(UserError, match="list of bsds500 and kodak24, got"):
        load(server, folders, "set5")


@pytest.fixture
def kodak(server: Server, folders: dict[str, str]) -> Server:
    """A server with BSDS500 and 24 small pictures under Kodak's names, whose pixels are in the list."""
    server.files["/BSR_bsds500.tgz"] = archive()
    rows = ["file,width,height,sha256"]
    for number in range(1, 25):
        pixels = np.random.default_rng(number).integers(0, 256, (50, 60, 3), dtype=np.uint8)
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "PNG")
        server.files[f"/kodak/kodim{number:02}.png"] = encoded.getvalue()
        rows.append(f"kodim{number:02}.png,60,50,{hashlib.sha256(pixels.data).hexdigest()}")
    (Path(folders["kodak24"]) / "pixels.csv").write_text("\n".join(rows) + "\n")
    return server


@pytest.mark.skipif(not KODAK.exists(), reason="needs the Kodak photographs of ../shared/photos")
def test_committed_pixels_of_kodak():
    with open(ROOT / "data" / "kodak24" / "pixels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"kodim{number:02}.png" for number in range(1, 25)]
    for row in rows:
        pixels = decode(KODAK / row["file"].replace(".png", ".webp"))
        assert hashlib.sha256(pixels.data).hexdigest() == row["sha256"]
        assert pixels.shape == (int(row["height"]), int(row["width"]), 3)


def test_kodak(kodak, folders):
    """Files with other pixels are replaced, or refused if the server has no right file."""
    folder = Path(folders["kodak24"]) / "photographs"
    folder.mkdir()
    (folder / "kodim01.png").write_text("these are not pixels")
    kodak.files["/kodak/kodim04.png"], fourth = kodak.files["/kodak/kodim05.png"], kodak.files["/kodak/kodim04.png"]
    with pytest.raises(UserError, match=r"1 of 24 .*\n.*kodim04\.png: not Kodak's photograph"):
        load(kodak, folders, "bsds500", "kodak24")
    assert len(list(folder.glob("*.png"))) == 23
    kodak.files["/kodak/kodim04.png"] = fourth
    photos = load(kodak, folders, "kodak24")
    assert set(photos.test) == {"kodak24"}
    assert [path.name for path in photos.test["kodak24"]] == [f"kodim{number:02}.png" for number in range(1, 25)]
    assert (folder / "kodim01.png").read_bytes() == kodak.files["/kodak/kodim01.png"]
    assert kodak.requests["/kodak/kodim01.png"] == 1
