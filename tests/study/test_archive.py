"""What an archive keeps makes the same tables again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from restoration.files import write_csv, write_text
from restoration.scoring.evaluate import INPUT, Score
from restoration.scoring.metrics import METRICS
from restoration.study.archive import archive, lacking, unpack
from restoration.study.raw_tables import RawStudy, raw_folder, write_raw
from restoration.study.runs import COLUMNS, Run, baseline_run, baselines_beside, find_runs, read_scores, write_scores
from restoration.study.scalars import read_scalars
from restoration.study.study import read_study
from restoration.study.tables import build_tables, table_of
from tests.records import PROVENANCE

SCORING = {"protocol": "as agreed", "degradation": "x2", "test sets": {"kodak24": "1"}}
IMAGES = ("1.png", "2.png")
ROW = ("photos", "cpu", "raw-light-0-0", "demosaic", "l1", 0, "tile 1", "psnr", 30.5)
RAW = RawStudy(pd.DataFrame([ROW], columns=COLUMNS), ("a camera",))


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
        write_text(
            run.folder / "config.yaml", f"data:\n  name: x\n  train: {tmp_path}\nloss: {run.loss}\nruns: {tmp_path}\n"
        )
        write_text(run.folder / "provenance.json", json.dumps(PROVENANCE))
        curve = f"data,variant,task,loss,seed,tag,patches,value\nphotos,{run.variant},{run.task},{run.loss},{run.seed},"
        write_text(run.folder / "scalars.csv", f"{curve}val/psnr,8,{rng.random()}\n")
    bicubic = baseline_run(runs[0], "bicubic", SCORING)
    write_scores(bicubic, {"kodak24": [Score("bicubic", *key, rng.random()) for key in of_input]}, SCORING)
    write_raw(RAW, raw_folder(root, "photos", "cpu"))
    return runs


def test_tables_curves_and_configurations_come_back(runs, tmp_path):
    archive(read_study(tmp_path / "runs"), tmp_path / "kept")
    back = unpack(tmp_path / "kept", tmp_path / "back")
    assert set(back.runs) == {replace(run, root=tmp_path / "back") for run in runs}
    assert back.raw is not None
    assert back.raw.notes == RAW.notes
    assert back.raw.records.equals(RAW.records)
    titles = {"sr": "Bilinear", "jpeg": "JPEG"}
    of_runs, of_kept = (build_tables(each, input_titles=titles) for each in (find_runs(tmp_path / "runs"), back.runs))
    assert [table.csv() for table in of_kept] == [table.csv() for table in of_runs]
    assert list(map(table_of, of_kept)) == list(map(table_of, of_runs))
    assert "Bicubic" in {column for table in of_kept for column in table.columns}
    for its_copy in back.runs:
        run = replace(its_copy, root=tmp_path / "runs")
        assert (its_copy.folder / "config.yaml").read_text() == f"data:\n  name: x\nloss: {run.loss}\n"  # and no folder
        assert read_scalars(its_copy).equals(read_scalars(run))
        assert len(read_scores([its_copy])) == len(read_scores([run]))
        assert [other.loss for other in baselines_beside(its_copy)] == [other.loss for other in baselines_beside(run)]


def test_names_that_look_like_numbers_or_nothing_come_back(tmp_path):
    run = Run(tmp_path / "runs", "2024", "10", "sr", "NA", 0)
    write_scores(run, {"NA": [Score("NA", "1", "psnr", 30.5), Score("NA", "2", "psnr", float("nan"))]}, SCORING)
    write_text(run.folder / "config.yaml", "loss: NA\n")
    write_text(
        run.folder / "scalars.csv", "data,variant,task,loss,seed,tag,patches,value\n2024,10,sr,NA,0,val/psnr,8,1.5\n"
    )
    archive(read_study(tmp_path / "runs"), tmp_path / "kept")
    back = unpack(tmp_path / "kept", tmp_path / "back")
    assert back.runs == (replace(run, root=tmp_path / "back"),)
    rows = read_scores(back.runs)
    assert rows[["data", "variant", "test_set", "loss", "image"]].values.tolist() == [
        ["2024", "10", "NA", "NA", name] for name in "12"
    ]
    assert rows["value"].isna().tolist() == [False, True]
    assert read_scalars(back.runs[0])["variant"].tolist() == ["10"]


def test_what_a_study_lacks_of_what_is_kept_is_named(runs, tmp_path):
    archive(read_study(tmp_path / "runs"), tmp_path / "kept")
    assert lacking(read_study(tmp_path / "runs"), tmp_path / "kept") == []
    assert lacking(read_study(tmp_path / "runs"), tmp_path / "new") == []
    (runs[-1].folder / "config.yaml").unlink()
    (raw_folder(tmp_path / "runs", "photos", "cpu") / "notes.txt").unlink()
    less = read_study(tmp_path / "runs")
    assert lacking(less, tmp_path / "kept") == ["cpu-third/jpeg/mix/seed1", "the study of raw files"]
    archive(less, tmp_path / "kept")
    assert not (tmp_path / "kept" / "raw.csv.xz").exists()


def test_an_archive_is_the_same_each_time_and_holds_every_row_once(runs, tmp_path):
    archive(read_study(tmp_path / "runs"), tmp_path / "one")
    archive(unpack(tmp_path / "one", tmp_path / "back"), tmp_path / "again")
    one, again = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "again"))
    assert one == again
    assert not pd.read_csv(tmp_path / "one/per_image.csv.xz").duplicated(COLUMNS[:-1]).any()


def test_the_input_counts_once_where_only_its_last_bits_differ(runs, tmp_path):
    changed = pd.read_csv(runs[1].folder / "per_image.csv")
    rows = changed.index[changed["loss"] == INPUT]
    changed.loc[rows[0], "value"] *= 1 + 1e-15
    changed.loc[rows[1], "value"] *= 1.01
    write_csv(runs[1].folder / "per_image.csv", changed)
    archive(read_study(tmp_path / "runs"), tmp_path / "kept")
    kept = pd.read_csv(tmp_path / "kept/per_image.csv.xz")
    twice = kept[kept.duplicated(COLUMNS[:-1], keep=False)]
    place = changed.loc[rows[1], ["image", "metric"]]
    assert len(twice) == 2  # another input is not hidden: comparisons refuse it
    assert (twice[["image", "metric"]] == place).all(axis=None)
