"""The tables of a study: a row for the degraded input, each baseline and each loss, a column for each metric.

See `rows` for the photographs that count and the values that are highlighted.
"""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from restoration.names import (
    ARTEFACTS,
    BASELINES,
    HEADLINE,
    INPUT,
    METRICS,
    METRICS_NOTE,
    OTHERS,
    UNTRAINED,
    input_title,
    is_measured,
    metric,
    ordered_columns,
    part_title,
    task_title,
)
from restoration.study.records import VARYING, Study
from restoration.study.rendering import Cell, Table
from restoration.study.rows import HIGHLIGHT, photograph_sets, rows
from restoration.study.statistics import Comparisons, Pair
from restoration.study.values import Condition

COMPARED = ("difference", "low", "high", "margin", "verdict")  # of a comparison
PUBLISHED = (
    "in brackets the paper's figures: recalled, unverified; measured on other photographs, perhaps under another "
    "protocol: compare orders, not values"
)


def main_table(
    comparisons: Comparisons, part: str, task: str, test_set: str, *, against: str | None = None
) -> Table | None:
    """PSNR, SSIM and MS-SSIM of every loss, of the degraded input and of BM3D; None if the part has no such training.

    Args:
        against: below each value, the difference to this loss is shown.
    """
    condition = Condition(part, task, test_set, "")
    shown = [column for column in _columns(comparisons, condition) if column not in BASELINES or column == "bm3d"]
    return _table(comparisons, titled(comparisons.study, part, task, test_set), condition, HEADLINE, shown, against)


def other_tables(comparisons: Comparisons, part: str, task: str, test_set: str) -> list[Table]:
    """The other metrics, and all baselines."""
    condition, title = Condition(part, task, test_set, ""), titled(comparisons.study, part, task, test_set)
    columns = _columns(comparisons, condition)
    baselines = [column for column in columns if column in BASELINES and column != "bm3d"]
    tables = [_table(comparisons, f"{title}: further baselines", condition, HEADLINE, baselines)]
    tables += [_table(comparisons, f"{title}: {kind}", condition, names, columns) for kind, names in OTHERS.items()]
    return [table for table in tables if table]


def artefact_table(comparisons: Comparisons, part: str, task: str, test_set: str) -> Table | None:
    """The artefacts that a task can cause, in 8-bit levels; None if none is measured."""
    condition, title = Condition(part, task, test_set, ""), titled(comparisons.study, part, task, test_set)
    names = [name for name in ARTEFACTS if is_measured(name, task)]
    return _table(comparisons, f"{title}: artefacts", condition, names, _columns(comparisons, condition))


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
            condition = Condition("main", task, test_set, "")
            table = rows(
                comparisons, [condition._replace(metric=name) for name in published["metric"].unique()], columns
            )
            body = []
            for column in columns:
                cells = []
                for row in table:
                    facts = metric(row.condition.metric)
                    theirs = stated.get((task, row.condition.metric, column), math.nan) / facts.shown_times
                    cells.append(Cell(row.cell(column).text, f"({facts.shown(theirs)})"))
                body.append((column_title(study, column, task), cells))
            if table:
                title = f"{titled(study, 'main', task, test_set)}: ours (the paper's)"
                tables.append(Table(title, [row.heading for row in table], body, [PUBLISHED]))
    return tables


def summary(comparisons: Comparisons, *, against: str = "l2") -> pd.DataFrame:
    """A row for each column and condition: mean with interval, comparison with the loss `against`, settings."""
    study, lines = comparisons.study, []
    settings = study.runs.drop_duplicates(["part", "task", "loss"]).set_index(["part", "task", "loss"])[list(VARYING)]
    known = settings.to_dict("index")
    for part in study.parts:
        for task in study.tasks:
            measured = [name for name in (*METRICS, *ARTEFACTS) if is_measured(name, task)]
            conditions = [Condition(part, task, test_set, name) for test_set in study.test_sets for name in measured]
            table = rows(comparisons, conditions, _columns(comparisons, *conditions))
            compared = comparisons.compare_all(
                Pair(row.condition, column, against) for row in table for column in row.means if column != against
            )
            bounds = comparisons.intervals((row.condition, column) for row in table for column in row.means)
            for row in table:
                for column, mean in row.means.items():
                    low, high = bounds[row.condition, column]
                    line = {**row.condition._asdict(), "loss": column, "mean": mean, "low": low, "high": high}
                    line |= {"n": row.images, "left_out": row.left_out, "seeds": row.seeds.get(column, 0)}
                    line |= {"deviation": row.deviations.get(column, math.nan), "near_best": column in row.near_best}
                    if comparison := compared.get(Pair(row.condition, column, against)):
                        line |= {f"{name}_to_{against}": getattr(comparison, name) for name in COMPARED}
                    lines.append(line | known.get(("main" if part == "raw" else part, task, column), {}))
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


def short_title(study: Study, test_set: str) -> str:
    """The title of a test set without its number of photographs, as in "Kodak"."""
    return set_title(study, test_set).partition(",")[0]


def titled(study: Study, part: str, task: str, test_set: str) -> str:
    """A title, as in "Super-resolution ×2 on Kodak, 24 photographs"; begins with the part, unless main."""
    before = "" if part == "main" else f"{part_title(part)}: "
    return f"{before}{task_title(task)} on {set_title(study, test_set)}"


def _table(
    comparisons: Comparisons,
    title: str,
    condition: Condition,
    metrics: Sequence[str],
    shown: Sequence[str],
    against: str | None = None,
) -> Table | None:
    """A row for each shown column, a column for each metric. Values are highlighted among all columns, shown or not."""
    study, conditions = comparisons.study, [condition._replace(metric=name) for name in metrics]
    table = rows(comparisons, conditions, _columns(comparisons, *conditions))
    others = [column for column in shown if column not in (against, *UNTRAINED)] if against else []
    compared = comparisons.compare_all(Pair(row.condition, column, against or "") for row in table for column in others)
    titles = _budgeted(study, condition, shown)
    body = [
        (titles[column], [row.cell(column, compared.get(Pair(row.condition, column, against or ""))) for row in table])
        for column in shown
    ]
    if not table or not body:
        return None
    cells = [cell for _, cells in body for cell in cells]
    notes = [HIGHLIGHT] if any(cell.best for cell in cells) else []
    notes += ["±: standard deviation over seeds"] if any("±" in cell.interval for cell in cells) else []
    if against and any("[" in cell.interval for cell in cells):
        notes.append(f"below a value: its difference to {column_title(study, against)}, with a 95 % interval")
    notes += [note for row in table for note in row.notes]
    return Table(title, [row.heading for row in table], body, notes)


def _budgeted(study: Study, condition: Condition, columns: Iterable[str]) -> dict[str, str]:
    """Titles of columns; with the number of patches where the losses of one table saw different numbers."""
    runs = study.runs[(study.runs["part"] == condition.part) & (study.runs["task"] == condition.task)]
    patches = runs.groupby("loss")["patches"].max().to_dict()
    marks = {loss: f" ({count:,} patches)" for loss, count in patches.items()} if len({*patches.values()}) > 1 else {}
    return {column: column_title(study, column, condition.task) + marks.get(column, "") for column in columns}


def _columns(comparisons: Comparisons, *conditions: Condition) -> list[str]:
    """The columns of a table; none if no loss was trained under these conditions.

    Args:
        conditions: an empty metric stands for all metrics.
    """
    by_metric = [
        condition._replace(metric=name)
        for condition in conditions
        for name in ([condition.metric] if condition.metric else METRICS)
    ]
    scored = {column for condition in by_metric for column in comparisons.columns(condition)}
    return ordered_columns(scored) if scored - {*UNTRAINED} else []
