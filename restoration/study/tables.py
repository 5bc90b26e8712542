"""The paper's tables from per-image records: a column for the degraded input and every loss, a row for every metric."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from restoration.errors import UserError
from restoration.files import write_text
from restoration.names import INPUT, METRICS, METRICS_NOTE, QUICK
from restoration.study.columns import BASELINES, UNTRAINED, in_order, title_of
from restoration.study.rendering import Cell, Table, latex, markdown
from restoration.study.runs import Run, read_baselines, read_provenance, read_scores, read_scoring
from restoration.study.scales import scale_of
from restoration.study.statistics import Difference
from restoration.training.patches import PATCH

QUOTED = ("psnr", "ssim", "ms_ssim")


@dataclass(frozen=True)
class ResultTable:
    """One task on one test set.

    Attributes:
        folder: of its files: data set and variant.
        title: what the table shows.
        header: the lines that every rendering carries: data, budget, seeds, protocol, hardware.
        columns: titles, the degraded input first.
        metrics: names, a row each.
        means: (metrics, columns) over images and seeds; not a number where a metric is not defined.
        spreads: (metrics, columns) standard deviation over seeds of the mean over images; not a number for one seed.
    """

    folder: str
    task: str
    test_set: str
    title: str
    header: tuple[str, ...]
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    means: np.ndarray
    spreads: np.ndarray

    @property
    def name(self) -> str:
        """Of its files, without suffix."""
        return f"{self.folder}/{self.task}-{self.test_set}"

    def csv(self) -> str:
        """Unrounded means, the header as comments above them."""
        text = StringIO()
        text.writelines(f"# {line}\n" for line in (self.title, *self.header))
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["metric", *self.columns])
        for name, means in zip(self.metrics, self.means, strict=True):
            rows.writerow([name, *(f"{mean:.8g}" for mean in means)])
        return text.getvalue()


def table_of(result: ResultTable, differences: Iterable[Difference] = ()) -> Table:
    """The table as it is shown; beside losses their spread over seeds, or else their difference to one other loss.

    Args:
        differences: of the same task and test set, all to the same loss.
    """
    trained = [each for each in differences if each.images and each.first not in UNTRAINED]
    beside = {(each.at.metric, title_of(each.first)): each for each in trained}
    rows = []
    for name, means, spreads in zip(result.metrics, result.means, result.spreads, strict=True):
        cells = []
        for column, cell in zip(result.columns, _cells(name, means, spreads), strict=True):
            found = beside.get((name, column))
            cells.append(replace(cell, interval=_around(found)) if found and not cell.interval else cell)
        rows.append((METRICS[name].label, cells))
    shown = [cell.interval for _, cells in rows for cell in cells]
    notes = ["±: standard deviation over seeds"] if any(text.startswith("±") for text in shown) else []
    if any("[" in text for text in shown):
        (to,) = {title_of(each.second) for each in beside.values()}
        notes.append(f"below each value: its difference to {to}, paired, with the 95 % interval")
    return Table(result.title, result.columns, rows, (*notes, *result.header))


def _around(difference: Difference) -> str:
    scale = scale_of(difference.at.metric)
    low, high = scale.shown(difference.low), scale.shown(difference.high)
    return f"{scale.shown(difference.value, sign='+')}\n[{low}, {high}]"


def headline(results: Sequence[ResultTable]) -> list[Table]:
    """A table for each test set: of every task the metrics that people quote, degraded input, BM3D and losses."""
    tables = []
    for test_set in dict.fromkeys(result.test_set for result in results):
        its = [result for result in results if result.test_set == test_set]
        rows, titles = [], dict.fromkeys([title_of(INPUT), title_of("bm3d")])
        for result in its:
            columns = np.array([title_of(INPUT), *result.columns[1:]])
            shown = ~np.isin(columns, [title for name, title in BASELINES.items() if name != "bm3d"])
            titles |= dict.fromkeys(columns[shown].tolist())
            for name, means, spreads in zip(result.metrics, result.means, result.spreads, strict=True):
                if name in QUOTED:
                    cells = _cells(name, means[shown], spreads[shown])
                    rows.append(
                        (f"{result.task}: {METRICS[name].label}", dict(zip(columns[shown], cells, strict=True)))
                    )
        titles = [title for title in titles if any(title in cells for _, cells in rows)]
        body = [(name, [cells.get(title, Cell("–")) for title in titles]) for name, cells in rows]
        tasks = {note: [each.task for each in its if note in each.header] for each in its for note in each.header}
        notes = [note if len(of) == len(its) else f"{', '.join(of)}: {note}" for note, of in tasks.items()]
        tables.append(Table(f"On {test_set}", titles, body, notes))
    return tables


def _cells(name: str, means: np.ndarray, spreads: np.ndarray) -> list[Cell]:
    """Of a metric, the best of those that are known highlighted."""
    metric = METRICS[name]
    known = means[~np.isnan(means)]
    best = metric.shown((np.max if metric.higher_is_better else np.min)(known)) if len(known) else None
    cells = []
    for mean, spread in zip(means, spreads, strict=True):
        text = metric.shown(mean)
        cells.append(
            Cell(text.replace("nan", "–"), "" if np.isnan(spread) else f"± {metric.shown(spread)}", text == best)
        )
    return cells


def build_tables(runs: Sequence[Run], *, input_titles: dict[str, str]) -> list[ResultTable]:
    """A table for every data set, variant, task and test set of complete runs.

    Args:
        input_titles: the column title of the degraded input, by task.
    """
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.data, run.variant, run.task), []).append(run)
    for its_runs in groups.values():
        _check_alike(its_runs)
    tables = []
    for (_, _, task), its_runs in groups.items():
        scores = read_scores(its_runs)
        scores = pd.concat([scores, *read_baselines(its_runs[0], scores)], ignore_index=True)
        tables += [
            _table(name, its_scores, its_runs, input_titles[task]) for name, its_scores in scores.groupby("test_set")
        ]
    return tables


def write_tables(tables: Sequence[ResultTable], folder: Path) -> None:
    """Writes every table below `folder` as Markdown, CSV and LaTeX."""
    for table in tables:
        shown = table_of(table)
        for suffix, text in (("md", markdown(shown)), ("csv", table.csv()), ("tex", latex(shown))):
            write_text(folder / f"{table.name}.{suffix}", text)


def _check_alike(runs: Sequence[Run]) -> None:
    """Refuses to put numbers side by side that were measured in different ways."""
    first = read_scoring(runs[0])
    for run in runs[1:]:
        other = read_scoring(run)
        keys = (first.keys() | other.keys()) - {"metrics"}  # of which some may lack: a table shows a dash
        different = [key for key in keys if first.get(key) != other.get(key)]
        if different:
            raise UserError(
                f"{runs[0].folder} and {run.folder} cannot stand in one table: they differ in {', '.join(different)}:\n"
                + "\n".join(f"  {key}: {first.get(key)} and {other.get(key)}" for key in different)
                + "\nScore them alike (make eval), or train other settings under a name of their own: variant=NAME."
            )


def _table(test_set: Any, scores: pd.DataFrame, runs: Sequence[Run], input_title: str) -> ResultTable:
    """The table of one task on one test set."""
    first = runs[0]
    baselines = [name for name in BASELINES if name in set(scores["loss"])]
    metrics = [name for name in METRICS if name in set(scores["metric"])]
    losses = in_order({run.loss for run in runs})
    means, spreads = averaged(scores, metrics, [INPUT, *baselines, *losses])
    photographs = scores["image"].nunique()
    defined = scores.dropna(subset="value").groupby("metric")["image"].nunique()
    partly = [
        f"{METRICS[name].label} over the {defined.get(name, 0)} of {photographs} photographs on which it is defined"
        for name in metrics
        if defined.get(name, 0) < photographs
    ]
    notes = [] if set(metrics) <= set(QUICK) else [METRICS_NOTE]
    return ResultTable(
        folder=f"{first.data}/{first.variant}",
        task=first.task,
        test_set=str(test_set),
        title=f"{first.task} on {test_set}: mean over {photographs} photographs",
        header=(*partly, *_header(runs), *notes),
        columns=(input_title, *map(title_of, [*baselines, *losses])),
        metrics=tuple(metrics),
        means=means,
        spreads=spreads,
    )


def averaged(scores: pd.DataFrame, metrics: Sequence[str], columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Means over images and seeds, and standard deviations over seeds of the mean over images, (metrics, columns).

    What is not scored, and the spread of what has no seed or one, is not a number.
    """
    rows = pd.MultiIndex.from_product([metrics, columns])
    per_seed = scores.groupby(["metric", "loss", "seed"])["value"].mean().unstack("seed").reindex(rows)
    shape = (len(metrics), len(columns))
    spreads = per_seed.std(axis=1).to_numpy(copy=True).reshape(shape)
    spreads[:, [column in UNTRAINED for column in columns]] = np.nan
    return per_seed.mean(axis=1).to_numpy().reshape(shape), spreads


def _header(runs: Sequence[Run]) -> tuple[str, ...]:
    facts = [read_provenance(run) for run in runs]

    def listed(value: Callable[[dict[str, Any]], object]) -> str:
        return ", ".join(dict.fromkeys(str(value(fact)) for fact in facts))

    photographs = listed(lambda fact: fact["photographs"]["train"])
    digest = listed(lambda fact: fact["training_photographs_hash"][:12])
    patches = listed(lambda fact: f"{fact['patches_seen']:,}")
    batch, precision = listed(lambda fact: fact["batch"]), listed(lambda fact: fact["precision"])
    hardware, commit = listed(lambda fact: fact["hardware"]), listed(lambda fact: fact["commit"])
    seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in runs}))
    return (
        f"data: trained on {runs[0].data}, {photographs} photographs (hash {digest})",
        f"budget {runs[0].variant}: {patches} patches of {PATCH}x{PATCH} seen, batch {batch}, {precision}; "
        f"seeds {seeds}",
        f"protocol: {read_scoring(runs[0])['protocol']}",
        f"hardware: {hardware}; commit {commit}",
    )
