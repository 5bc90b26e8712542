"""The sweep of α: settings by columns, the best one, its neighbours, and the readings."""

import numpy as np
import pytest

from restoration.study.alpha import (
    CODE,
    NAIVE,
    PAPER,
    Setting,
    answer,
    readings_table,
    settings_of,
    sweep_table,
    sweeps,
)
from restoration.study.statistics import Comparisons
from restoration.study.values import Condition
from tests.studies import around, study_of

ALPHAS = {
    "h": (0.1, np.nan),
    "a": (0.01, 255.0),
    "b": (0.5, 255.0),
    "c": PAPER,
    "d": CODE,
    "e": (0.99, 255.0),
    "f": NAIVE,
}  # ascending
MEANS = {"a": 29.0, "b": 29.95, "c": 30.0, "d": 29.92, "e": 29.0, "f": 29.96}


def sweep_of(means: dict[str, float] = MEANS, *, images: int = 12, **facts):
    condition = Condition("alpha", "sr", "kodak24", "psnr")
    scores = {(condition, loss): around(mean, images=images)[:, 0] for loss, mean in means.items()}
    scores |= {(condition._replace(part="main"), "l2"): around(30.0, images=images)}
    return Comparisons(study_of(scores, alphas=ALPHAS, **facts))


@pytest.mark.parametrize(
    ("alpha", "scale", "unit", "levels"),
    [(0.84, 255.0, 0.0201729, 0.84), (0.84, 1.0, 0.84, 0.999253), (0.025, 1.0, 0.025, 0.867347)],
)
def test_equal_settings(alpha, scale, unit, levels):
    """α / ((1 − α)·u) is the same in both units."""
    setting = Setting("any", alpha, scale)
    assert (setting.unit_alpha, setting.levels_alpha) == pytest.approx((unit, levels), rel=1e-5)
    assert setting.unit_alpha / (1 - setting.unit_alpha) == pytest.approx(alpha / ((1 - alpha) * scale))


def test_settings_by_columns():
    """Settings come from columns, not names; g has no α, h no L1; the share of L1 is the mean over the training."""
    comparisons = sweep_of({**MEANS, "g": 30.0, "h": 30.0}, shares={"c": 0.25})
    settings = settings_of(comparisons.study, "sr")
    assert [setting.loss for setting in settings] == list("abcdef")
    assert [setting.share for setting in settings] == pytest.approx([np.nan] * 2 + [0.25] + [np.nan] * 3, nan_ok=True)
    assert settings_of(comparisons.study, "jpeg") == []


def test_sweep():
    """The range ends at the first worse neighbour, although the next setting, f, is equal to the best."""
    (sweep,) = sweeps(sweep_of())
    assert sweep.best.loss == "c"
    assert [setting.loss for setting in sweep.ends] == ["b", "d"]
    assert [setting.key for setting in sweep.nearest] == [PAPER, NAIVE, CODE]
    (other,) = sweeps(sweep_of({**MEANS, "c": 29.5}))
    assert (other.best.loss, [setting.loss for setting in other.ends]) == ("f", ["f", "f"])
    assert [setting.key for setting in other.nearest] == [NAIVE, CODE]
    (flat,) = sweeps(sweep_of(dict.fromkeys(MEANS, 30.0)))
    assert [setting.loss for setting in flat.ends] == ["a", "f"]


def test_no_sweep():
    """A sweep needs two settings with scores."""
    assert sweeps(sweep_of({"c": 30.0})) == []
    assert sweeps(sweep_of({"c": 30.0, "d": np.nan})) == []


def test_answer():
    """The range is the intersection of the ranges of all tasks and test sets."""
    (first,), (second,) = sweeps(sweep_of()), sweeps(sweep_of({**MEANS, "b": 29.0}))
    words = answer([first, second])
    assert "α = 0.84, L1 in 8-bit levels (our reading of the paper), in 2 of 2 pairs of task and test set." in words
    assert "α from 0.02 to 0.025 with L1 in [0, 1] (0.84 to 0.87 with L1 in 8-bit levels)" in words
    (third,) = sweeps(sweep_of({**MEANS, "c": 29.5}))
    assert "no α that was trained" in answer([first, third])


def test_tables():
    comparisons = sweep_of(shares={"c": 0.25})
    (sweep,) = sweeps(comparisons)
    ((name, cells),) = readings_table(comparisons, [sweep]).rows
    assert name == "Super-resolution ×2 on Kodak24"
    assert [cell.text for cell in cells] == ["0.02", "best", "−0.04", "−0.08", "0.0039 – 0.025"]
    assert [cell.best for cell in cells] == [False, True, True, True, False]
    table = sweep_table(comparisons, sweep)
    assert [name for name, _ in table.rows][2] == "α = 0.84, L1 in 8-bit levels (our reading of the paper)"
    assert [cell.text for cell in table.rows[2][1]] == ["0.0202", "25 %", "30.00"]
    assert table.rows[0][1][2].interval.startswith("−1.00\n[")
    assert [cells[2].best for _, cells in table.rows] == [False, True, True, True, False, True]
