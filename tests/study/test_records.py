"""A study as tables: collected from run folders, saved, loaded."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from restoration.errors import UserError
from restoration.files import write_csv, write_text
from restoration.study import records
from restoration.study.curves import CURVE
from restoration.study.records import RUN, SCORE, VARYING, Study
from restoration.study.runs import Run, baseline_run
from restoration.study.statistics import Comparisons
from restoration.study.values import Condition
from restoration.study.variances import SeedVariances

COMMITTED = Path(__file__).parents[2] / "results/studies/photos-long/records"
COLUMNS = ["test_set", "task", "loss", "seed", "image", "metric", "value"]
SCORING = {"protocol": "RGB", "metrics": ["psnr"], "degradation": "JPEG(25)", "test sets": {"two": "hash"}}
FACTS = {
    "patches_seen": 1000,
    "batch": 8,
    "precision": "fp32",
    "hardware": "CPU",
    "seconds": 1.5,
    "commit": "abc",
    "photographs": {"train": 3, "val": 1},
    "training_photographs_hash": "hash",
    "versions": {"torch": "2"},
}


def write_run(
    root: Path, loss: str, *, seed: int = 0, part: str = "main", alpha: float | None = None, shift: float = 0
) -> Run:
    """Writes a run folder like a training; photograph i scores 30 + i + shift, its degraded input 20 + i."""
    run = Run(root, "photos", "quick" if part == "main" else f"quick-{part}", "jpeg", loss, seed)
    rows = [
        ("two", "jpeg", name, seed, f"{i}.png", "psnr", base + i)
        for name, base in (("input", 20.0), (loss, 30.0 + shift))
        for i in range(2)
    ]
    write_csv(run.folder / "per_image.csv", pd.DataFrame(rows, columns=COLUMNS))
    shares = [("train/gradient_share/ms_ssim", 100, 0.95), ("train/gradient_share/l1", 100, 0.05)] if alpha else []
    curves = [(part, "jpeg", loss, seed, *point) for point in [("val/psnr", 100, 29.0), *shares]]
    write_csv(run.folder / "curves.csv", pd.DataFrame(curves, columns=CURVE))
    about = {"study": "quick", "part": part, "title": loss.upper(), "family": "pixelwise", "learning_rate": 1e-3}
    about |= {"alpha": alpha, "l1_scale": None, "sigma": None, "model": "cnn", "optimizer": "adam"}
    write_text(run.folder / "provenance.json", json.dumps(FACTS | {"study": about}))
    write_text(run.folder / "scoring.json", json.dumps(SCORING))
    write_text(run.folder / "config.yaml", f"loss: {{_target_: {loss}}}\n")
    return run


def edit(path: Path, old: str, new: str) -> None:
    write_text(path, path.read_text().replace(old, new))


def test_collect_save_load(tmp_path):
    """All values, facts and curves are kept; varying settings are columns; the input's scores are stored once."""
    write_run(tmp_path / "runs", "l1")
    write_run(tmp_path / "runs", "l1", seed=1, shift=0.5)
    write_run(tmp_path / "runs", "mix_a0.99", part="alpha", alpha=0.99)
    study = Study.collect(tmp_path / "runs")
    study.save(tmp_path / "saved")
    loaded = Study.load(tmp_path / "saved")
    for name in ("scores", "runs", "curves"):
        pd.testing.assert_frame_equal(getattr(study, name), getattr(loaded, name))
    assert (loaded.name, loaded.parts, loaded.tasks) == ("photos-quick", ["main", "alpha"], ["jpeg"])
    assert loaded.test_sets == {"two": {"title": "two", "images": 2}}
    scores = loaded.scores.set_index([*RUN, "image"])
    assert scores.loc[("main", "jpeg", "l1", 1, "1.png"), "value"] == 31.5
    assert scores.loc[("alpha", "jpeg", "mix_a0.99", 0, "0.png"), "alpha"] == 0.99
    inputs = loaded.scores[loaded.scores["loss"] == "input"]
    assert inputs[["part", "seed", "value"]].values.tolist() == [["", -1, 20.0], ["", -1, 21.0]]
    assert inputs[VARYING].isna().all(axis=None)


def test_curves_are_read_late(tmp_path, monkeypatch):
    """Curves are read only if a loss has several seeds: then its family is needed."""
    monkeypatch.setattr(records, "read_curves", lambda run: pytest.fail("curves were read"))
    write_run(tmp_path, "l1")
    write_run(tmp_path, "l2")
    condition = Condition("main", "jpeg", "two", "psnr")
    assert Comparisons(Study.collect(tmp_path)).compare(condition, "l1", "l2")
    write_run(tmp_path, "l2", seed=1)
    with pytest.raises(pytest.fail.Exception):
        Comparisons(Study.collect(tmp_path))


def test_titles(tmp_path):
    """The names are added to the titles of two losses with the same title."""
    write_run(tmp_path, "l1")
    write_run(tmp_path, "mix")
    edit(write_run(tmp_path, "mix_half").folder / "provenance.json", "MIX_HALF", "MIX")
    titles = map(Study.collect(tmp_path).title, ("l1", "mix", "mix_half", "other"))
    assert [*titles] == ["L1", "MIX (mix)", "MIX (mix_half)", "other"]


def test_family(tmp_path):
    """The family is that of a term with nine tenths of the gradient, else that of the configuration, else the name."""
    write_run(tmp_path, "mine", alpha=0.5)
    write_run(tmp_path, "l1")
    variances, condition = SeedVariances(Study.collect(tmp_path), {}), Condition("main", "jpeg", "two", "psnr")
    families = [variances.family(condition, loss) for loss in ("mine", "l1", "other")]
    assert families == ["structural", "pixelwise", "other"]


def test_baselines_need_whole_test_sets(tmp_path):
    run = write_run(tmp_path, "l1")
    for name, images in (("bicubic", 2), ("menon", 1)):
        rows = [("two", "jpeg", name, 0, f"{i}.png", "psnr", 25.0) for i in range(images)]
        write_csv(baseline_run(run, name, SCORING).folder / "per_image.csv", pd.DataFrame(rows, columns=COLUMNS))
    scores = Study.collect(tmp_path).scores
    assert set(scores["loss"]) == {"input", "bicubic", "l1"}
    assert set(scores.loc[scores["loss"] == "bicubic", "part"]) == {""}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("per_image.csv", "20.0", "20.001", "input of jpeg has different values of psnr for 0.png"),
        ("scoring.json", "RGB", "luma", "differ in their protocol"),
        ("scoring.json", "25", "26", "differ in their degradation"),
        ("scoring.json", "hash", "other", "differ in their test_sets"),
    ],
)
def test_runs_scored_differently(tmp_path, file, old, new, message):
    write_run(tmp_path, "l1")
    edit(write_run(tmp_path, "l2").folder / file, old, new)
    with pytest.raises(UserError, match=message):
        Study.collect(tmp_path)


def test_which_study(tmp_path):
    with pytest.raises(UserError, match="no study matches"):
        Study.collect(tmp_path)
    edit(write_run(tmp_path, "l1").folder / "provenance.json", '"study": "quick"', '"study": "other"')
    assert Study.collect(tmp_path).name == "photos-other"
    write_run(tmp_path, "l2")
    with pytest.raises(UserError, match="more than one study matches"):
        Study.collect(tmp_path)
    assert Study.collect(tmp_path, variant="other").name == "photos-other"


def test_lost_runs(tmp_path):
    write_run(tmp_path, "l1")
    study = Study.collect(tmp_path)
    study.save(tmp_path / "saved")
    assert study.lost_from(tmp_path / "saved") == []
    assert replace(study, runs=study.runs[:0]).lost_from(tmp_path / "saved") == ["main: jpeg with l1, seed 0"]


def test_load_of_committed_study():
    """In less than 2 s on a quiet machine, without PyTorch and matplotlib."""
    code = (
        "import sys, time; from pathlib import Path; from restoration.study.records import Study;"
        f"start = time.process_time(); study = Study.load(Path({str(COMMITTED)!r}));"
        "print(len(study.runs), time.process_time() - start < 2, {'torch', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "164 True set()\n"


def test_committed_study_is_whole():
    study = Study.load(COMMITTED)
    assert study.parts == ["main", "seeds", "switching", "sigma", "alpha", "adamw", "dense", "residual", "raw"]
    assert not study.scores.duplicated(SCORE[:-1]).any()
    trained = study.scores[study.scores["part"] != ""]
    assert trained[["learning_rate", "patches", "model"]].notna().all(axis=None)
    assert set(study.runs["family"]) == {"pixelwise", "structural"}
    assert np.isfinite(study.scores.loc[study.scores["metric"] == "psnr", "value"]).all()
