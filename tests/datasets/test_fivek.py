"""FiveK from a server with its layout: every photograph once, in the study's order, whatever happens on the way."""

import csv
import os
import shutil
import signal
import subprocess
import sys
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
from tests.photographs import prophoto, write_tiff
from tests.server import Fault, Server

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "data" / "fivek"
RAW = ROOT / ".." / "shared" / "raw"


def lines(role: str) -> list[str]:
    return (LISTS / f"{role}.txt").read_text().splitlines()


def index() -> list[dict[str, str]]:
    with open(LISTS / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with FiveK's index and lists, and nothing else."""
    (tmp_path / "fivek").mkdir()
    for path in (LISTS / "index.csv", *LISTS.glob("*.txt")):
        shutil.copy(path, tmp_path / "fivek")
    return tmp_path / "fivek"


def photograph(number: int, height: int = 680, width: int = 1020) -> np.ndarray:
    """(height, width, 3) in [0, 1], each number another picture."""
    image = Image.fromarray(np.roll(skimage.data.astronaut(), 37 * number, axis=1))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)) / 255


def serve(server: Server, tmp_path: Path, names: list[str], folder: str = "tiff16_c", **sizes: tuple[int, int]) -> None:
    """Puts a TIFF of every name on the server, of 1020 x 680 pixels or of the (height, width) in `sizes`."""
    for number, name in enumerate(names):
        write_tiff(tmp_path / "made.tif", prophoto(photograph(number, *sizes.get(name, ()))), compression="deflate")
        server.files[f"/{folder}/{name}.tif"] = (tmp_path / "made.tif").read_bytes()


def made(home: Path, server: Server, **options) -> PhotoSet:
    """Three photographs to train, one to validate and two to test with."""
    quick = Downloads(pause=0.01, timeout=5, attempts=3)
    counts = {"n": 3, "n_val": 1, "n_test": 2}
    return fivek(str(home), **{**counts, "downloads": quick, "reduction": Reduction(), "url": server.url, **options})


@pytest.fixture
def few(server: Server, tmp_path: Path) -> list[str]:
    """The names of the six photographs that `made` asks for; the server has them and no others."""
    names = [*lines("train")[:3], *lines("val")[:1], *lines("test")[:2]]
    serve(server, tmp_path, names)
    return names


def seen(home: Path) -> dict[str, int]:
    """What is remembered of originals: their sizes by name."""
    with open(home / "seen.csv", newline="") as file:
        return {row["file"]: int(row["bytes"]) for row in csv.DictReader(file)}


def requests(server: Server) -> int:
    return sum(len(asked) for asked in server.ranges.values())


def test_the_committed_split_is_the_shuffle_that_it_says():
    names = [row["name"] for row in index()]
    assert len(set(names)) == 5000
    order = split_order(names)
    assert lines("test") == order[:40]
    assert lines("val") == order[40:48]
    assert lines("train") == order[48:748]
    assert {row["license"] for row in index()} == {"Adobe", "AdobeMIT"}


def test_stand_ins_are_all_others_each_for_one_role():
    orders = photograph_orders(LISTS)
    assert [len(names) for names in orders.values()] == [700 + 4152, 8 + 50, 40 + 50]
    assert len(set().union(*orders.values())) == 5000
    for role, names in orders.items():
        assert names[: len(lines(role))] == lines(role)


def test_photographs_are_fetched_developed_and_kept(home, server, few):
    photos = made(home, server)
    assert [path.stem for path in (*photos.train, *photos.val, *photos.test["fivek"])] == few
    for number, path in enumerate((*photos.train, *photos.val, *photos.test["fivek"])):
        with Image.open(path) as image:
            found = np.asarray(image)
        assert found.shape == (666, 999, 3)
        expected = Reduction()(np.round(photograph(number) * 65535).astype(np.uint16))
        assert np.abs(found.astype(int) - expected).max() <= 1
    assert seen(home) == {f"originals{path}": len(content) for path, content in server.files.items()}
    assert made(home, server) == photos
    assert requests(server) == 6  # each once


def test_fewer_photographs_are_the_beginning_of_more(home, server, few):
    small = made(home, server, n=2)
    assert requests(server) == 5
    large = made(home, server, n=3)
    assert requests(server) == 6
    assert large.train[:2] == small.train
    assert large.test == small.test


def test_photographs_that_are_too_small_are_replaced_by_the_next(home, server, tmp_path):
    names = [*lines("train")[:5], *lines("val")[:1], *lines("test")[:3]]
    too_small = {lines("train")[1]: (600, 2000), lines("train")[3]: (998, 665), lines("test")[0]: (400, 600)}
    upright = {lines("train")[0]: (1200, 700)}
    serve(server, tmp_path, names, **too_small, **upright)
    photos = made(home, server)
    assert [path.stem for path in photos.train] == [lines("train")[number] for number in (0, 2, 4)]
    assert [path.stem for path in photos.test["fivek"]] == lines("test")[1:3]
    with Image.open(photos.train[0]) as image:
        assert image.size == (666, 999)
    asked = requests(server)
    assert made(home, server, n=2).train == photos.train[:2]
    assert requests(server) == asked  # what is too small is remembered
    with pytest.raises(UserError, match="FiveK has 1 to 4850 photographs to train with, 4851 are asked for"):
        made(home, server, n=4851)


def test_a_missing_photograph_leaves_the_others_and_a_rerun_completes(home, server, few, tmp_path):
    gone = few[1]
    content = server.files.pop(f"/tiff16_c/{gone}.tif")
    with pytest.raises(UserError, match=rf"(?s)1 of 6 photographs.*{gone}: .*answers 404.*same command continues"):
        made(home, server)
    assert len(list((home / "photographs").rglob("*.png"))) == 5
    server.files[f"/tiff16_c/{gone}.tif"] = content
    asked = requests(server)
    assert len(made(home, server).train) == 3
    assert requests(server) == asked + 1


def test_damaged_photographs_are_not_taken_and_not_remembered(home, server, few):
    path = f"/tiff16_c/{few[0]}.tif"
    whole = server.files[path]
    server.files[path] = whole[:-1000]  # with a length to match: only reading it shows the damage
    with pytest.raises(UserError, match=few[0]):
        made(home, server)
    assert not (home / f"originals{path}").exists()
    server.files[path] = whole
    assert len(made(home, server).train) == 3


def test_other_bytes_than_at_first_sight_are_refused(home, server, few):
    photos = made(home, server, keep_originals=False)
    path = f"/tiff16_c/{few[0]}.tif"
    whole = server.files[path]
    server.files[path] = whole[:-1] + bytes([whole[-1] ^ 1])
    photos.train[0].unlink()
    with pytest.raises(UserError, match=rf"{few[0]}: .*sha256 differ from those in .*seen\.csv"):
        made(home, server)
    assert not photos.train[0].exists()
    server.files[path] = whole
    assert made(home, server) == photos


def test_originals_need_not_be_kept(home, server, few):
    photos = made(home, server, keep_originals=False)
    assert not list((home / "originals").rglob("*.tif"))
    asked = requests(server)
    assert made(home, server, keep_originals=False) == photos
    assert requests(server) == asked
    assert seen(home) == {f"originals{path}": len(content) for path, content in server.files.items()}


def test_originals_that_were_kept_can_be_dropped_later(home, server, few):
    made(home, server)
    assert len(list((home / "originals").rglob("*.tif"))) == 6
    made(home, server, keep_originals=False, n=2)
    assert len(list((home / "originals").rglob("*.tif"))) == 1  # of a photograph that was not asked for
    made(home, server, keep_originals=False)
    assert not list((home / "originals").rglob("*.tif"))


def test_renderings_and_reductions_have_places_of_their_own(home, server, few, tmp_path):
    serve(server, tmp_path, few, "tiff16_a")
    sets = [
        made(home, server),
        made(home, server, rendering="expert_a"),
        made(home, server, reduction=Reduction(light="linear")),
    ]
    assert len({photos.train[0] for photos in sets}) == 3
    assert sets[1].name == "fivek-expert_a"
    with pytest.raises(ValueError, match="expert_a to expert_e, got expert_f"):
        made(home, server, rendering="expert_f")


@pytest.mark.parametrize("layout", ["", "tiff16_c", "deep/down/tiff16_c"])
def test_files_that_the_user_has_are_used_and_left_alone(home, server, few, tmp_path, layout):
    own = tmp_path / "own" / layout
    own.mkdir(parents=True)
    for name in few:
        (own / f"{name}.tif").write_bytes(server.files[f"/tiff16_c/{name}.tif"])
    for other in ("tiff16_d", "tiff16_d/part1", "Expert_A", "expertE/a"):
        if layout:
            (own.parent / other).mkdir(parents=True, exist_ok=True)
            (own.parent / other / f"{few[0]}.tif").write_bytes(b"another retoucher's")
    before = {path: path.read_bytes() for path in own.rglob("*.tif")}
    photos = made(home, server, root=str(tmp_path / "own"), keep_originals=False)
    assert requests(server) == 0
    assert [path.stem for path in photos.train] == few[:3]
    assert {path: path.read_bytes() for path in own.rglob("*.tif")} == before
    assert photos.train[0].parent != made(home, server).train[0].parent  # not to be taken for the server's


def test_files_that_the_user_lacks_or_has_twice_are_named(home, server, few, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / "own" / folder).mkdir(parents=True)
        for name in few[:5]:
            (tmp_path / "own" / folder / f"{name}.tif").write_bytes(server.files[f"/tiff16_c/{name}.tif"])
    shutil.rmtree(tmp_path / "own" / "two")
    with pytest.raises(UserError, match=f"{few[5]}: not in data.root"):
        made(home, server, root=str(tmp_path / "own"))
    shutil.copytree(tmp_path / "own" / "one", tmp_path / "own" / "two")
    with pytest.raises(UserError, match="several files of this name"):
        made(home, server, root=str(tmp_path / "own"), reduction=Reduction(resample="area"))
    with pytest.raises(UserError, match=r"data\.root: .*nowhere is not a folder"):
        made(home, server, root=str(tmp_path / "nowhere"))


def test_lists_cannot_name_files_elsewhere(home, server, tmp_path):
    for name in ("../../outside", "/tmp/outside", "a0001-jmac_DSC1459/../../x"):
        (home / "train.txt").write_text(f"{name}\n")
        with pytest.raises(UserError, match=r"train\.txt names .*none of FiveK's photographs"):
            made(home, server)
    assert {path.name for path in tmp_path.iterdir()} == {"fivek"}


def test_names_with_spaces_and_brackets_are_found(home, server, few, tmp_path):
    odd = ["a0532-jmacdscf0021 (1)", "a0196-2004-01-25 13-34-10 CRW_3079", "a1379-_DSC5348 (original)"]
    (home / "train.txt").write_text("\n".join(odd) + "\n")
    serve(server, tmp_path, odd)
    assert [path.stem for path in made(home, server).train] == odd


@pytest.mark.skipif(not RAW.exists(), reason="needs the raw files of ../shared/raw")
def test_raw_files_are_fetched_and_developed(home, server, tmp_path):
    for name in [*lines("train")[:1], *lines("val")[:1], *lines("test")[:1]]:
        server.files[f"/dng/{name}.dng"] = (RAW / "a1692-jmac_DSC1701.dng").read_bytes()
    photos = made(home, server, rendering="raw", n=1, n_val=1, n_test=1)
    assert photos.name == "fivek-raw"
    with Image.open(photos.train[0]) as image:
        assert image.size == (666, 999)
        sky, rock = np.asarray(image)[20:60, 20:80].mean(axis=(0, 1)), np.asarray(image)[500:600, 250:350].mean((0, 1))
    assert sky.min() > 130  # upright: the sky is above
    assert rock[0] > 1.3 * rock[2]  # and the rock is red


def command(script: str, home: Path, server: Server, *overrides: str) -> list[str]:
    places = [f"{name}={home.parent / name}" for name in ("runs", "packs", "tables", "pages")]
    data = ["data=fivek", f"data.folder={home}", f"data.url={server.url}", "data.n=3", "data.n_val=1", "data.n_test=2"]
    return [sys.executable, "-m", f"scripts.{script}", *data, *places, *overrides]


def run(arguments: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)


def test_from_the_server_to_a_trained_network(home, server, few):
    options = ("task=demosaic", "loss=l1", "budget.patches=48", "budget.validations=1", "data.n_test=1")
    result = run(command("train", home, server, *options))
    assert result.returncode == 0, result.stderr
    assert ": 5, about 300 MB, kept" in result.stdout
    assert "LicenseAdobe" in result.stdout
    assert "demosaic on fivek: mean over 1 photograph" in result.stdout
    shown = run(command("prepare_data", home, server))
    assert shown.returncode == 0, shown.stderr
    assert ": 1, about 60 MB, kept" in shown.stdout
    assert "999x666" in shown.stdout
    page = (home.parent / "pages" / "fivek" / "index.html").read_text()
    assert all(name in page for name in few)


def test_processes_at_once_share_the_work(home, server, few, tmp_path):
    serve(server, tmp_path, few, "tiff16_a")
    for path in server.files:
        server.faults[path] = [Fault(slow=0.005)]
    processes = [
        subprocess.Popen(
            command("prepare_data", home, server, f"data.rendering={rendering}"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rendering in ("expert_c", "expert_c", "expert_a")
    ]
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert requests(server) == 12
    assert sum("waiting for another process" in text for text in printed) >= 2
    assert seen(home) == {f"originals{path}": len(content) for path, content in server.files.items()}
    assert left_over(home.parent) == []


def left_over(folder: Path) -> list[Path]:
    """Hidden files that are no locks."""
    return [path for path in folder.rglob(".*") if path.name != ".lock"]


def packs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "packs").glob("*.safetensors")}


def test_killed_at_any_moment_a_rerun_completes(home, server, few, tmp_path):
    whole = run(command("prepare_data", home, server))
    assert whole.returncode == 0, whole.stderr
    expected = packs(tmp_path)
    remembered = seen(home)
    for folder in (home / "originals", home / "photographs", tmp_path / "packs"):
        shutil.rmtree(folder)
    (home / "seen.csv").unlink()
    kills = 0
    for delay in (0.3, 0.8, 1.3):
        for name in few:
            server.faults[f"/tiff16_c/{name}.tif"] = [Fault(slow=0.005)]
        process = subprocess.Popen(
            command("prepare_data", home, server, "data.downloads.jobs=2"),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        before = requests(server)
        while requests(server) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    result = run(command("prepare_data", home, server))
    assert result.returncode == 0, result.stderr
    assert packs(tmp_path) == expected
    assert seen(home) == remembered
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(("kilobytes", "full"), [(1000, "no room for photographs of FiveK"), (5000, "packed")])
def test_a_full_disk_says_so_and_loses_nothing(home, server, few, tmp_path, kilobytes, full):
    """An original has about 2 MB, a pack at least 6."""
    prepare = command("prepare_data", home, server, "data.n_test=3")
    serve(server, tmp_path, [*few, lines("test")[2]])
    result = run(["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "bash", *prepare])
    assert result.returncode == 1
    assert full in result.stderr
    assert "Traceback" not in result.stderr
    there = {path: path.read_bytes() for path in home.rglob("*.tif")}
    result = run(prepare)
    assert result.returncode == 0, result.stderr
    assert {path: path.read_bytes() for path in there} == there
    assert left_over(tmp_path) == []
