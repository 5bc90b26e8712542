"""The rows of tables: means of every column by one metric, and which columns are as good as the best column.

A photograph counts in a row if all columns have finite values; a note gives the number of photographs left out. A
column without any finite value shows a dash. A column is as good as the best column if both are equal, or not known to
differ (`statistics`). The best column and columns as good are highlighted. Nothing is highlighted if no column is known
to be worse, or if the study is too small (`caution`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from restoration.names import UNTRAINED, metric
from restoration.study.records import Study
from restoration.study.rendering import Cell
from restoration.study.statistics import EQUAL, FEWEST, NOT_KNOWN, Comparison, Comparisons, Pair
from restoration.study.values import Condition

HIGHLIGHT = "highlighted: the best value, and values that are equal to the best or not known to differ from the best"
FEW_PATCHES = 30_000  # with fewer patches a network, no loss is highlighted or recommended


def photograph_sets(study: Study) -> list[str]:
    """The test sets without those of real raw files."""
    return [name for name, facts in study.test_sets.items() if "noise" not in facts]


def caution(comparisons: Comparisons, part: str = "main") -> str:
    """A sentence: why a part of a study is too small to say which loss is best; empty if the part is large enough."""
    study = comparisons.study
    sets = [facts for facts in study.test_sets.values() if ("noise" in facts) == (part == "raw")]
    images = min((facts["images"] for facts in sets), default=0)
    patches = min(study.runs.loc[study.runs["part"] == ("main" if part == "raw" else part), "patches"], default=0)
    small = [f"{images} test photographs"] if images < FEWEST else []
    small += [] if comparisons.has_repeats else ["one training of each loss (more: SEED=0,1,2)"]
    small += [f"{patches:,} patches a network"] if patches < FEW_PATCHES else []
    return (
        f"This study shows that the tool works, not which loss wins: it has only {' and '.join(small)}."
        if small
        else ""
    )


@dataclass(frozen=True)
class Row:
    """One metric under one condition.

    Attributes:
        means: by column, over photographs and seeds.
        seeds: by trained column, the number of trainings.
        deviations: by column with several seeds: the standard deviation, over seeds, of the mean over photographs.
        images: number of photographs.
        left_out: number of other photographs, which are left out.
        near_best: the best column, and the columns that are as good.
        sound: whether these columns are highlighted.
    """

    condition: Condition
    means: Mapping[str, float]
    seeds: Mapping[str, int]
    deviations: Mapping[str, float]
    images: int
    left_out: int
    near_best: frozenset[str] = frozenset()
    sound: bool = True

    @property
    def heading(self) -> str:
        return metric(self.condition.metric).heading

    @property
    def notes(self) -> list[str]:
        """The number of photographs left out, as a note; empty if all count."""
        every = self.images + self.left_out
        return [f"{self.heading[:-2]}: {self.left_out} of {every} photographs left out"] if self.left_out else []

    def cell(self, column: str, beside: Comparison | None = None) -> Cell:
        """The value of a column, and below the value a comparison, or else the deviation over seeds."""
        if column not in self.means:
            return Cell("–")
        facts, smaller = metric(self.condition.metric), ""
        if beside is not None:
            smaller = f"{beside.shown}\n{beside.interval}".rstrip()
        elif column in self.deviations:
            smaller = f"± {facts.shown(self.deviations[column])}"
        best = self.sound and column in self.near_best < self.means.keys()
        return Cell(facts.shown(self.means[column]), smaller, best)


def rows(comparisons: Comparisons, conditions: Iterable[Condition], columns: Sequence[str]) -> list[Row]:
    """The rows of a table that have photographs."""
    table = [row for condition in conditions if (row := _averaged(comparisons, condition, columns)) is not None]
    pairs = [Pair(row.condition, column, _best(row)) for row in table for column in row.means]
    near: dict[Condition, set[str]] = {}
    for (condition, column, _), comparison in comparisons.compare_all(pairs).items():
        if comparison.verdict in (EQUAL, NOT_KNOWN):
            near.setdefault(condition, set()).add(column)
    sound = {part: not caution(comparisons, part) for part in {row.condition.part for row in table}}
    return [replace(row, near_best=frozenset(near[row.condition]), sound=sound[row.condition.part]) for row in table]


def _averaged(comparisons: Comparisons, condition: Condition, columns: Sequence[str]) -> Row | None:
    """A row with means only; None without photographs."""
    known = {
        name: values for name in columns if (values := comparisons.values(condition, name)) and values.finite.any()
    }
    finite = [values.finite for values in known.values()]
    counts = np.logical_and.reduce(finite) if finite else np.zeros(1, dtype=bool)
    if not counts.any():
        return None
    tables = {name: values.values[counts] for name, values in known.items()}
    means = {name: float(table.mean()) for name, table in tables.items()}
    seeds = {name: table.shape[1] for name, table in tables.items() if name not in UNTRAINED}
    deviations = {name: float(np.std(tables[name].mean(axis=0), ddof=1)) for name, count in seeds.items() if count > 1}
    return Row(condition, means, seeds, deviations, int(counts.sum()), int((~counts).sum()))


def _best(row: Row) -> str:
    sign = 1 if metric(row.condition.metric).higher_is_better else -1
    return max(row.means, key=lambda column: sign * row.means[column])
