"""Is one loss better than another? Paired differences per image, their uncertainty and tests; `scores` makes them.

A difference is first − second, photograph by photograph and seed by seed, on the seeds that both have; what has no seed
(the degraded input, bilinear, BM3D) meets every seed of the other. A photograph without a finite value (MS-SSIM of a
small one, the PSNR of a perfect one) is left out and counted.

Interval: 95 %, percentiles of the mean over resampled photographs, moved by what another choice of seeds would change.
How far a seed moves a loss's mean is taken from all losses of its kind (`columns.kind_of`) that were trained several
times for the same task, test set and metric, in whichever variant, as one variance for all of them: a few seeds of one
loss say too little of it. Where no loss of its kind was, the kind that seeds move furthest stands in. Hence a loss that
was trained once has an interval that knows of other seeds, too, if others were trained several times; else it is over
photographs alone and says so. How often intervals hold the truth, and equal losses are called different:
tests/test_statistics.py simulates it.
Test: Wilcoxon's signed ranks, two-sided, on each photograph's mean over seeds. It asks whether these trained networks
differ on photographs like these, so a loss is called better only where test and interval agree, in direction too: the
mean of few large differences may be opposite to most photographs. Holm's correction counts all comparisons that are
made together; it corrects the test. Of other seeds the interval alone knows, comparison by comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from scipy import stats

from restoration.study.columns import title_of
from restoration.study.scales import scale_of

LEVEL = 0.05  # of the tests


@dataclass(frozen=True, order=True)
class Condition:
    """What stays the same while losses are compared."""

    data: str
    variant: str
    task: str
    test_set: str
    metric: str


@dataclass(frozen=True)
class Difference:
    """Mean of first − second in the metric's own unit, with its interval and p before and after Holm's correction.

    Attributes:
        images: photographs that count; with none, value, interval and p are not numbers.
        rank_biserial: how one-sided Wilcoxon's signed ranks are, from −1, all below 0, to 1 (Kerby 2014).
        seeds: trainings that count; 0: neither side is trained.
        freedom: degrees of freedom with which it is known what another seed changes; 0: it is not known.
        left_out: photographs without a finite value.
    """

    at: Condition
    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    rank_biserial: float
    images: int
    seeds: int
    freedom: float
    left_out: int
    p_holm: float = np.nan

    @property
    def better(self) -> str | None:
        """The better loss where both interval and corrected test are sure of the same one, else None."""
        agree = self.low > 0 < self.rank_biserial or self.high < 0 > self.rank_biserial
        if not (self.p_holm < LEVEL and agree):
            return None
        return self.first if (self.low > 0) == scale_of(self.at.metric).higher_is_better else self.second

    @property
    def of_these_trainings(self) -> bool:
        """Whether another seed may change it, and nothing is known of how much."""
        return self.seeds > 0 and not self.freedom

    def __str__(self) -> str:
        """As in "Mix − L1 = +0.18 dB [0.12, 0.25]"."""
        names = f"{title_of(self.first)} − {title_of(self.second)}"
        scale = scale_of(self.at.metric)
        if not self.images:
            return f"{names}: no image has a finite {scale.unit}"
        low, high = scale.shown(self.low), scale.shown(self.high)
        return f"{names} = {scale.shown(self.value, sign='+')} {scale.unit} [{low}, {high}]"

    def shown_p(self) -> str:
        """P after Holm's correction, in words; empty where there is none."""
        if np.isnan(self.p_holm):
            return ""
        return "p < 0.001 after Holm" if self.p_holm < 0.001 else f"p = {self.p_holm:.3f} after Holm"

    def basis(self, unit: str = "image") -> str:
        """How many images (or units of that name) and seeds count, and what does not."""
        seeds = _counted(self.seeds, "seed") if self.seeds else "no training"
        seeds += f" (interval over {unit}s only)" if self.of_these_trainings else ""
        left_out = [f"{_counted(self.left_out, unit)} left out"] if self.left_out else []
        return ", ".join([_counted(self.images, unit), seeds, *left_out])


def signed_ranks(values: np.ndarray) -> tuple[float, float]:
    """Wilcoxon's two-sided p of (images,) and their rank-biserial correlation; 1 and 0 where all are zero.

    What the ninth digit tells apart counts as equal.
    """
    largest = np.abs(values).max(initial=0)
    if not largest:
        return 1.0, 0.0
    rounded = np.round(values / largest, 9)
    signed = rounded[rounded != 0]
    ranks = stats.rankdata(np.abs(signed))
    return float(cast(Any, stats.wilcoxon(rounded)).pvalue), float((np.sign(signed) * ranks).sum() / ranks.sum())


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p values; what is not a number stays so and does not count."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with Holm's correction over all of them; a − b and b − a are one test."""
    tests = {(each.at, frozenset((each.first, each.second))): each.p for each in differences}
    adjusted = dict(zip(tests, holm(list(tests.values())).tolist(), strict=True))
    return [replace(each, p_holm=adjusted[each.at, frozenset((each.first, each.second))]) for each in differences]


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
