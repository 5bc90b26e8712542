"""What an archive keeps makes the same tables again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from restoration.archive import archive, unpack
from restoration.errors import UserError
from restoration.evaluate import INPUT, Score
from restoration.files import write_text
from restoration.metrics import METRICS
from restoration.runs import Run, baseline_run, baselines_beside, read_scores, write_scores
from restoration.scalars import read_scalars
from restoration.tables import build_tables

PROVENANCE = {
    "commit": "abc",
    "hardware": "abacus",
    "precision": "fp32",
    "photographs": {"train": 7},
    "training_photographs_hash": "0123456789abcdef",
    "patches_seen": 98304,
    "batch": 8,
}
SCORING = {"protocol": "as agreed", "degradation": "x2", "test sets": {"kodak24": "1"}}
IMAGES = ("1.png", "2.png")


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    rng = np.random.default_rng(0)
    root = tmp_path / "runs"
    runs = [
        Run(root, "photos", variant, task, loss, seed)
        for variant, seed in (("cpu", 0), ("cpu-third", 0), ("cpu-third", 1))
        for task in ("sr", "jpeg")
        for loss in ("l1", "mix")
    ]
    of_input = {(image, metric): rng.random() for image in IMAGES for metric in METRICS}
    for run in runs:
        scores = [Score(run.loss, image, metric, rng.random()) for image, metric in of_input]
        scores += [Score(INPUT, image, metric, value) for (image, metric), value in of_input.items()]
        write_scores(run, {"kodak24": scores}, SCORING)
        write_text(run.folder / "config.yaml", f"loss: {run.loss}\n")
        write_text(run.folder / "provenance.json", json.dumps(PROVENANCE))
        curve = f"data,variant,task,loss,seed,tag,patches,value\nphotos,{run.variant},{run.task},{run.loss},{run.seed},"
        write_text(run.folder / "scalars.csv", f"{curve}val/psnr,8,{rng.random()}\n")
    bicubic = baseline_run(runs[0], "bicubic", SCORING)
    write_scores(bicubic, {"kodak24": [Score("bicubic", *key, rng.random()) for key in of_input]}, SCORING)
    return runs


def test_tables_curves_and_configurations_come_back(runs, tmp_path):
    archive(runs, tmp_path / "kept")
    back = unpack(tmp_path / "kept", tmp_path / "back")
    assert back == [replace(run, root=tmp_path / "back") for run in runs]
    titles = {"sr": "Bilinear", "jpeg": "JPEG"}
    of_runs, of_kept = (build_tables(each, input_titles=titles) for each in (runs, back))
    assert [table.csv() for table in of_kept] == [table.csv() for table in of_runs]
    assert [table.markdown() for table in of_kept] == [table.markdown() for table in of_runs]
    assert "Bicubic" in of_kept[0].columns
    for run, its_copy in zip(runs, back, strict=True):
        assert (its_copy.folder / "config.yaml").read_text() == (run.folder / "config.yaml").read_text()
        assert read_scalars(its_copy).equals(read_scalars(run))
        assert len(read_scores([its_copy])) == len(read_scores([run]))
        assert [other.loss for other in baselines_beside(its_copy)] == [other.loss for other in baselines_beside(run)]


def test_an_archive_is_the_same_each_time_and_holds_every_row_once(runs, tmp_path):
    for name in ("one", "other"):
        archive(runs, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
    unpacked = unpack(tmp_path / "one", tmp_path / "back")
    archive(unpacked, tmp_path / "again")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()
    }


def test_runs_of_two_data_sets_are_refused(runs, tmp_path):
    with pytest.raises(UserError, match="one data set, got others, photos"):
        archive([*runs, replace(runs[0], data="others")], tmp_path / "kept")
    with pytest.raises(UserError, match="got no run"):
        archive([], tmp_path / "kept")
