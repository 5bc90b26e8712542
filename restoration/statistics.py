"""Is one loss better than another? Paired differences per image, their uncertainty, tests and ranks, from records.

A difference is first − second, photograph by photograph and seed by seed, on the seeds that both have; what has no seed
(the degraded input, bilinear, BM3D) meets every seed of the other. A photograph without a finite value (MS-SSIM of a
small one, the PSNR of a perfect one) is left out and counted.

Interval: 95 %, percentiles of the mean over resampled photographs, moved by what another choice of seeds would change.
How far a seed moves a loss's mean is taken from all losses that were trained several times for the same task, test set
and metric, in whichever variant, as one variance for all of them: of three seeds of two losses alone, resampled, an
interval holds the truth in 79 % of simulated cases where seeds shift all photographs together; so it does in 95 %.
Hence a loss that was trained once has an interval that knows of other seeds, too, if others were trained several
times; else it is over photographs alone and says so.
Test: Wilcoxon's signed ranks, two-sided, on each photograph's mean over seeds. It asks whether these trained networks
differ on photographs like these, so a loss is called better only where test and interval agree, in direction too: the
mean of few large differences may be opposite to most photographs. Holm's correction counts all comparisons that are
made together; it corrects the test. Of other seeds the interval alone knows, comparison by comparison.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import stats

from restoration.artefacts import ARTEFACTS
from restoration.bootstrap import RESAMPLES, mean_interval
from restoration.columns import UNTRAINED, title_of
from restoration.errors import UserError
from restoration.runs import COLUMNS
from restoration.scales import scale_of

LEVEL = 0.05  # of the tests
SAME = 1e-6  # relative difference of one image's values that were computed twice
SAME_LEVELS = 0.01  # the same of artefact measures, which are roots of what may be near nothing


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
    freedom: int
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


class Scores:
    """Records, sorted for comparisons.

    Args:
        records: a row per value, with the columns of `runs.COLUMNS`, in any order.
    """

    def __init__(self, records: pd.DataFrame):
        if missing := [name for name in COLUMNS if name not in records]:
            raise UserError(f"records need the columns {', '.join(COLUMNS)}; {', '.join(missing)} are missing")
        names = [name for name in COLUMNS if name not in ("seed", "value")]
        self.records = records[COLUMNS].astype(dict.fromkeys(names, str))
        keys = ["data", "variant", "task", "test_set", "metric", "loss"]
        groups = cast(dict[tuple[str, ...], np.ndarray], self.records.groupby(keys).indices)
        self._rows = {(Condition(*key[:5]), key[5]): rows for key, rows in groups.items()}
        self._tables: dict[tuple[Condition, str], pd.DataFrame] = {}
        self._losses: dict[Condition, list[str]] = {}
        for at, loss in sorted(self._rows):
            self._losses.setdefault(at, []).append(loss)
        self.variants = sorted({at.variant for at in self._losses})
        self.metrics = sorted({at.metric for at in self._losses})

    def conditions(self) -> list[Condition]:
        return list(self._losses)

    def losses(self, at: Condition) -> list[str]:
        return self._losses.get(at, [])

    def has(self, at: Condition, loss: str) -> bool:
        return (at, loss) in self._rows

    def comparable(self, at: Condition, first: str, second: str) -> bool:
        """Whether both are there, with a common seed if both are trained."""
        if not (self.has(at, first) and self.has(at, second)):
            return False
        one, other = self.table(at, first).columns, self.table(at, second).columns
        return first in UNTRAINED or second in UNTRAINED or not one.intersection(other).empty

    def table(self, at: Condition, loss: str) -> pd.DataFrame:
        """Values of one loss, (images, seeds); one column for what has no seed."""
        if (at, loss) not in self._tables:
            if not self.has(at, loss):
                raise UserError(f"no record of {loss} at {at}; it has {', '.join(self.losses(at)) or 'none'}")
            self._tables[at, loss] = _table(self.records.iloc[self._rows[at, loss]], at, loss)
        return self._tables[at, loss]

    def compare(
        self,
        at: Condition,
        first: str,
        second: str,
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Difference:
        """The difference of two losses; the same whatever else is compared.

        Args:
            seed: of the resampling.
        """
        values, seeds, left_out = self.differences(at, first, second)
        _, freedom = self.spread(at) if seeds else (0.0, 0)
        if not len(values):
            nan = np.nan
            return Difference(at, first, second, nan, nan, nan, nan, nan, 0, seeds, freedom, left_out)
        trained = sum(loss not in UNTRAINED for loss in (first, second))
        low, high = self.interval(at, values, trained, resamples=resamples, seed=seed)
        p, one_sided = signed_ranks(values.mean(axis=1))
        value, images = float(values.mean()), len(values)
        return Difference(at, first, second, value, low, high, p, one_sided, images, seeds, freedom, left_out)

    def interval(
        self, at: Condition, values: np.ndarray, trained: int, *, resamples: int = RESAMPLES, seed: int = 0
    ) -> tuple[float, float]:
        """Of the mean of (images, seeds) that so many trained losses, 0 to 2, take part in."""
        deviation, freedom = self.spread(at)
        error = deviation * math.sqrt(trained / values.shape[1])
        return mean_interval(values, error=error, freedom=freedom, resamples=resamples, seed=seed)

    def spread(self, at: Condition) -> tuple[float, int]:
        """How far another seed moves a loss's mean over photographs: the standard deviation, its degrees of freedom.

        Of all losses that have several seeds, in all variants; 0 and 0 where none has.
        """
        return self._spreads.get(replace(at, variant=""), (0.0, 0))

    @cached_property
    def _spreads(self) -> dict[Condition, tuple[float, int]]:
        """By conditions without a variant."""
        seeds = self.records["seed"].to_numpy()
        pooled: dict[Condition, tuple[float, int]] = {}
        for at, loss in sorted(self._rows):
            rows = self._rows[at, loss]
            if loss in UNTRAINED or (seeds[rows] == seeds[rows[0]]).all():
                continue
            values = self.table(at, loss).to_numpy(float)
            finite = values[np.isfinite(values).all(axis=1)]
            if len(finite):
                anywhere = replace(at, variant="")
                squares, freedom = pooled.get(anywhere, (0.0, 0))
                means = finite.mean(axis=0)
                pooled[anywhere] = squares + float(np.sum((means - means.mean()) ** 2)), freedom + len(means) - 1
        return {at: (math.sqrt(squares / freedom), freedom) for at, (squares, freedom) in pooled.items()}

    def differences(self, at: Condition, first: str, second: str) -> tuple[np.ndarray, int, int]:
        """First − second, (images, seeds); how many seeds they have in common; how many images are left out."""
        one, other = self.table(at, first), self.table(at, second)
        if unpaired := one.index.symmetric_difference(other.index).tolist():
            raise UserError(
                f"{first} and {second} are not scored on the same images of {at.test_set} ({at.task}, {at.metric}): "
                f"only one of them has {_some(unpaired)}; score both again (make eval)"
            )
        if first not in UNTRAINED and second not in UNTRAINED:
            seeds = one.columns.intersection(other.columns).sort_values()
            if seeds.empty:
                raise UserError(
                    f"{first} has the seeds {list(one)}, {second} {list(other)} ({at.task}, {at.variant}): "
                    "train both with a common one"
                )
            one, other = one[seeds], other[seeds]
        a, b = np.broadcast_arrays(one.to_numpy(float), other.to_numpy(float))
        finite = (np.isfinite(a) & np.isfinite(b)).all(axis=1)
        trained = 0 if first in UNTRAINED and second in UNTRAINED else a.shape[1]
        return a[finite] - b[finite], trained, int((~finite).sum())


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


def _table(rows: pd.DataFrame, at: Condition, loss: str) -> pd.DataFrame:
    """Records of one loss as (images, seeds), both sorted; every pair has one value, or several equal ones."""
    image_of, images = pd.factorize(rows["image"], sort=True)
    seed_of, seeds = pd.factorize(rows["seed"] * (loss not in UNTRAINED), sort=True)
    cell, values = image_of * len(seeds) + seed_of, rows["value"].to_numpy(float)
    order = np.lexsort((values, cell))
    cell, values = cell[order], values[order]
    again = cell[1:] == cell[:-1]
    atol = SAME_LEVELS if at.metric in ARTEFACTS else 0
    differs = again & ~np.isclose(values[1:], values[:-1], rtol=SAME, atol=atol, equal_nan=True)
    if differs.any():
        image, seed = divmod(int(cell[1:][differs][0]), len(seeds))
        raise UserError(
            f"{loss} has different values of {images[image]} with seed {seeds[seed]} at {at}; "
            "score it again (make eval)"
        )
    cells, first = np.unique(cell, return_index=True)
    if absent := sorted(set(range(len(images) * len(seeds))) - set(cells.tolist())):
        image, seed = divmod(absent[0], len(seeds))
        raise UserError(
            f"{loss} has no value of {images[image]} with seed {seeds[seed]} at {at}, as its other seeds have; "
            "score that run again (make eval)"
        )
    return pd.DataFrame(values[first].reshape(len(images), len(seeds)), index=images, columns=seeds)


def _some(names: Iterable[object], *, most: int = 5) -> str:
    listed = sorted(map(str, names))
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
