"""Differences, pooled variances and verdicts: hand-computed cases, properties, and a simulation of false verdicts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from restoration.errors import UserError
from restoration.study.intervals import mean_intervals
from restoration.study.statistics import (
    BETTER,
    EQUAL,
    NOT_KNOWN,
    WORSE,
    Comparison,
    Comparisons,
    verdict,
)
from restoration.study.values import Condition
from restoration.study.variances import FAMILY, LARGEST, NO_REPEATS
from tests.studies import around, study_of

PSNR = Condition("main", "jpeg", "kodak24", "psnr")
T = stats.t.ppf(0.975, [1, 2, 3, 4])  # by degrees of freedom - 1


def compared(scores, first="a", second="b", condition=PSNR, **facts) -> Comparison:
    """`scores`: by column at PSNR, or by condition and column."""
    keyed = {key if isinstance(key, tuple) else (condition, key): values for key, values in scores.items()}
    comparison = Comparisons(study_of(keyed, **facts)).compare(condition, first, second)
    assert comparison is not None
    return comparison


def constant(*means: float, images: int = 10) -> np.ndarray:
    """Each seed has the same value for every photograph: only trainings vary."""
    return np.tile(means, (images, 1))


def half_width(comparison: Comparison) -> float:
    assert comparison.high - comparison.difference == pytest.approx(comparison.difference - comparison.low, rel=0.01)
    return (comparison.high - comparison.low) / 2


# The difference


def test_mean_over_photographs_and_common_seeds():
    """Seeds 0 and 1 are common; a photograph whose value is not finite for one loss is left out."""
    a = np.array([[31.0, 32.0, 99.0], [33.0, 34.0, 99.0], [np.inf, 30.0, 30.0]])
    b = np.array([[30.0, 30.0], [30.0, 31.0], [30.0, 30.0]])
    for scores, sign in (({"a": a, "b": b}, 1), ({"a": b, "b": a}, -1)):
        comparison = compared(scores)
        assert comparison.difference == pytest.approx(sign * np.mean([1.0, 2.0, 3.0, 3.0]))
        assert (comparison.images, comparison.left_out, comparison.seeds) == (2, 1, 2)


def test_untrained_columns():
    comparison = compared({"a": constant(31.0, 33.0), "input": constant(30.0)}, second="input")
    assert (comparison.difference, comparison.seeds) == (pytest.approx(2.0), 2)
    both = compared({"bm3d": around(31), "input": around(30), "a": around(30)}, "bm3d", "input")
    assert (both.seeds, both.seed_variance) == (0, "")


def test_incomparable():
    study = study_of({(PSNR, "a"): around(30), (PSNR, "b"): around(30)})
    assert Comparisons(study).compare(PSNR, "a", "c") is None
    later = study.scores.assign(seed=study.scores["seed"] + 2 * (study.scores["loss"] == "b"))
    assert Comparisons(replace(study, scores=later)).compare(PSNR, "a", "b") is None


def test_antisymmetric_and_independent_of_order():
    study = study_of({(PSNR, "a"): around(30.3, seed=1), (PSNR, "b"): around(30, seed=2)})
    a_to_b, b_to_a = (Comparisons(study).compare(PSNR, *pair) for pair in ("ab", "ba"))
    assert a_to_b is not None
    assert b_to_a is not None
    assert (a_to_b.verdict, b_to_a.verdict) == (BETTER, WORSE)
    assert (b_to_a.difference, b_to_a.low, b_to_a.high) == pytest.approx(
        (-a_to_b.difference, -a_to_b.high, -a_to_b.low)
    )
    shuffled = replace(study, scores=study.scores.sample(frac=1, random_state=0))
    assert Comparisons(shuffled).compare(PSNR, "a", "b") == a_to_b


def test_no_finite_value():
    comparison = compared({"a": np.full(8, np.nan), "b": around(30, images=8)})
    assert (comparison.images, comparison.left_out, comparison.verdict, str(comparison)) == (0, 8, NOT_KNOWN, "–")


@pytest.mark.parametrize("change", ["missing", "twice"])
def test_different_photographs(change):
    study = study_of({(PSNR, "a"): around(30), (PSNR, "b"): around(30)})
    rows = study.scores.index.repeat(2) if change == "twice" else study.scores.index[1:]
    with pytest.raises(
        UserError, match=r"a \(main, jpeg, psnr\) is not scored on all photographs of kodak24: (00|some)"
    ):
        Comparisons(replace(study, scores=study.scores.loc[rows]))


def test_tiles_of_several_raw_files():
    """Seven files of two tiles count as seven photographs; the tiles of a single file count one by one."""
    condition = PSNR._replace(part="raw", test_set="raw")
    study = study_of(
        {(condition, "a"): np.arange(14.0), (condition, "input"): np.zeros(14)},
        test_sets={"raw": {"title": "Raw", "noise": "light"}},
    )
    names = {f"{i:02}.png": f"file{i % 7} row {i // 7} column 0" for i in range(14)}
    tiled = replace(study, scores=study.scores.assign(image=study.scores["image"].map(names)))
    comparison = Comparisons(tiled).compare(condition, "a", "input")
    assert comparison is not None
    assert (comparison.images, comparison.difference) == (7, 6.5)
    one = replace(tiled, scores=tiled.scores.assign(image=[f"file row {i} column 0" for i in range(14)] * 2))
    comparison = Comparisons(one).compare(condition, "a", "input")
    assert comparison is not None
    assert comparison.basis == "14 tiles of one photograph, 1 seed, seed variance not known"


# The seed variance


def test_pooled_over_family():
    """c was trained once: variances 1 and 4 of a and b pool to 2.5, with 3 degrees of freedom."""
    scores = {"a": constant(29, 30, 31), "b": constant(30 - 2**0.5, 30 + 2**0.5), "c": constant(30.0)}
    comparison = compared(scores, "c", "a", families=dict.fromkeys("abc", "one"))
    assert half_width(comparison) == pytest.approx(T[2] * (2 * 2.0) ** 0.5, rel=0.01)
    assert comparison.seed_variance == FAMILY


def test_welch_over_families():
    """Variances 1 (2 degrees of freedom) and 9 (1) of one training each."""
    scores = {"a": constant(29, 30, 31), "b": constant(30 - 4.5**0.5, 30 + 4.5**0.5)}
    comparison = compared({"a": scores["a"], "b": scores["b"]})
    freedom = (0.5 + 4.5) ** 2 / (0.5**2 / 2 + 4.5**2 / 1)
    assert half_width(comparison) == pytest.approx(stats.t.ppf(0.975, freedom) * 5**0.5, rel=0.01)


def test_repeats_in_another_part():
    """Only repeats of the same task, test set and metric count, from all parts."""
    seeds = PSNR._replace(part="seeds")
    scores = {(PSNR, "a"): constant(30.0), (PSNR, "input"): constant(30.0), (seeds, "a"): constant(29, 30, 31)}
    assert half_width(compared(scores, "a", "input")) == pytest.approx(T[1], rel=0.01)
    with_other_task = {**scores, (seeds._replace(task="sr"), "a"): constant(0, 100)}
    assert half_width(compared(with_other_task, "a", "input")) == pytest.approx(T[1], rel=0.01)


def test_largest_family():
    """Without repeats in the family of c, the largest family variance is used."""
    scores = {"a": constant(29.9, 30.1), "b": constant(29, 31), "c": constant(30.0), "input": constant(30.0)}
    comparison = compared(scores, "c", "input")
    assert half_width(comparison) == pytest.approx(T[0] * 2**0.5, rel=0.01)
    assert comparison.seed_variance == LARGEST
    assert comparison.basis == "10 photographs, 1 seed, seed variance of another family or test set"


def test_no_repeats():
    """With one training of each loss, no verdict on a trained loss is known."""
    comparison = compared({"a": around(35)[:, 0], "b": around(30, seed=1)[:, 0]})
    assert (comparison.seed_variance, comparison.verdict) == (NO_REPEATS, NOT_KNOWN)
    assert comparison.basis == "12 photographs, 1 seed, seed variance not known"
    assert compared({"bm3d": around(35), "input": around(30), "a": around(30)[:, 0]}, "bm3d", "input").verdict == BETTER


# The verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.05, 0.3, BETTER),
        (-0.3, -0.05, WORSE),
        (-0.1, 0.1, EQUAL),
        (0.02, 0.08, EQUAL),  # beyond 0, but within the margin
        (0.0, 0.3, NOT_KNOWN),
        (-0.05, 0.2, NOT_KNOWN),
        (np.nan, np.nan, NOT_KNOWN),
    ],
)
def test_verdict(low, high, expected):
    assert verdict(low, high, 0.1, higher_is_better=True) == expected
    opposite = {BETTER: WORSE, WORSE: BETTER}.get(expected, expected)
    assert verdict(low, high, 0.1, higher_is_better=False) == opposite


@pytest.mark.parametrize(
    ("name", "reference", "margin"),
    [
        ("psnr", 30.0, 0.1),
        ("ms_ssim", 0.9, 0.023 * 0.1),
        ("l2", 0.002, 0.023 * 0.002),
        ("l1", 0.02, 0.012 * 0.02),
        ("flat_residual", 2.0, 0.012 * 2.0),
    ],
)
def test_margin_of_the_reference(name, reference, margin):
    """0.1 dB is 2.3 % of a squared error and 1.2 % of an amplitude; the second loss is the reference."""
    scores = {"a": around(0.5 * reference, spread=0.0), "b": around(reference, spread=0.0)}
    assert compared(scores, condition=PSNR._replace(metric=name)).margin == pytest.approx(margin)


def test_fewer_than_six_photographs():
    for images, expected in ((5, NOT_KNOWN), (6, BETTER)):
        comparison = compared({"a": around(35, images=images), "b": around(30, images=images, seed=1)})
        assert comparison.verdict == expected
    assert str(compared({"a": around(35, images=2), "b": around(30, images=2)})) == "+5.00 dB"


def test_shown():
    comparison = compared({"a": around(30.18, spread=0.001), "b": around(30, spread=0.001, seed=1)})
    assert str(comparison) == "+0.18 dB [0.18, 0.18]"


@pytest.mark.parametrize("count", [12, 40])
def test_false_verdicts(count):
    """About 5 % of studies or fewer call equal losses better or worse; nearly all detect a true difference of 1 dB."""
    rng = np.random.default_rng(1)
    studies, freedom, moved = 3_000, 6, 0.1
    values = rng.normal(0, 0.5, (studies, count)) + rng.normal(0, moved, (studies, 1))
    error = moved * np.sqrt(rng.chisquare(freedom, studies) / freedom)
    for true, least, most in ((0.0, 0.0, 0.075), (1.0, 0.99, 1.0)):
        bounds = zip(*mean_intervals(values + true, error, np.full(studies, freedom)), strict=True)
        decided = [verdict(low, high, 0.1, higher_is_better=True) in (BETTER, WORSE) for low, high in bounds]
        assert least <= np.mean(decided) <= most
