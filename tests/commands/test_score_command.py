"""`restoration score`: pairs by name, tables, CSV and JSON, failures."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest
import skimage.data
from PIL import Image

from restoration.cli import main
from restoration.names import METRICS
from restoration.scoring.score import ALL_METRICS, score
from tests.scoring.conftest import as_image

PHOTOS = {"a": skimage.data.astronaut()[:170, :180], "b": skimage.data.coffee()[:60, :70]}


@pytest.fixture
def folders(tmp_path):
    """restored/ holds a.jpg and inside/b.jpg, truth/ the same names as PNG."""
    for name, pixels in (("a", PHOTOS["a"]), ("inside/b", PHOTOS["b"])):
        for folder in ("restored", "truth"):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "truth" / f"{name}.png")
        Image.fromarray(pixels).save(tmp_path / "restored" / f"{name}.jpg", quality=20)
    return tmp_path


def run(*arguments: object) -> int:
    return main(["score", *map(str, arguments)])


def test_csv_of_folders(folders, capsys):
    assert run(folders / "restored", folders / "truth", "--csv") == 0
    output = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(output.out)))
    assert [row["image"] for row in rows] == ["a.jpg", "inside/b.jpg"]
    assert "rounded to 8 bits" in output.err
    restored = as_image(np.array(Image.open(folders / "restored" / "a.jpg")))
    for name, value in score(restored, as_image(PHOTOS["a"])).items():
        assert float(rows[0][name]) == pytest.approx(float(value), rel=1e-6), name
    assert math.isnan(float(rows[1]["ms_ssim"]))


def test_json_of_equal_files(folders, capsys):
    truth = folders / "truth" / "a.png"
    assert run(truth, truth, "--json", "--metrics", "psnr,ssim") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == [{"image": "a.png", "psnr": None, "ssim": 1.0}]
    assert "clamped" in result["protocol"]


def test_tables(folders, capsys):
    assert run(folders / "restored", folders / "truth") == 0
    text = capsys.readouterr().out
    assert all(METRICS[name].title in text for name in METRICS)
    assert "inside/b.jpg" in text
    assert "left out of the means, because infinite or not defined: MS-SSIM 1, IW-SSIM 1" in text
    assert "whole image" in text
    assert run(folders / "restored" / "a.jpg", folders / "truth" / "a.png", "--border", "3") == 0
    assert "3 px border left out" in capsys.readouterr().out


def test_explanation(folders, capsys):
    pair = folders / "restored" / "a.jpg", folders / "truth" / "a.png"
    assert run(*pair, "--explain") == 0
    text = capsys.readouterr().out
    assert "scikit-image" in text
    assert "window: uniform 7x7" in text
    assert run(*pair, "--explain", "--csv") == 0
    steps = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(steps) > 20
    assert float(steps[0]["value"]) == pytest.approx(
        float(score(*(as_image(np.array(Image.open(path))) for path in pair), metrics=["psnr"])["psnr"]), abs=1e-5
    )
    assert run(folders / "restored", folders / "truth", "--explain", "--json") == 0
    means = json.loads(capsys.readouterr().out)
    assert len(means) == len(steps)
    assert means[0]["value"] != float(steps[0]["value"])


def test_failures(folders, capsys):
    """A damaged file, different sizes, files without a partner and a too small image are listed; others are scored."""
    truth, restored = folders / "truth", folders / "restored"
    (restored / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Image.fromarray(PHOTOS["b"]).save(truth / "damaged.png")
    Image.fromarray(PHOTOS["b"]).save(truth / "size.png")
    Image.fromarray(PHOTOS["b"][1:]).save(restored / "size.png")
    Image.fromarray(PHOTOS["b"]).save(truth / "alone.png")
    Image.fromarray(PHOTOS["b"][:9]).save(truth / "small.png")
    Image.fromarray(PHOTOS["b"][:9]).save(restored / "small.png")
    assert run(restored, truth, "--csv") == 1
    output = capsys.readouterr()
    assert [line.partition(",")[0] for line in output.out.splitlines()] == ["image", "a.jpg", "inside/b.jpg"]
    for message in (
        "damaged.png cannot be read",
        "has 70x59 pixels",
        "alone.png has no partner",
        "small.png: SSIM needs",
    ):
        assert message in output.err
    assert "4 of 6 were not scored" in output.err


@pytest.mark.parametrize(
    ("restored", "truth", "message"),
    [
        ("restored", "nowhere", "there is no .*nowhere"),
        ("restored", "truth/a.png", "is a folder and .*a.png a file; give two files, or two folders"),
        ("restored/inside", "truth/inside2", "no file of .* has the name of a file of"),
        ("empty", "truth", "empty has no .*png"),
    ],
)
def test_wrong_usage(folders, capsys, restored, truth, message):
    (folders / "empty").mkdir()
    (folders / "truth" / "inside2").mkdir()
    Image.fromarray(PHOTOS["b"]).save(folders / "truth" / "inside2" / "c.png")
    assert run(folders / restored, folders / truth) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert re.search(message, output.err)


def test_equal_suffixes_are_paired(folders, capsys):
    """a.jpg and a.png in both folders are two pairs."""
    for folder in ("restored", "truth"):
        for suffix in ("jpg", "png"):
            Image.fromarray(PHOTOS["a"]).save(folders / folder / f"a.{suffix}")
    assert run(folders / "restored", folders / "truth", "--csv", "--metrics", "l1") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["image"]: float(row["l1"]) > 0 for row in rows} == {
        "a.jpg": False,
        "a.png": False,
        "inside/b.jpg": True,
    }
    assert set(rows[0]) == {"image", "l1"} < {"image", *ALL_METRICS}
