"""Intervals against a brute-force bootstrap, closed cases, and a simulation of their coverage."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from scipy import stats

from restoration.study.intervals import expansion, mean_intervals


def widened(values: np.ndarray) -> np.ndarray:
    """Values whose plain bootstrap gives the expanded interval."""
    return values.mean() + expansion(len(values)) * (values - values.mean())


def interval(values: np.ndarray, error: float = 0.0, freedom: float = 1.0) -> np.ndarray:
    return np.array(mean_intervals(values[None], np.array([error]), np.array([freedom])))[:, 0]


@pytest.mark.parametrize(("error", "freedom"), [(0.1, 2), (0.1, 6), (0.3, 2.5)])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_equals_enumeration(draw, error, freedom):
    """All resamples of eight photographs, each with Student's distribution around its mean."""
    values = getattr(np.random.default_rng(7), draw)(size=8)
    resamples = np.array(list(combinations_with_replacement(range(8), 8)))
    counts = (resamples[:, :, None] == np.arange(8)).sum(axis=1)
    share = stats.multinomial.pmf(counts, 8, np.full(8, 1 / 8))
    means = counts @ widened(values) / 8

    low, high = interval(values, error, freedom)
    for bound, share_below in ((low, 0.025), (high, 0.975)):
        spread = stats.t.cdf((bound - means) / error, freedom)
        assert share @ spread == pytest.approx(share_below, abs=0.0005)


def test_equals_bootstrap():
    """Photographs with one outlier; tolerance: five Monte Carlo errors of the bootstrap."""
    rng = np.random.default_rng(7)
    values = np.append(rng.normal(0, 0.05, 23), 1.0)
    means = rng.multinomial(24, np.full(24, 1 / 24), size=200_000) @ widened(values) / 24
    expected = np.quantile(means, [0.025, 0.975])
    assert interval(values) == pytest.approx(expected, abs=0.008 * np.ptp(expected))


@pytest.mark.parametrize("freedom", [1, 2, 6, 30])
def test_student_alone(freedom):
    """If all photographs agree, the interval is that of the trainings."""
    expected = 3 + 0.2 * stats.t.ppf([0.025, 0.975], freedom)
    assert interval(np.full(12, 3.0), 0.2, freedom) == pytest.approx(expected, abs=0.004 * np.ptp(expected))


def test_normal_differences():
    """The interval over photographs is that of Student's t test where differences are normal."""
    values = stats.norm.ppf((np.arange(40) + 0.5) / 40)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert interval(values) == pytest.approx(tuple(expected), rel=0.01)


def test_no_spread():
    assert interval(np.full(8, 2.5)).tolist() == [2.5, 2.5]


def test_shift_scale_sign():
    values = np.random.default_rng(1).exponential(size=15)
    low, high = interval(values, 0.1, 4)
    assert interval(10 * values + 7, 1.0, 4) == pytest.approx([10 * low + 7, 10 * high + 7])
    assert interval(-values, 0.1, 4) == pytest.approx([-high, -low])


def test_chunks():
    """Many means together have the same intervals as each alone."""
    values = np.random.default_rng(2).normal(size=(600, 9))
    error, freedom = np.linspace(0, 0.5, 600), np.linspace(1, 9, 600)
    together = np.array(mean_intervals(values, error, freedom))
    for cell in (0, 255, 256, 599):
        assert interval(values[cell], error[cell], freedom[cell]) == pytest.approx(together[:, cell])


@pytest.mark.parametrize("count", [6, 12, 40])
def test_coverage(count):
    """About 95 % of intervals contain the truth if photographs and trainings are drawn at random."""
    rng = np.random.default_rng(3)
    studies, freedom, moved = 4_000, 6, 0.2
    values = 0.5 + rng.normal(size=(studies, count)) + rng.normal(scale=moved, size=(studies, 1))
    error = moved * np.sqrt(rng.chisquare(freedom, studies) / freedom)
    low, high = mean_intervals(values, error, np.full(studies, freedom))
    assert 0.935 <= np.mean((low <= 0.5) & (high >= 0.5)) <= 0.965
