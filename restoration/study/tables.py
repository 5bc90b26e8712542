"""The tables of a study: a column for the degraded input, each baseline and each loss, a row for each metric.

See `rows` for the photographs that count and the values that are highlighted.
"""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from restoration.names import (
    ARTEFACTS,
    BASELINES,
    INPUT,
    METRICS,
    METRICS_NOTE,
    UNTRAINED,
    input_title,
    is_measured,
    metric,
    ordered_columns,
    part_title,
    task_title,
)
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.rows import HIGHLIGHT, rows
from restoration.study.statistics import Comparisons, Pair
from restoration.study.values import Condition

COMPARED = ("difference", "low", "high", "margin", "verdict", "seeds", "seed_variance")  # of a comparison
HEADLINE = ("psnr", "ssim", "ms_ssim")
PUBLISHED = (
    "in brackets the paper's figures: recalled, unverified; measured on other photographs, perhaps under another "
    "protocol: compare orders, not values"
)


def main_table(
    comparisons: Comparisons, part: str, task: str, test_set: str, *, against: str | None = None
) -> Table | None:
    """All metrics of a task on a test set; None if the part has no training for it.

    Args:
        against: below each value, the difference to this loss is shown.
    """
    title = f"{_titled(comparisons.study, part, task, test_set)}: means over photographs"
    return _table(comparisons, title, [Condition(part, task, test_set, name) for name in METRICS], against)


def artefact_table(comparisons: Comparisons, part: str, task: str, test_set: str) -> Table | None:
    """The artefacts that a task can cause, in 8-bit levels; None if none is measured."""
    title = f"{_titled(comparisons.study, part, task, test_set)}: artefacts, less is better"
    places = [Condition(part, task, test_set, name) for name in ARTEFACTS if is_measured(name, task)]
    return _table(comparisons, title, places, None)


def headline(comparisons: Comparisons, part: str = "main") -> list[Table]:
    """A table for each test set: the most quoted metrics, for every task."""
    study, tables = comparisons.study, []
    for test_set in photograph_sets(study):
        places = [Condition(part, task, test_set, name) for task in study.tasks for name in HEADLINE]
        shown = [column for column in _columns(comparisons, places) if column not in BASELINES or column == "bm3d"]
        body = [
            (f"{task_title(row.condition.task)}: {row.title}", [row.cell(column) for column in shown])
            for row in rows(comparisons, places, shown)
        ]
        if body:
            titles = [column_title(study, column) for column in shown]
            tables.append(Table(set_title(study, test_set), titles, body, [HIGHLIGHT, *provenance(study, part)]))
    return tables


def published_tables(comparisons: Comparisons, published: pd.DataFrame) -> list[Table]:
    """A table for each task and test set: our means and, in brackets, the figures of the paper.

    Args:
        published: columns task, loss (or "input", or a baseline), metric, value in shown units; recalled, unverified.
    """
    study, tables = comparisons.study, []
    stated = published.set_index(["task", "metric", "loss"])["value"].to_dict()
    for task in published["task"].unique():
        columns = ordered_columns(published.loc[published["task"] == task, "loss"])
        for test_set in photograph_sets(study):
            places = [Condition("main", task, test_set, name) for name in published["metric"].unique()]
            body = []
            for row in rows(comparisons, places, columns):
                facts = metric(row.condition.metric)
                theirs = [
                    stated.get((task, row.condition.metric, column), math.nan) / facts.shown_times for column in columns
                ]
                ours = [row.cell(column).text for column in columns]
                cells = [Cell(text, f"({facts.shown(value)})") for text, value in zip(ours, theirs, strict=True)]
                body.append((row.title, cells))
            if body:
                title = f"{_titled(study, 'main', task, test_set)}: ours (the paper's)"
                tables.append(Table(title, [column_title(study, name, task) for name in columns], body, [PUBLISHED]))
    return tables


def summary(comparisons: Comparisons, *, against: str = "l2") -> pd.DataFrame:
    """A row for each column at each place: its mean, and its comparison with one loss."""
    study, lines = comparisons.study, []
    for part in study.parts:
        for task in study.tasks:
            measured = [name for name in (*METRICS, *ARTEFACTS) if is_measured(name, task)]
            places = [Condition(part, task, test_set, name) for test_set in study.test_sets for name in measured]
            table = rows(comparisons, places, _columns(comparisons, places))
            pairs = [Pair(row.condition, column, against) for row in table for column in row.means if column != against]
            compared = comparisons.compare_all(pairs)
            for row in table:
                for column, mean in row.means.items():
                    line = {**row.condition._asdict(), "loss": column, "mean": mean}
                    line["deviation"] = row.deviations.get(column, math.nan)
                    line |= {"near_best": column in row.near_best, "images": row.images, "left_out": row.left_out}
                    if comparison := compared.get(Pair(row.condition, column, against)):
                        line |= {"against": against, **{name: getattr(comparison, name) for name in COMPARED}}
                    lines.append(line)
    return pd.DataFrame(lines)


def provenance(study: Study, part: str, task: str | None = None) -> list[str]:
    """Lines about the data, settings, hardware and scoring of the trainings of a part."""
    runs = study.runs[study.runs["part"] == ("main" if part == "raw" else part)]
    runs = runs if task is None else runs[runs["task"] == task]

    def listed(values: Iterable[object]) -> str:
        return ", ".join(dict.fromkeys(map(str, values)))

    return [
        f"trained on {study.data}: {listed(runs['photographs'])} photographs "
        f"(hash {listed(runs['photographs_hash'].str[:12])})",
        f"{listed(f'{count:,}' for count in sorted(runs['patches']))} patches, batch {listed(runs['batch'])}, "
        f"{listed(runs['precision'])}, seeds {listed(sorted(runs['seed']))}",
        f"scored: {listed(runs['protocol'])}; {METRICS_NOTE}",
        f"hardware: {listed(runs['hardware'])}; commit {listed(runs['commit'])}",
        *(study.notes if part == "raw" else []),
    ]


def column_title(study: Study, column: str, task: str | None = None) -> str:
    """The title of a column; the title of the degraded input depends on the task."""
    if column == INPUT:
        return input_title(task) if task else "Input"
    return BASELINES.get(column) or study.title(column)


def set_title(study: Study, test_set: str) -> str:
    return str(study.test_sets[test_set]["title"])


def photograph_sets(study: Study) -> list[str]:
    """The test sets without those of real raw files."""
    return [name for name, facts in study.test_sets.items() if "noise" not in facts]


def _table(comparisons: Comparisons, title: str, places: Sequence[Condition], against: str | None) -> Table | None:
    """The table of one part, task and test set."""
    study, columns, body = comparisons.study, _columns(comparisons, places), []
    for row in rows(comparisons, places, columns):
        others = [column for column in columns if column not in (against, *UNTRAINED)] if against else []
        beside = {column: comparisons.compare(row.condition, column, against) for column in others if against}
        body.append((row.title, [row.cell(column, beside.get(column)) for column in columns]))
    if not body:
        return None
    part, task, *_ = places[0]
    smaller = " ".join(cell.interval for _, cells in body for cell in cells)
    notes = [HIGHLIGHT]
    notes += ["±: standard deviation over seeds"] if "±" in smaller else []
    notes += [f"below a value: its difference to {column_title(study, against)}"] if against and "[" in smaller else []
    titles = [column_title(study, column, task) for column in columns]
    return Table(title, titles, body, [*notes, *provenance(study, part, task)])


def _columns(comparisons: Comparisons, places: Iterable[Condition]) -> list[str]:
    """The columns of a table; none if no loss was trained at these places."""
    scored = {column for place in places for column in comparisons.columns(place)}
    return ordered_columns(scored) if scored - {*UNTRAINED} else []


def _titled(study: Study, part: str, task: str, test_set: str) -> str:
    before = "" if part == "main" else f"{part_title(part)}: "
    return f"{before}{task_title(task)} on {set_title(study, test_set)}"
