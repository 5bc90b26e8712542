"""Comparisons of two losses: paired differences with their intervals and verdicts.

Two losses are compared under one condition: a part of the study, a task, a test set and a metric.

Difference: first − second, in the metric's unit; the mean over photographs and over the seeds that both losses have. A
column without training (the degraded input, a baseline) is compared with every seed of the other. A photograph whose
value is not finite for one of the two is left out; the number of such photographs is reported.

Interval, 95 %: over photographs (`intervals`) and over trainings, whose variance is pooled (`variances`).

Verdict on the first loss, with the margin m of the metric (0.1 dB, or the same share of an error; see `names`):
    equal      the interval lies within ± m: an equivalence test (Schuirmann 1987)
    better     not equal, and the whole interval is on the better side of 0
    worse      not equal, and the whole interval is on the worse side of 0
    not known  all other cases. Always with fewer than six photographs. Always for a trained loss if no loss of the task
               has several seeds: the interval is then over photographs only

Assumptions: photographs are independent of each other, as are trainings. There is no correction for
many comparisons: about one in twenty comparisons of equal losses is called better or worse.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from restoration.names import UNTRAINED, metric, ordered_columns
from restoration.study.intervals import mean_intervals
from restoration.study.records import Study
from restoration.study.values import Condition, Values, values_by_column
from restoration.study.variances import LARGEST, NO_REPEATS, SeedVariances, Spread

BETTER, EQUAL, WORSE, NOT_KNOWN = "better", "equal", "worse", "not known"
FEWEST = 6  # photographs
SOURCES = {LARGEST: ", seed variance of another family or test set", NO_REPEATS: ", seed variance not known"}


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
        difference: first − second; NaN without photographs.
        low, high: 95 % interval; NaN with fewer than six photographs.
        margin: the largest difference that counts as equal.
        verdict: on the first loss.
        images: number of photographs, or of tiles if `tiled`.
        left_out: number of photographs without a finite value.
        seeds: number of trainings; 0 if neither column was trained.
        seed_variance: source of the variance, as in `variances`; empty without a training.
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
        """Difference, unit and interval, as in "+0.18 dB [0.12, 0.25]"."""
        parts = [self.shown, metric(self.condition.metric).unit, self.interval] if self.images else ["–"]
        return " ".join(filter(None, parts))

    @property
    def shown(self) -> str:
        """The difference, as in "+0.18"."""
        return metric(self.condition.metric).shown_difference(self.difference, sign=True)

    @property
    def interval(self) -> str:
        """The interval, as in "[0.12, 0.25]"; empty if unknown."""
        shown = metric(self.condition.metric).shown_difference
        return "" if math.isnan(self.low) else f"[{shown(self.low)}, {shown(self.high)}]"

    @property
    def basis(self) -> str:
        """The data behind the comparison, as in "40 photographs (1 left out), 3 seeds"."""
        unit = "tiles of one photograph" if self.tiled else "photographs"
        left_out = f" ({self.left_out} left out)" if self.left_out else ""
        seeds = f"{self.seeds} seed{'' if self.seeds == 1 else 's'}" if self.seeds else "no training"
        return f"{self.images} {unit}{left_out}, {seeds}{SOURCES.get(self.seed_variance, '')}"


class Comparisons:
    """The scores of a study by column, and all comparisons of two columns, computed once, on demand."""

    def __init__(self, study: Study):
        self.study = study
        self._values = values_by_column(study)
        self._variances = SeedVariances(study, self._values)
        self._columns: dict[Condition, list[str]] = {}
        for condition, column in self._values:
            self._columns.setdefault(condition, []).append(column)
        self._known: dict[Pair, Comparison] = {}

    @property
    def has_repeats(self) -> bool:
        """Whether any loss has several seeds; otherwise all verdicts on trained losses are "not known"."""
        return self._variances.known

    def columns(self, condition: Condition) -> list[str]:
        """The columns that are scored under a condition, ordered: the degraded input, baselines, losses."""
        untrained = self._columns.get(condition._replace(part=""), [])
        return ordered_columns([*untrained, *self._columns.get(condition, [])])

    def values(self, condition: Condition, column: str) -> Values | None:
        """The scores of one column; None if it is not scored."""
        return self._values.get((condition._replace(part="") if column in UNTRAINED else condition, column))

    def intervals(self, columns: Iterable[tuple[Condition, str]]) -> dict[tuple[Condition, str], tuple[float, float]]:
        """The 95 % interval of the mean of each column; NaN with fewer than six photographs."""
        known = {key: values for key in columns if (values := self.values(*key))}
        bounds = dict.fromkeys(known, (math.nan, math.nan))
        for images in {int(values.finite.sum()) for values in known.values()}:
            keys = [key for key, values in known.items() if values.finite.sum() == images]
            if images >= FEWEST:
                means = np.stack([known[key].values[known[key].finite].mean(axis=1) for key in keys])
                trained = [[] if loss in UNTRAINED else [loss] for _, loss in keys]
                spreads = [
                    self._variances.of_difference(key[0], losses, len(known[key].seeds))[0]
                    for key, losses in zip(keys, trained, strict=True)
                ]
                variance, freedom = np.array(spreads).T
                low, high = mean_intervals(means, np.sqrt(variance), freedom)
                bounds |= dict(zip(keys, zip(low.tolist(), high.tolist(), strict=True), strict=True))
        return bounds

    def compare(self, condition: Condition, first: str, second: str) -> Comparison | None:
        """One comparison; None if a loss is not scored under this condition, or the two losses have no common seed."""
        pair = Pair(condition, first, second)
        return self.compare_all([pair]).get(pair)

    def compare_all(self, pairs: Iterable[Pair]) -> dict[Pair, Comparison]:
        """Many comparisons together, faster than one by one; pairs that cannot be compared are left out."""
        wanted = list(dict.fromkeys(pairs))
        samples = {pair: sample for pair in wanted if pair not in self._known and (sample := self._sample(pair))}
        for images in {len(sample.differences) for sample in samples.values()}:
            group = {pair: sample for pair, sample in samples.items() if len(sample.differences) == images}
            low = high = np.full(len(group), np.nan)
            if images >= FEWEST:
                differences = np.stack([sample.differences for sample in group.values()])
                variance, freedom = np.array([sample.spread for sample in group.values()]).T
                low, high = mean_intervals(differences, np.sqrt(variance), freedom)
            for (pair, sample), *bounds in zip(group.items(), low.tolist(), high.tolist(), strict=True):
                self._known[pair] = _judged(pair, sample, *bounds)
        return {pair: self._known[pair] for pair in wanted if pair in self._known}

    def _sample(self, pair: Pair) -> "_Sample | None":
        """The differences of a pair, photograph by photograph; None without common seeds."""
        condition, first, second = pair
        left, right = self.values(condition, first), self.values(condition, second)
        trained = [loss for loss in (first, second) if loss not in UNTRAINED]
        if left is None or right is None:
            return None
        if len(trained) == 2:
            seeds = np.intersect1d(left.seeds, right.seeds)
            left, right = left.of_seeds(seeds), right.of_seeds(seeds)
        if not (len(left.seeds) and len(right.seeds)):
            return None
        seeds = max(len(left.seeds), len(right.seeds)) if trained else 0
        finite = left.finite & right.finite
        spread, source = self._variances.of_difference(condition, trained, seeds)
        facts = {"left_out": int((~finite).sum()), "seeds": seeds, "seed_variance": source, "tiled": left.tiled}
        return _Sample((left.values - right.values)[finite].mean(axis=1), right.values[finite], spread, facts)


class _Sample(NamedTuple):
    """Input of a verdict: the differences, (photographs,), the scores of the second loss, and facts about both."""

    differences: np.ndarray
    reference: np.ndarray
    spread: Spread
    facts: dict[str, Any]


def verdict(low: float, high: float, margin: float, *, higher_is_better: bool) -> str:
    """The verdict on the first loss, from the interval of first − second; without an interval it is not known."""
    if -margin <= low and high <= margin:
        return EQUAL
    if low > 0 or high < 0:
        return BETTER if (low > 0) == higher_is_better else WORSE
    return NOT_KNOWN


def _judged(pair: Pair, sample: _Sample, low: float, high: float) -> Comparison:
    facts, images = metric(pair.condition.metric), len(sample.differences)
    margin = facts.margin_at(float(sample.reference.mean())) if images else math.nan
    known = verdict(low, high, margin, higher_is_better=facts.higher_is_better)
    return Comparison(
        **pair._asdict(),
        difference=float(sample.differences.mean()) if images else math.nan,
        low=low,
        high=high,
        margin=margin,
        verdict=NOT_KNOWN if sample.facts["seed_variance"] == NO_REPEATS else known,
        images=images,
        **sample.facts,
    )
