"""Records, sorted for comparisons, and the comparisons; `statistics` says what they are worth."""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd

from restoration.artefacts import ARTEFACTS
from restoration.bootstrap import RESAMPLES, mean_interval
from restoration.columns import UNTRAINED
from restoration.errors import UserError
from restoration.runs import COLUMNS
from restoration.statistics import Condition, Difference, signed_ranks

SAME = 1e-6  # relative difference of one image's values that were computed twice
SAME_LEVELS = 0.01  # the same of artefact measures, which are roots of what may be near nothing


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
