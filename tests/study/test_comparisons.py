"""Tables of every loss against the references, and ranks, equal what is counted by hand."""

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest

from restoration.errors import UserError
from restoration.study.comparisons import (
    compare_all,
    comparison_frame,
    comparison_tables,
    mean_ranks,
    rank_records,
    rank_tables,
)
from restoration.study.rendering import Cell
from restoration.study.scales import RANK
from restoration.study.scores import Scores
from tests.records import PLACE, records_of

ERROR = replace(PLACE, metric="l2")


@pytest.fixture
def records() -> pd.DataFrame:
    """Mix 1 dB above L1 above L2, of 10 photographs and two seeds, the input far below; errors likewise."""
    rng = np.random.default_rng(0)
    base = rng.normal(30, 3, (10, 1)) + rng.normal(0, 1e-3, (10, 2))
    gains = {"input": -6, "l2": 0, "l1": 1, "mix": 2}
    psnr = {loss: base + rng.normal(gain, 1e-3, (10, 1)) for loss, gain in gains.items()}
    errors = {loss: 10 ** (-values / 10) for loss, values in psnr.items()}
    errors["input"], psnr["input"] = errors["input"][:, :1], psnr["input"][:, :1]
    return pd.concat([records_of(psnr), records_of(errors, ERROR)])


def test_every_loss_meets_both_references_at_every_condition(records):
    found = compare_all(Scores(records), PLACE.variant, resamples=500)
    assert [(each.at.metric, each.first, each.second) for each in found] == [
        (metric, first, second)
        for metric in ("l2", "psnr")  # as the tables have them
        for first, second in (
            ("input", "l2"),
            ("l1", "l2"),
            ("mix", "l2"),
            ("input", "mix"),
            ("l2", "mix"),
            ("l1", "mix"),
        )
    ]
    frame = comparison_frame(found).set_index(["metric", "first", "second"])
    assert frame.loc[("psnr", "l1", "l2"), "value"] == pytest.approx(1, abs=2e-3)
    assert frame.loc[("psnr", "l1", "l2"), "better"] == "l1"
    assert frame.loc[("l2", "l1", "mix"), "better"] == "mix"
    # ten tests, mix − l2 and l2 − mix being one; all have the least p of ten images
    assert frame["p"].to_numpy() == pytest.approx(2 / 2**10)
    assert frame["p_holm"].to_numpy() == pytest.approx(10 * 2 / 2**10)


def test_tables_of_comparisons(records):
    tables = comparison_tables(compare_all(Scores(records), PLACE.variant, resamples=500))
    titles = [table.title for table in tables]
    assert titles == ["Against L2: sr on kodak24 (photos, cpu)", "Against Mix: sr on kodak24 (photos, cpu)"]
    assert tables[0].columns == ["Input", "L1", "Mix"]
    lost, gained, twice = dict(tables[0].rows)["PSNR (dB)"]
    assert gained == Cell("+1.00", "[1.00, 1.00]", best=True)
    assert twice == Cell("+2.00", "[2.00, 2.00]", best=True)
    assert (lost.text[:3], lost.interval[-3:], lost.best) == ("−6.", "] *", False)  # the input is worse
    counts, rule = tables[0].notes
    assert counts.startswith("10 images, 2 seeds; ")
    assert "1 seed" not in counts
    assert "correction for 10 comparisons" in rule
    assert tables == comparison_tables(
        compare_all(Scores(records.sample(frac=1, random_state=3)), PLACE.variant, resamples=500)
    )


def test_tables_say_what_is_left_out_and_what_one_seed_does_not_know():
    values = {"l2": np.array([[0.9], [0.8], [nan]]), "l1": np.array([[0.91], [0.83], [nan]])}
    ssim = replace(PLACE, metric="ms_ssim")
    psnr = {"l2": np.ones((3, 1)), "l1": np.zeros((3, 1))}
    found = compare_all(Scores(pd.concat([records_of(psnr), records_of(values, ssim)])), PLACE.variant)
    (table,) = comparison_tables(found)
    assert dict(table.rows) == {
        "PSNR (dB)": [Cell("−1.00", "[−1.00, −1.00]")],  # three images prove nothing
        "MS-SSIM (1 left out)": [Cell("+0.0200", "[0.0100, 0.0300]")],
    }
    assert table.notes[0].startswith("3 images, 1 seed; ")
    assert "over images and seeds; over images only" in table.notes[0]


def test_ranks_by_hand():
    values = {  # psnr of three photographs
        "l2": np.array([[30.0], [31.0], [29.0]]),
        "l1": np.array([[31.0], [31.0], [28.0]]),
        "mix": np.array([[32.0], [33.0], [27.0]]),
    }
    lower = {loss: -table for loss, table in values.items()}
    lower["l1"] = np.array([[-31.0], [nan], [-28.0]])
    frame = mean_ranks(Scores(pd.concat([records_of(values), records_of(lower, ERROR)])), PLACE.variant).set_index(
        "metric"
    )
    # ranks: 3 2 1, 2.5 2.5 1, 1 2 3
    assert frame.loc["psnr", ["l2", "l1", "mix"]].tolist() == pytest.approx([6.5 / 3, 6.5 / 3, 5 / 3])
    assert frame.loc["l2", ["l2", "l1", "mix"]].tolist() == [2, 2, 2]
    assert frame.loc["l2", ["images", "left_out"]].tolist() == [2, 1]
    (table,) = rank_tables(frame.reset_index())
    assert table.title == "Mean rank over images, 1 is best: sr on kodak24 (photos, cpu)"
    assert dict(table.rows)["PSNR (dB)"] == [Cell("2.17"), Cell("2.17"), Cell("1.67", best=True)]


def test_ranks_are_of_the_seeds_that_all_losses_have():
    values = {"l2": np.full((3, 1), 30.0), "bm3d": np.full((3, 1), 32.0)}
    l1 = np.array([[31.0, 40.0]] * 3)  # the second training alone would be the best
    row = mean_ranks(Scores(pd.concat([records_of(values), records_of({"l1": l1})])), PLACE.variant).iloc[0]
    assert row[["bm3d", "l1", "l2"]].tolist() == [1, 2, 3]
    apart = pd.concat([records_of(values), records_of({"l1": l1}, first_seed=1)])
    assert mean_ranks(Scores(apart), PLACE.variant).empty


def test_artefacts_are_compared_where_the_task_may_leave_them():
    values = {"l2": np.ones((6, 1)), "l1": np.zeros((6, 1))}
    places = [
        replace(PLACE, task=task, metric=metric) for task in ("sr", "jpeg") for metric in ("grating", "block_step")
    ]
    records = pd.concat([records_of(values, at) for at in places])
    expected = [("sr", "grating"), ("jpeg", "block_step")]
    assert [(each.at.task, each.at.metric) for each in compare_all(Scores(records), PLACE.variant)] == expected
    assert mean_ranks(Scores(records), PLACE.variant)[["task", "metric"]].values.tolist() == [
        list(each) for each in expected
    ]


def test_a_training_that_lacks_a_value_loses_the_image():
    values = {"l2": np.ones((3, 2)), "l1": np.array([[2.0, nan], [2.0, 2.0], [0.0, 0.0]])}
    row = mean_ranks(Scores(records_of(values)), PLACE.variant).iloc[0]
    assert (row["images"], row["left_out"], row["l1"]) == (2, 1, 1.5)


def test_ranks_refuse_other_images():
    records = pd.concat([records_of({"l2": np.ones((3, 1))}), records_of({"l1": np.ones((2, 1))})])
    with pytest.raises(UserError, match="l1 and l2 are not scored on the same images of kodak24"):
        mean_ranks(Scores(records), PLACE.variant)


def test_ranks_over_metrics_are_records_of_their_own():
    psnr = {"l2": np.array([[30.0, 30.0]]), "l1": np.array([[31.0, 29.0]])}
    errors = {"l2": np.array([[1.0, 1.0]]), "l1": np.array([[2.0, 2.0]])}
    scores = Scores(pd.concat([records_of(psnr), records_of(errors, ERROR)]))
    at = replace(PLACE, metric=RANK)
    ranks = rank_records(scores, at, ("l2", "l1"), ("psnr", "l2"))
    found = ranks.set_index(["loss", "seed"])["value"].to_dict()
    # seed 0: l1 is first by psnr, second by error; seed 1: second by both
    assert found == {("l2", 0): 1.5, ("l1", 0): 1.5, ("l2", 1): 1.0, ("l1", 1): 2.0}
    assert Scores(ranks).compare(at, "l2", "l1").value == -0.5
    assert rank_records(scores, at, ("l2", "mix"), ("psnr", "l2")).empty
    assert rank_records(scores, at, ("l2", "l1"), ("psnr", "l2", "ssim")).empty  # it would be of other metrics


def test_losses_of_another_variant_are_not_compared_but_their_seeds_count(records):
    once = records[records["seed"] == 0].assign(variant="gpu")
    alone, beside = (compare_all(Scores(each), "gpu") for each in (once, pd.concat([records, once])))
    assert {each.at.variant for each in beside} == {"gpu"}
    assert [each.value for each in beside] == [each.value for each in alone]
    assert all(each.of_these_trainings for each in alone)
    assert not any(each.of_these_trainings for each in beside)
    assert beside[-1].high - beside[-1].low > 1.2 * (alone[-1].high - alone[-1].low)
