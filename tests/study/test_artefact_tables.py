"""Tables of artefacts hold what the records hold, on the photographs that all columns share."""

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from restoration.study.artefact_tables import artefact_table
from restoration.study.scores import Scores
from tests.records import PLACE, records_of


def test_means_intervals_and_the_least_of_what_concerns_the_task():
    values = {"input": np.full((4, 1), 3.0), "l2": np.array([[1.0], [2.0], [3.0], [nan]]), "bicubic": np.ones((4, 1))}
    values["l1"] = np.array([[1.0, 1.0], [1.5, 1.5], [2.0, 2.0], [9.0, 9.0]])
    frames = [records_of(values, replace(PLACE, metric=name)) for name in ("flat_residual", "block_step", "psnr")]
    grating = {loss: table for loss, table in values.items() if loss != "bicubic"}
    frames.append(records_of(grating, replace(PLACE, metric="grating")))
    table = artefact_table(Scores(pd.concat(frames)), PLACE, input_title="Bilinear")
    assert table is not None
    assert list(table.columns) == ["Bilinear", "Bicubic", "L2", "L1"]
    (splotches, cells), (name, others) = table.rows  # and no steps of blocks, which are JPEG's
    assert (splotches, name) == ("Splotches (3 of 4 photographs)", "Grating (3 of 4 photographs)")
    assert [cell.text for cell in cells] == ["3", "1", "2", "1.5"]
    assert [cell.best for cell in cells] == [False, True, False, False]
    assert [cell.interval for cell in cells] == ["[3, 3]", "[1, 1]", "[1, 3]", "[1, 2]"]
    assert [cell.text for cell in others] == ["3", "–", "2", "1.5"]


def test_without_measures_there_is_no_table():
    assert artefact_table(Scores(records_of({"l2": np.ones((2, 1))})), PLACE, input_title="Bilinear") is None
    nothing = records_of({"l2": np.full((2, 1), nan)}, replace(PLACE, metric="grating"))
    assert artefact_table(Scores(nothing), PLACE, input_title="Bilinear") is None


def test_intervals_know_of_other_seeds_where_a_loss_was_trained():
    values = {"input": np.full((4, 1), 3.0), "l2": np.full((4, 1), 2.0), "l1": np.array([[0.9, 1.0, 1.1]] * 4)}
    table = artefact_table(Scores(records_of(values, replace(PLACE, metric="grating"))), PLACE, input_title="Bilinear")
    assert table is not None
    ((_, (degraded, once, several)),) = table.rows
    assert degraded.interval == "[3, 3]"
    low, high = (float(end) for end in once.interval.strip("[]").split(", "))
    assert high - low == pytest.approx(2 * 0.1 * stats.t.ppf(0.975, 2), rel=0.05)
    low, high = (float(end) for end in several.interval.strip("[]").split(", "))
    assert high - low == pytest.approx(2 * 0.1 * stats.t.ppf(0.975, 2) / 3**0.5, rel=0.05)
