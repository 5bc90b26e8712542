"""FiveK from a server with its layout: each photograph once, in the study's order."""

import csv
import functools
import io
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from restoration.datasets.develop import Reduction
from restoration.datasets.download import Downloads
from restoration.datasets.fivek import fivek, photograph_orders, split_order
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError
from tests.photographs import full_disk, prophoto, write_tiff
from tests.server import Fault, Server

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "data" / "fivek"
RAW = ROOT / ".." / "shared" / "raw"
COUNTS = {"n": 2, "n_val": 1, "n_test": 1}


def lines(role: str) -> list[str]:
    return (LISTS / f"{role}.txt").read_text().splitlines()


FEW = [*lines("train")[:2], *lines("val")[:1], *lines("test")[:1]]  # what COUNTS ask for


def index() -> list[dict[str, str]]:
    with open(LISTS / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with FiveK's index and lists only."""
    (tmp_path / "fivek").mkdir()
    for path in (LISTS / "index.csv", *LISTS.glob("*.txt")):
        shutil.copy(path, tmp_path / "fivek")
    return tmp_path / "fivek"


@pytest.fixture(autouse=True)
def tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs of 99 x 66 pixels, which save time."""
    monkeypatch.setattr("restoration.datasets.develop.LONG", 99)
    monkeypatch.setattr("restoration.datasets.develop.SHORT", 66)


def photograph(number: int, height: int = 68, width: int = 102) -> np.ndarray:
    """(height, width, 3) uint8, each number another picture."""
    image = Image.fromarray(np.roll(skimage.data.astronaut(), 37 * number, axis=1))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


@functools.cache
def original(number: int, height: int = 68, width: int = 102) -> bytes:
    """The TIFF file of a photograph."""
    file = io.BytesIO()
    write_tiff(file, prophoto(photograph(number, height, width) / 255), compression="deflate")
    return file.getvalue()


def serve(server: Server, names: list[str], folder: str = "tiff16_c", **sizes: tuple[int, int]) -> None:
    """Puts a TIFF of every name on the server, of 102 x 68 pixels or of the (height, width) in `sizes`."""
    for number, name in enumerate(names):
        server.files[f"/{folder}/{name}.tif"] = original(number, *sizes.get(name, ()))


@pytest.fixture
def few(server: Server) -> Server:
    """The server with the photographs of FEW only."""
    serve(server, FEW)
    return server


def load(home: Path, server: Server, **options) -> PhotoSet:
    quick = Downloads(pause=0.01, timeout=5, attempts=3)
    return fivek(str(home), **{**COUNTS, "downloads": quick, "reduction": Reduction(), "url": server.url, **options})


def files(photos: PhotoSet) -> list[Path]:
    return [*photos.train, *photos.val, *(path for paths in photos.test.values() for path in paths)]


def requests(server: Server) -> int:
    return sum(server.requests.values())


def left_over(folder: Path) -> list[Path]:
    """Hidden files that are not locks."""
    return [path for path in folder.rglob(".*") if path.name != ".lock"]


def test_split():
    """The committed lists follow `split_order`; each further photograph is a replacement for a single role."""
    names = [row["name"] for row in index()]
    assert len(set(names)) == 5000
    order = split_order(names)
    assert (lines("test"), lines("val"), lines("train")) == (order[:40], order[40:48], order[48:748])
    assert {row["license"] for row in index()} == {"Adobe", "AdobeMIT"}
    orders = photograph_orders(LISTS)
    assert [len(role) for role in orders.values()] == [700 + 4152, 8 + 50, 40 + 50]
    assert len(set().union(*orders.values())) == 5000
    assert all(orders[role][: len(lines(role))] == lines(role) for role in orders)


def test_fetched_once(home, few, capsys):
    """Photographs come in the study's order with the right pixels; a smaller set is the beginning of a larger one."""
    small = load(home, few, n=1)
    photos = load(home, few)
    assert [path.stem for path in files(photos)] == FEW
    assert (photos.train[:1], photos.test) == (small.train, small.test)
    for number, path in enumerate(files(photos)):
        with Image.open(path) as image:
            expected = Reduction()(photograph(number).astype(np.uint16) * 257)
            assert np.abs(np.asarray(image).astype(int) - expected).max() <= 1
    assert len(list((home / "originals" / "tiff16_c").iterdir())) == 4
    printed = capsys.readouterr().out
    assert "3 photographs to fetch" in printed
    assert "about 0.18 GB, kept" in printed
    assert "LicenseAdobe" in printed
    assert load(home, few) == photos
    assert requests(few) == 4


def test_small_photographs_are_replaced(home, server):
    train, test = lines("train"), lines("test")
    sizes = {train[0]: (120, 70), train[1]: (60, 200), train[2]: (98, 66), test[0]: (40, 60)}
    serve(server, [*train[:4], *lines("val")[:1], *test[:2]], **sizes)
    photos = load(home, server)
    assert [path.stem for path in files(photos)] == [train[0], train[3], lines("val")[0], test[1]]
    with Image.open(photos.train[0]) as image:
        assert image.size == (66, 99)
    before = requests(server)
    assert load(home, server, n=1).train == photos.train[:1]
    assert requests(server) == before  # the small ones are remembered
    with pytest.raises(UserError, match="FiveK has 1 to 4850 photographs for train, 4851 are asked for"):
        load(home, server, n=4851)


@pytest.mark.parametrize("reason", ["answers 404", "not a TIFF", "BAD_DATA"])
def test_bad_downloads(home, few, reason):
    """All other photographs are written, bad files are deleted, and the next run completes the set."""
    path = f"/tiff16_c/{FEW[1]}.tif"
    sound = few.files.pop(path)
    if reason != "answers 404":
        few.files[path] = b"<!doctype html>" if reason == "not a TIFF" else sound[:-100]
    with pytest.raises(UserError, match=rf"(?s)1 of 4 photographs.*{FEW[1]}: .*{reason}.*same command continues"):
        load(home, few)
    assert len(list((home / "photographs").rglob("*.png"))) == 3
    assert not (home / f"originals{path}").exists()
    few.files[path] = sound
    assert len(load(home, few).train) == 2
    assert requests(few) == 5


def test_originals_need_not_be_kept(home, few):
    load(home, few, n=1, keep_originals=False)
    assert not list((home / "originals").rglob("*.tif"))
    load(home, few)
    assert requests(few) == 4
    assert len(list((home / "originals").rglob("*.tif"))) == 1


def test_renderings_and_reductions(home, few):
    """Each rendering and reduction has a separate folder."""
    serve(few, FEW, "tiff16_a")
    options = ({}, {"rendering": "expert_a"}, {"reduction": Reduction(light="linear")})
    sets = [load(home, few, n=1, **option) for option in options]
    assert len({photos.train[0] for photos in sets}) == 3
    assert sets[1].name == "fivek-expert_a"
    with pytest.raises(UserError, match="expert_a to expert_e, got expert_f"):
        load(home, few, rendering="expert_f")


@pytest.mark.parametrize("layout", ["", "deep/down/tiff16_c"])
def test_files_of_the_user(home, few, tmp_path, layout):
    """Files of the user are used in any layout and not changed."""
    root = tmp_path / "mine" / layout
    root.mkdir(parents=True)
    for name in FEW:
        (root / f"{name}.tif").write_bytes(few.files[f"/tiff16_c/{name}.tif"])
    for other in ("tiff16_d", "tiff16_d/part1", "Expert_A", "expertE/a") if layout else ():
        (root.parent / other).mkdir(parents=True, exist_ok=True)
        (root.parent / other / f"{FEW[0]}.tif").write_bytes(b"another retoucher's")
    before = {path: path.read_bytes() for path in root.rglob("*.tif")}
    photos = load(home, few, root=str(tmp_path / "mine"), keep_originals=False)
    assert requests(few) == 0
    assert [path.stem for path in files(photos)] == FEW
    assert {path: path.read_bytes() for path in root.rglob("*.tif")} == before
    assert (
        photos.train[0].parent != load(home, few, n=1).train[0].parent
    )  # the user's files may differ from the server's


def test_missing_and_repeated_files(home, few, tmp_path):
    root = tmp_path / "mine" / "one"
    root.mkdir(parents=True)
    for name in FEW[:3]:
        (root / f"{name}.tif").write_bytes(few.files[f"/tiff16_c/{name}.tif"])
    with pytest.raises(UserError, match=f"{FEW[3]}: not in data.root"):
        load(home, few, root=str(tmp_path / "mine"))
    shutil.copytree(root, tmp_path / "mine" / "two")
    with pytest.raises(UserError, match="several files of this name"):
        load(home, few, root=str(tmp_path / "mine"), reduction=Reduction(resample="area"))
    with pytest.raises(UserError, match=r"data\.root: .*nowhere is not a folder"):
        load(home, few, root=str(tmp_path / "nowhere"))


def test_names_in_lists(home, few, tmp_path):
    """Names with spaces and brackets are accepted; paths out of the folder are refused."""
    odd = ["a0532-jmacdscf0021 (1)", "a0196-2004-01-25 13-34-10 CRW_3079"]
    (home / "train.txt").write_text("\n".join(odd) + "\n")
    serve(few, odd)
    assert [path.stem for path in load(home, few).train] == odd
    for name in ("../../outside", "/tmp/outside", "a0001-jmac_DSC1459/../../x"):
        (home / "train.txt").write_text(f"{name}\n")
        with pytest.raises(UserError, match=r"train\.txt names .*but FiveK has no photograph of this name"):
            load(home, few)
    assert {path.name for path in tmp_path.iterdir()} == {"fivek"}


@pytest.mark.skipif(not RAW.exists(), reason="needs the raw files of ../shared/raw")
def test_raw_files(home, server):
    for role in ("train", "val", "test"):
        server.files[f"/dng/{lines(role)[0]}.dng"] = (RAW / "a1692-jmac_DSC1701.dng").read_bytes()
    photos = load(home, server, rendering="raw", n=1)
    assert photos.name == "fivek-raw"
    with Image.open(photos.train[0]) as image:
        assert image.size == (66, 99)
        sky, rock = np.asarray(image)[2:6, 2:8].mean(axis=(0, 1)), np.asarray(image)[50:60, 25:35].mean((0, 1))
    assert sky.min() > 130  # upright: the sky is above
    assert rock[0] > 1.3 * rock[2]  # and the rock is red


def test_command(home, few):
    """`make data`, as a process: the table of facts and the page."""
    for number, name in enumerate(FEW):
        few.files[f"/tiff16_c/{name}.tif"] = original(number, 680, 1020)
    places = [f"{name}={home.parent / name}" for name in ("packs", "pages")]
    data = [
        "data=fivek",
        f"data.folder={home}",
        f"data.url={few.url}",
        *(f"data.{key}={n}" for key, n in COUNTS.items()),
    ]
    command = [sys.executable, "-m", "scripts", "data", *data, *places]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "4 photographs to fetch" in result.stdout
    assert "999x666" in result.stdout
    page = (home.parent / "pages" / "fivek" / "index.html").read_text()
    assert all(name in page for name in FEW)


def test_two_runs_at_once(home, few, capsys):
    """Two processes share the work, also for different renderings: one waits for the other."""
    serve(few, FEW, "tiff16_a")
    for path in few.files:
        few.faults[path] = [Fault(slow=0.001)]
    renderings = ("expert_c", "expert_c", "expert_a")
    threads = [threading.Thread(target=load, args=(home, few), kwargs={"rendering": name}) for name in renderings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert requests(few) == 8
    assert capsys.readouterr().out.count("waiting for ") == 2
    assert left_over(home) == []


def test_killed(home, few, tmp_path):
    """The next run completes with the same files."""
    program = (
        "import sys; from restoration.datasets import develop, download, fivek\n"
        "develop.LONG, develop.SHORT = 99, 66\n"
        "fivek.fivek(sys.argv[1], url=sys.argv[2], n=2, n_val=1, n_test=1, reduction=develop.Reduction(),\n"
        "            downloads=download.Downloads(jobs=2))"
    )
    for path in few.files:
        few.faults[path] = [Fault(slow=0.005)]
    process = subprocess.Popen([sys.executable, "-c", program, home, few.url], cwd=ROOT, stdout=subprocess.DEVNULL)
    while not list(home.rglob(".unfinished.*.tif")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert len(left_over(home)) > 0
    photos = load(home, few)
    shutil.copytree(LISTS, tmp_path / "again")
    again = load(tmp_path / "again", few)
    assert [path.read_bytes() for path in files(photos)] == [path.read_bytes() for path in files(again)]
    assert left_over(home) == []


def test_full_disk(home, few):
    """A full disk stops the run; no part of a file is kept."""
    with full_disk(20_000), pytest.raises(UserError, match="no room for photographs of FiveK"):
        load(home, few)
    assert left_over(home) == []
    assert len(load(home, few).train) == 2
