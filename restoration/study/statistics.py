"""Comparisons of two losses: paired differences with their intervals and verdicts.

A comparison is of two losses in one part of a study, on one task and test set, by one metric. Its difference is first −
second: the mean over photographs and over the seeds that both losses have. A column without a training (the degraded
input, a baseline) is compared with every seed of the other. A photograph without a finite value in either loss is left
out and counted.

Interval: 95 %, over photographs and trainings (`intervals`). The few seeds of one loss say little about how far a
training moves its mean, so one variance is pooled for each family of losses: from all losses of the family with
several seeds for the same task, test set and metric, in any part of the study. A family without repeats takes the
largest family variance. Without any repeats the interval is over photographs only. Variances of two families are
added by the Welch-Satterthwaite formula.

Verdict on the first loss, with the margin m of the metric (0.1 dB, or the same share of an error; see `names`):
    equal      the interval lies within ± m
    better     the interval lies beyond 0 on the better side, and not within ± m
    worse      the interval lies beyond 0 on the worse side, and not within ± m
    not known  in all other cases, and always with fewer than six photographs
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from restoration.names import UNTRAINED, metric, ordered_columns
from restoration.study.intervals import mean_intervals
from restoration.study.records import Study
from restoration.study.values import Condition, Values, values_by_column

BETTER, EQUAL, WORSE, NOT_KNOWN = "better", "equal", "worse", "not known"
FEWEST = 6  # photographs
FAMILY, LARGEST, NO_REPEATS = "family", "largest family", "no repeats"  # sources of a seed variance


class Pair(NamedTuple):
    """Two losses under one condition."""

    condition: Condition
    first: str
    second: str

    def by(self, name: str) -> "Pair":
        """The same pair by another metric."""
        return self._replace(condition=self.condition._replace(metric=name))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two losses under one condition; numbers in the metric's own unit.

    Attributes:
        difference: first − second; not a number if no photograph counts.
        low, high: 95 % interval; not numbers with fewer than six photographs.
        margin: the largest difference that counts as equal.
        verdict: on the first loss.
        images: number of photographs that count, or of tiles if `tiled`.
        left_out: number of photographs without a finite value.
        seeds: number of trainings that count; 0: both are columns without a training.
        seed_variance: FAMILY, LARGEST or NO_REPEATS (the interval is over photographs only); empty without a training.
        tiled: all images are tiles of one raw photograph; other photographs may differ.
    """

    condition: Condition
    first: str
    second: str
    difference: float
    low: float
    high: float
    margin: float
    verdict: str
    images: int
    left_out: int
    seeds: int
    seed_variance: str
    tiled: bool = False

    def __str__(self) -> str:
        """As in "+0.18 dB [0.12, 0.25]"."""
        parts = [self.shown, metric(self.condition.metric).unit, self.interval] if self.images else ["–"]
        return " ".join(filter(None, parts))

    @property
    def shown(self) -> str:
        """The difference, as in "+0.18"."""
        return metric(self.condition.metric).shown_difference(self.difference, sign=True)

    @property
    def interval(self) -> str:
        """As in "[0.12, 0.25]"; empty without one."""
        shown = metric(self.condition.metric).shown_difference
        return "" if math.isnan(self.low) else f"[{shown(self.low)}, {shown(self.high)}]"

    @property
    def basis(self) -> str:
        """As in "40 photographs (1 left out), 3 seeds"."""
        unit = "tiles of one photograph" if self.tiled else "photographs"
        left_out = f" ({self.left_out} left out)" if self.left_out else ""
        seeds = f"{self.seeds} seed{'' if self.seeds == 1 else 's'}" if self.seeds else "no training"
        sources = {LARGEST: ", seed variance of another family", NO_REPEATS: ", seed variance not known"}
        return f"{self.images} {unit}{left_out}, {seeds}{sources.get(self.seed_variance, '')}"


class Spread(NamedTuple):
    """Variance of a mean over photographs from training to training, and the degrees of freedom of this variance."""

    variance: float
    freedom: float


class Comparisons:
    """The scores of a study by column, and all comparisons of two columns, computed on demand and kept."""

    def __init__(self, study: Study):
        self.study = study
        self._values = values_by_column(study)
        self._columns: dict[Condition, list[str]] = {}
        for condition, column in self._values:
            self._columns.setdefault(condition, []).append(column)
        trained = study.runs[["part", "task", "loss"]].itertuples(index=False, name=None)
        self._families = dict(zip(trained, study.runs["family"], strict=True))
        self._spreads = self._pooled_spreads()
        self._known: dict[Pair, Comparison] = {}

    def columns(self, condition: Condition) -> list[str]:
        """The columns that are scored under a condition, ordered: the degraded input, baselines, losses."""
        untrained = self._columns.get(condition._replace(part=""), [])
        return ordered_columns([*untrained, *self._columns.get(condition, [])])

    def values(self, condition: Condition, column: str) -> Values | None:
        """The scores of one column; None if it is not scored."""
        return self._values.get((condition._replace(part="") if column in UNTRAINED else condition, column))

    def compare(self, condition: Condition, first: str, second: str) -> Comparison | None:
        """One comparison; None if a loss is not scored there, or the two have no common seed."""
        pair = Pair(condition, first, second)
        return self.compare_all([pair]).get(pair)

    def compare_all(self, pairs: Iterable[Pair]) -> dict[Pair, Comparison]:
        """Many comparisons at once, which is faster; pairs that cannot be compared are left out."""
        wanted = list(dict.fromkeys(pairs))
        prepared = [paired for pair in wanted if pair not in self._known and (paired := self._paired(pair))]
        for images in {len(paired.differences) for paired in prepared}:
            group = [paired for paired in prepared if len(paired.differences) == images]
            low = high = np.full(len(group), np.nan)
            if images >= FEWEST:
                differences = np.stack([paired.differences for paired in group])
                errors = np.array([math.sqrt(paired.spread.variance) for paired in group])
                low, high = mean_intervals(differences, errors, np.array([paired.spread.freedom for paired in group]))
            for paired, *bounds in zip(group, low.tolist(), high.tolist(), strict=True):
                self._known[paired.pair] = _judged(paired, *bounds)
        return {pair: self._known[pair] for pair in wanted if pair in self._known}

    def _paired(self, pair: Pair) -> "_Paired | None":
        """The differences of a pair, photograph by photograph."""
        condition, first, second = pair
        one, other = self.values(condition, first), self.values(condition, second)
        if one is None or other is None:
            return None
        trained = [loss for loss in (first, second) if loss not in UNTRAINED]
        if len(trained) == 2:
            seeds = np.intersect1d(one.seeds, other.seeds)
            if not len(seeds):
                return None
            one, other = (each._replace(values=each.values[:, np.isin(each.seeds, seeds)]) for each in (one, other))
        count = max(one.values.shape[1], other.values.shape[1])
        finite = one.finite & other.finite
        spread, source = self._spread(condition, trained, count)
        return _Paired(
            pair=pair,
            differences=(one.values - other.values)[finite].mean(axis=1),
            reference=other.values[finite],
            left_out=int((~finite).sum()),
            seeds=count if trained else 0,
            spread=spread,
            seed_variance=source,
            tiled=one.tiled,
        )

    def _spread(self, condition: Condition, losses: Sequence[str], seeds: int) -> tuple[Spread, str]:
        """The spread of a difference if each loss were trained again as often, and the source of this spread."""
        known = self._spreads.get(condition[1:], {})
        if not losses or not known:
            return Spread(0.0, 1.0), NO_REPEATS if losses else ""
        families = [self._family(condition, loss) for loss in losses]
        variances: dict[Spread, float] = {}  # losses of one family share the degrees of freedom
        for spread in (known.get(family, max(known.values())) for family in families):
            variances[spread] = variances.get(spread, 0.0) + spread.variance / seeds
        total = sum(variances.values())
        parts = sum(variance**2 / spread.freedom for spread, variance in variances.items())
        return Spread(total, total**2 / parts if parts else 1.0), FAMILY if known.keys() >= {*families} else LARGEST

    def _family(self, condition: Condition, loss: str) -> str:
        """The family of a loss. Raw files are restored by the networks of the main part."""
        part = "main" if condition.part == "raw" else condition.part
        return self._families.get((part, condition.task, loss), loss)

    def _pooled_spreads(self) -> dict[tuple[str, ...], dict[str, Spread]]:
        """The spread of each family, by task, test set and metric."""
        means: dict[tuple[str, ...], dict[str, list[np.ndarray]]] = {}
        for (condition, loss), column in self._values.items():
            if len(column.seeds) > 1 and column.finite.any():
                families = means.setdefault(condition[1:], {})
                families.setdefault(self._family(condition, loss), []).append(column.values[column.finite].mean(axis=0))
        return {key: {name: _pooled(losses) for name, losses in families.items()} for key, families in means.items()}


class _Paired(NamedTuple):
    """The differences of a pair, (photographs,), and what its verdict needs."""

    pair: Pair
    differences: np.ndarray
    reference: np.ndarray
    left_out: int
    seeds: int
    spread: Spread
    seed_variance: str
    tiled: bool


def verdict(low: float, high: float, margin: float, *, higher_is_better: bool) -> str:
    """The verdict on the first loss, from the interval of first − second; without an interval it is not known."""
    if -margin <= low and high <= margin:
        return EQUAL
    if low > 0 or high < 0:
        return BETTER if (low > 0) == higher_is_better else WORSE
    return NOT_KNOWN


def _judged(paired: _Paired, low: float, high: float) -> Comparison:
    condition, first, second = paired.pair
    facts, images = metric(condition.metric), len(paired.differences)
    margin = facts.margin_at(float(paired.reference.mean())) if images else math.nan
    return Comparison(
        condition=condition,
        first=first,
        second=second,
        difference=float(paired.differences.mean()) if images else math.nan,
        low=low,
        high=high,
        margin=margin,
        verdict=verdict(low, high, margin, higher_is_better=facts.higher_is_better),
        images=images,
        left_out=paired.left_out,
        seeds=paired.seeds,
        seed_variance=paired.seed_variance,
        tiled=paired.tiled,
    )


def _pooled(means: Sequence[np.ndarray]) -> Spread:
    """The pooled spread of several losses, given their means over photographs, (seeds,) each."""
    freedom = sum(len(each) - 1 for each in means)
    return Spread(sum(float(np.sum((each - each.mean()) ** 2)) for each in means) / freedom, freedom)
