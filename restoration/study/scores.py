"""Records, sorted for comparisons, and the comparisons; `statistics` says what they are worth."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from restoration.errors import UserError
from restoration.names import ARTEFACTS
from restoration.study.bootstrap import RESAMPLES, mean_interval
from restoration.study.columns import UNTRAINED, kind_of
from restoration.study.runs import COLUMNS
from restoration.study.statistics import Condition, Difference, signed_ranks

SAME = 1e-6  # relative difference of one image's values that were computed twice
SAME_LEVELS = 0.01  # the same of artefact measures, which are roots of what may be near nothing


class Spread(NamedTuple):
    """How far another seed moves a mean over photographs.

    Attributes:
        variance: of such means.
        freedom: degrees of freedom with which it is known.
    """

    variance: float
    freedom: int


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
        _, freedom = self.error(at, [first, second], max(seeds, 1))
        if not len(values):
            nan = np.nan
            return Difference(at, first, second, nan, nan, nan, nan, nan, 0, seeds, freedom, left_out)
        low, high = self.interval(at, values, [first, second], resamples=resamples, seed=seed)
        p, one_sided = signed_ranks(values.mean(axis=1))
        value, images = float(values.mean()), len(values)
        return Difference(at, first, second, value, low, high, p, one_sided, images, seeds, freedom, left_out)

    def interval(
        self, at: Condition, values: np.ndarray, losses: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
    ) -> tuple[float, float]:
        """Of the mean of (images, seeds) that come of one loss or are the difference of two."""
        error, freedom = self.error(at, losses, values.shape[1])
        return mean_interval(values, error=error, freedom=freedom, resamples=resamples, seed=seed)

    def error(self, at: Condition, losses: Sequence[str], seeds: int) -> tuple[float, float]:
        """The standard error that the choice of so many seeds gives the difference of losses, its degrees of freedom.

        0 and 0 where no loss is trained, or none has several seeds. Variances of different kinds add as Welch and
        Satterthwaite have it.
        """
        variances: dict[Spread, float] = {}
        for loss in losses:
            if loss not in UNTRAINED and (spread := self.spread(at, loss)):
                variances[spread] = variances.get(spread, 0.0) + spread.variance / seeds
        total = sum(variances.values())
        if not total:
            return 0.0, min((spread.freedom for spread in variances), default=0)
        return math.sqrt(total), total**2 / sum(part**2 / spread.freedom for spread, part in variances.items())

    def spread(self, at: Condition, loss: str) -> Spread | None:
        """How far another seed moves this loss's mean over photographs: as far as all losses of its kind that have
        several seeds, in all variants; where none has, as far as the kind that moves most; None where there is none.
        """
        kinds = self._spreads.get(replace(at, variant=""), {})
        return kinds.get(kind_of(loss)) or max(kinds.values(), default=None)

    @cached_property
    def _spreads(self) -> dict[Condition, dict[str, Spread]]:
        """By conditions without a variant, and kinds."""
        seeds = self.records["seed"].to_numpy()
        means: dict[Condition, dict[str, list[np.ndarray]]] = {}
        for at, loss in sorted(self._rows):
            rows = self._rows[at, loss]
            if loss in UNTRAINED or (seeds[rows] == seeds[rows[0]]).all():
                continue
            values = self.table(at, loss).to_numpy(float)
            finite = values[np.isfinite(values).all(axis=1)]
            if len(finite):
                kinds = means.setdefault(replace(at, variant=""), {})
                kinds.setdefault(kind_of(loss), []).append(finite.mean(axis=0))
        return {at: {kind: _pooled(losses) for kind, losses in kinds.items()} for at, kinds in means.items()}

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


def _pooled(means: Sequence[np.ndarray]) -> Spread:
    """Of several losses' means over photographs, (seeds,) each."""
    freedom = sum(len(each) - 1 for each in means)
    return Spread(sum(float(np.sum((each - each.mean()) ** 2)) for each in means) / freedom, freedom)


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
