"""The scores of raw files become a part of the networks' study."""

import pytest

from restoration.errors import UserError
from restoration.study.records import Study
from scripts.raw import raw_files
from tests.scripts.conftest import call
from tests.study.test_raw_study import scene, sensor_of
from tests.test_raw import write_dng


def test_raw_files(tiny, tmp_path, refused):
    """Another kind of file is named and left out; crops of an earlier file are deleted."""
    runs = f"runs={tmp_path}/runs"
    call("train", *tiny, "task=demosaic", "loss=l1")
    (tmp_path / "raw").mkdir()
    write_dng(tmp_path / "raw/cat.dng", sensor_of(scene()[:, :196, :196]).light[None].expand(3, -1, -1).numpy())
    (tmp_path / "raw/text.dng").write_text("these are not pixels")
    folder = tmp_path / "runs/tiny/raw-quick"
    folder.mkdir()
    (folder / "dog.dng.png").touch()
    printed = call("raw", f"raw={tmp_path}/raw", runs, "baselines=false", "levels=[[0.005,0.0001]]")
    assert "left out: " in printed
    assert {path.name for path in folder.iterdir()} == {"records.csv", "test_sets.json", "notes.txt", "cat.dng.png"}
    study = Study.collect(tmp_path / "runs")
    assert study.parts == ["main", "raw"]
    raw = study.scores[study.scores["test_set"] == "raw-light-0.005-0.0001"]
    assert set(raw["loss"]) == {"input", "l1"}
    assert study.test_sets["raw-light-0.005-0.0001"]["noise"] == "light"
    refused("raw", [f"raw={tmp_path}/raw/text.dng", runs, "baselines=false"], "none of the 1 files")


def test_named_files(tmp_path):
    with pytest.raises(UserError, match="make raw RAW=FILE"):
        raw_files(None)
    with pytest.raises(UserError, match="neither a file nor a folder with files"):
        raw_files(str(tmp_path))
