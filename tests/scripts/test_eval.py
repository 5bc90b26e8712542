"""Scores in run folders: runs scored together, baselines scored once and resumed."""

import numpy as np
import pandas
import pytest
import torch

from restoration.names import INPUT
from restoration.networks.cnn import RestorationCNN
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS
from restoration.study.runs import Run, baseline_run, read_scores, scores_by_test_set
from restoration.tasks import Demosaic, SuperResolution
from scripts import eval as script
from scripts.scores import score_runs, scoring
from tests.conftest import packed

CPU = torch.device("cpu")


def test_runs_scored_together(photo, tmp_path):
    """A run gets the same scores as if it were scored alone."""
    photos = packed(photo)
    tests = {"one": photos, "two": packed(photo[::-1])}
    runs = [Run(tmp_path, "data", "quick", "demosaic", *name) for name in (("l1", 0), ("mix", 1))]
    models = dict(zip(runs, (RestorationCNN(identity_start=False), torch.nn.Identity()), strict=True))
    score_runs(models, Demosaic(), tests, Protocol(), CPU)
    together = [read_scores(run) for run in runs]
    for run, rows in zip(runs, together, strict=True):
        score_runs({run: models[run]}, Demosaic(), tests, Protocol(), CPU)
        pandas.testing.assert_frame_equal(rows, read_scores(run))
        assert set(rows["loss"]) == {INPUT, run.loss}
        assert set(rows["seed"]) == {run.seed}
        assert len(rows) == 2 * 2 * len(ALL_METRICS)


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """The names of two baselines that return the degraded input, one for each call, in order."""
    calls: list[str] = []

    def named(name: str):
        def baseline(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            calls.append(name)
            return SuperResolution().degrade(image, generator)

        return baseline

    monkeypatch.setattr(script, "baselines_for", lambda task: {name: named(name) for name in ("bicubic", "bm3d")})
    return calls


def test_baselines_are_scored_once(photo, tmp_path, calls):
    """An interrupted scoring continues; runs with the same protocol share baselines; another protocol does not."""
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    tests, task = {"set": photos}, SuperResolution()
    runs = [Run(tmp_path, "data", "quick", "sr", loss, 0) for loss in ("l1", "mix")]
    interrupted = script.score_baselines(runs[0], task, tests, Protocol(), CPU)
    assert [next(interrupted) for _ in range(3)] == ["bicubic on set"] * 2 + ["bm3d on set"]
    interrupted.close()
    assert len(list(script.score_baselines(runs[1], task, tests, Protocol(), CPU))) == 4
    assert calls == ["bicubic", "bicubic", "bm3d", "bm3d"]

    score_runs({runs[0]: torch.nn.Identity()}, task, tests, Protocol(), CPU)
    expected = {(s.image, s.metric): s.value for s in scores_by_test_set(runs[0])["set"] if s.loss == INPUT}
    for name in ("bicubic", "bm3d"):
        rows = scores_by_test_set(baseline_run(runs[1], name, scoring(task, tests, Protocol())))["set"]
        assert {(s.image, s.metric): s.value for s in rows} == pytest.approx(expected, nan_ok=True)
        assert {s.loss for s in rows} == {name}
    list(script.score_baselines(runs[0], task, tests, Protocol(border=2), CPU))
    assert len(calls) == 8
