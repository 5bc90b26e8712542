"""The rows of tables: means of every column by one metric, and which columns are as good as the best column.

A photograph counts in a row if every column has a finite value for it; the row says how many are left out. A column
without any finite value shows a dash. A column is as good as the best column if both are equal, or not known to differ
(`statistics`). The best column and those as good are highlighted, unless no column is known to be worse.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from restoration.names import metric
from restoration.study.rendering import Cell
from restoration.study.statistics import EQUAL, NOT_KNOWN, Comparison, Comparisons, Pair
from restoration.study.values import Condition

HIGHLIGHT = "highlighted: the best value, and values that are equal to the best or not known to differ from the best"


@dataclass(frozen=True)
class Row:
    """One metric under one condition.

    Attributes:
        means: by column, over photographs and seeds.
        deviations: by column with several seeds: the standard deviation, over seeds, of the mean over photographs.
        images: number of photographs that count.
        left_out: number of photographs that do not count.
        near_best: the best column, and the columns that are as good.
    """

    condition: Condition
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    images: int
    left_out: int
    near_best: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        left_out = f" ({self.left_out} of {self.images + self.left_out} photographs left out)" if self.left_out else ""
        return metric(self.condition.metric).label + left_out

    def cell(self, column: str, beside: Comparison | None = None) -> Cell:
        """The value of a column, and below the value the deviation over seeds, or else a comparison."""
        if column not in self.means:
            return Cell("–")
        facts, smaller = metric(self.condition.metric), ""
        if column in self.deviations:
            smaller = f"± {facts.shown(self.deviations[column])}"
        elif beside is not None:
            smaller = f"{beside.shown}\n{beside.interval}".rstrip()
        return Cell(facts.shown(self.means[column]), smaller, column in self.near_best < self.means.keys())


def rows(comparisons: Comparisons, conditions: Iterable[Condition], columns: Sequence[str]) -> list[Row]:
    """The rows of a table, without those in which no photograph counts."""
    table = [row for condition in conditions if (row := _averaged(comparisons, condition, columns)) is not None]
    pairs = [Pair(row.condition, column, _best(row)) for row in table for column in row.means]
    near: dict[Condition, set[str]] = {}
    for (condition, column, _), comparison in comparisons.compare_all(pairs).items():
        if comparison.verdict in (EQUAL, NOT_KNOWN):
            near.setdefault(condition, set()).add(column)
    return [replace(row, near_best=frozenset(near[row.condition])) for row in table]


def _averaged(comparisons: Comparisons, condition: Condition, columns: Sequence[str]) -> Row | None:
    """The means alone; None if no photograph counts."""
    known = {
        name: values for name in columns if (values := comparisons.values(condition, name)) and values.finite.any()
    }
    finite = [values.finite for values in known.values()]
    counts = np.logical_and.reduce(finite) if finite else np.zeros(1, dtype=bool)
    if not counts.any():
        return None
    tables = {name: values.values[counts] for name, values in known.items()}
    means = {name: float(table.mean()) for name, table in tables.items()}
    seeds = {name: table.mean(axis=0) for name, table in tables.items() if table.shape[1] > 1}
    deviations = {name: float(np.std(means_by_seed, ddof=1)) for name, means_by_seed in seeds.items()}
    return Row(condition, means, deviations, int(counts.sum()), int((~counts).sum()))


def _best(row: Row) -> str:
    sign = 1 if metric(row.condition.metric).higher_is_better else -1
    return max(row.means, key=lambda column: sign * row.means[column])
