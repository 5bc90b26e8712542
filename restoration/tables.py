"""The paper's tables from per-image records: a column for the degraded input and every loss, a row for every metric."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from restoration.columns import BASELINES, UNTRAINED, in_order, title_of
from restoration.errors import UserError
from restoration.evaluate import INPUT
from restoration.files import write_text
from restoration.metrics import METRICS, NOTE, QUICK
from restoration.rendering import Cell, Table, latex, markdown
from restoration.runs import Run, baselines_beside, read_provenance, read_scores, read_scoring
from restoration.scales import scale_of
from restoration.statistics import Difference

QUOTED = [METRICS[name].title for name in ("psnr", "ssim", "ms_ssim")]


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
        lines = [f"# {line}" for line in (self.title, *self.header)]
        lines.append(",".join(["metric", *self.columns]))
        for name, means in zip(self.metrics, self.means, strict=True):
            lines.append(",".join([name, *(f"{mean:.8g}" for mean in means)]))
        return "\n".join(lines) + "\n"


def table_of(result: ResultTable, differences: Iterable[Difference] = ()) -> Table:
    """The table as it is shown; beside losses their spread over seeds, or else their difference to one other loss.

    Args:
        differences: of the same task and test set, all to the same loss.
    """
    trained = [each for each in differences if each.images and each.first not in UNTRAINED]
    beside = {(each.at.metric, title_of(each.first)): each for each in trained}
    rows = []
    for name, means, spreads in zip(result.metrics, result.means, result.spreads, strict=True):
        metric = METRICS[name]
        known = [mean for mean in means if not np.isnan(mean)]
        best = metric.shown((max if metric.higher_is_better else min)(known)) if known else None
        cells = []
        for column, mean, spread in zip(result.columns, means, spreads, strict=True):
            text = metric.shown(mean)
            found = beside.get((name, column))
            around = f"± {metric.shown(spread)}" if not np.isnan(spread) else _around(found) if found else ""
            cells.append(Cell(text.replace("nan", "–"), around, text == best))
        rows.append((metric.title, cells))
    to = {title_of(each.second) for each in beside.values()}
    notes = [f"below each value: its difference to {title}, paired, with the 95 % interval" for title in sorted(to)]
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
            columns = [title_of(INPUT), *result.columns[1:]]
            titles |= dict.fromkeys(column for column in columns if column not in map(title_of, BASELINES))
            for name, cells in table_of(result).rows:
                if name in QUOTED:
                    rows.append((f"{result.task}: {name}", dict(zip(columns, cells, strict=True))))
        shown = [title for title in titles if any(title in cells for _, cells in rows)]
        body = [(name, [cells.get(title, Cell("–")) for title in shown]) for name, cells in rows]
        notes = dict.fromkeys(note for result in its for note in result.header)
        tables.append(Table(f"On {test_set}", shown, body, list(notes)))
    return tables


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
    return [
        _table(test_set, scores, its_runs, input_titles[task])
        for (_, _, task), its_runs in groups.items()
        for test_set, scores in read_scores(its_runs).groupby("test_set")
    ]


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
        keys = first.keys() | other.keys() - {"metrics"}  # of which some may lack: a table shows a dash
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
    scores, baselines = _with_baselines(scores, test_set, first)
    metrics = [name for name in METRICS if name in set(scores["metric"])]
    losses = in_order({run.loss for run in runs})
    means, spreads = averaged(scores, metrics, [INPUT, *baselines, *losses])
    photographs = scores["image"].nunique()
    defined = scores.dropna(subset="value").groupby("metric")["image"].nunique()
    partly = [
        f"{METRICS[name].title} over the {defined.get(name, 0)} of {photographs} photographs that are large enough"
        for name in metrics
        if defined.get(name, 0) < photographs
    ]
    notes = [] if set(metrics) <= set(QUICK) else [NOTE]
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


def _with_baselines(scores: pd.DataFrame, test_set: Any, run: Run) -> tuple[pd.DataFrame, list[str]]:
    """The records of a test set with those of the baselines that have been scored on all its photographs."""
    complete = {}
    for baseline in baselines_beside(run):
        records = read_scores([baseline])
        records = records[records["test_set"] == test_set]
        if set(records["image"]) >= set(scores["image"]):
            complete[baseline.loss] = records
    names = [name for name in BASELINES if name in complete]
    return pd.concat([scores, *(complete[name] for name in names)], ignore_index=True), names


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
        f"budget {runs[0].variant}: {patches} patches of 31x31 seen, batch {batch}, {precision}; seeds {seeds}",
        f"protocol: {read_scoring(runs[0])['protocol']}",
        f"hardware: {hardware}; commit {commit}",
    )
