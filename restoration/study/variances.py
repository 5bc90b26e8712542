"""The variance of a mean over seeds, pooled for each family of losses.

One loss has too few seeds to estimate this variance, so all losses of a family share one: the variance within
losses, over seeds, of the mean over photographs, pooled as in an analysis of variance,

    s² = Σ (m − m̄)² / ν,    ν = Σ (k − 1) degrees of freedom,    sums over the losses with k > 1 seeds and means m,

for one task, test set and metric, in all parts of the study. Without repeats in a family, the largest variance of
another family is used; without repeats on a test set, the largest variance of the task's other test sets.

The difference of two losses, each trained k times, has the variance v = Σ s²/k. If the losses are of two families, this
sum has (Σ v)² / Σ (v²/ν) degrees of freedom (Satterthwaite 1946, Welch 1947).

Family: losses that change by about the same amount with another seed. A mixture belongs to the family of the term that
has nine tenths of its gradient or more, averaged over the training. The family of another loss is named by its
configuration; without a name, the loss is a family by itself.

Assumptions: the losses of a family have one variance, in all parts and budgets; trainings are independent, also those
of two losses with the same seed.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from restoration.names import TERM_FAMILIES
from restoration.study.curves import SHARE
from restoration.study.records import Study
from restoration.study.values import Condition, Values

FAMILY, LARGEST, NO_REPEATS = "family", "largest", "no repeats"  # sources of a variance
DOMINANT = 0.9  # share of the gradient


class Spread(NamedTuple):
    """A variance, in the squared unit of the metric, and its degrees of freedom."""

    variance: float
    freedom: float


NO_SPREAD = Spread(0.0, 1.0)


class SeedVariances:
    """The variances over seeds in a study. The curves are read only if a loss has several seeds."""

    def __init__(self, study: Study, values: Mapping[tuple[Condition, str], Values]):
        self._study = study
        means: dict[tuple[str, str], dict[tuple[str, str], list[np.ndarray]]] = {}
        for (condition, loss), column in values.items():
            if len(column.seeds) > 1 and column.finite.any():
                of_task = means.setdefault((condition.task, condition.metric), {})
                of_family = of_task.setdefault((condition.test_set, self.family(condition, loss)), [])
                of_family.append(column.values[column.finite].mean(axis=0))
        self._known = {
            key: {name: _pooled(losses) for name, losses in of_task.items()} for key, of_task in means.items()
        }

    @property
    def known(self) -> bool:
        return bool(self._known)

    def of_difference(self, condition: Condition, losses: Sequence[str], seeds: int) -> tuple[Spread, str]:
        """The spread of a difference of these losses, each trained `seeds` times, and the source of its variances."""
        of_task = self._known.get((condition.task, condition.metric), {})
        if not (losses and of_task):
            return NO_SPREAD, NO_REPEATS if losses else ""
        of_set = {family: spread for (test_set, family), spread in of_task.items() if test_set == condition.test_set}
        largest = max((of_set or of_task).values())
        families = [self.family(condition, loss) for loss in losses]
        variances: dict[Spread, float] = {}  # losses of one family share the degrees of freedom
        for spread in (of_set.get(family, largest) for family in families):
            variances[spread] = variances.get(spread, 0.0) + spread.variance / seeds
        total = sum(variances.values())
        parts = sum(variance**2 / spread.freedom for spread, variance in variances.items())
        return Spread(total, total**2 / parts) if parts else NO_SPREAD, FAMILY if {*families} <= {*of_set} else LARGEST

    def family(self, condition: Condition, loss: str) -> str:
        """The family of a loss. Raw files are restored by the networks of the main part."""
        part = "main" if condition.part == "raw" else condition.part
        return self._families.get((part, condition.task, loss), loss)

    @cached_property
    def _families(self) -> dict[tuple[str, ...], str]:
        """The family of each trained loss, by part, task and loss."""
        keys = ["part", "task", "loss"]
        runs, curves = self._study.runs, self._study.curves
        shares = curves[curves["tag"].str.startswith(SHARE)].groupby([*keys, "tag"])["value"].mean()
        families = dict(zip(runs[keys].itertuples(index=False, name=None), runs["family"], strict=True))
        for *loss, tag in shares.index[shares >= DOMINANT]:
            families[tuple(loss)] = TERM_FAMILIES.get(tag.removeprefix(SHARE), families[tuple(loss)])
        return families


def _pooled(means: Sequence[np.ndarray]) -> Spread:
    """The pooled variance of several losses, given their means over photographs, (seeds,) each."""
    freedom = sum(len(values) - 1 for values in means)
    return Spread(sum(float(np.sum((values - values.mean()) ** 2)) for values in means) / freedom, freedom)
