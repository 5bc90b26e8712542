"""Every loss against L2 and against Mix, and how the losses rank: tables from records.

What is compared in one call is one family: Holm's correction counts every comparison in it, whatever task and metric.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import groupby

import numpy as np
import pandas as pd
from scipy import stats

from restoration.errors import UserError
from restoration.names import METRICS, is_measured
from restoration.study.bootstrap import RESAMPLES
from restoration.study.columns import UNTRAINED, columns_in_order, title_of
from restoration.study.rendering import Cell, Table
from restoration.study.runs import COLUMNS, task_order
from restoration.study.scales import RANK, scale_of, title_of_metric
from restoration.study.scores import Scores
from restoration.study.statistics import Condition, Difference, corrected

REFERENCES = ("l2", "mix")


def compare_all(
    scores: Scores,
    variant: str,
    *,
    references: Sequence[str] = REFERENCES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Every loss − every reference at every condition of a variant, corrected together; sorted."""
    return corrected(
        [
            scores.compare(at, loss, reference, resamples=resamples, seed=seed)
            for at in _conditions(scores, variant)
            for reference in references
            for loss in columns_in_order(set(scores.losses(at)))
            if loss != reference and scores.comparable(at, loss, reference)
        ]
    )


def comparison_frame(differences: Iterable[Difference]) -> pd.DataFrame:
    """A row per comparison, in the metrics' own units."""
    rows = []
    for each in differences:
        facts = asdict(each)
        rows.append({**facts.pop("at"), **facts, "better": each.better or ""})
    return pd.DataFrame(rows)


def comparison_tables(differences: Sequence[Difference]) -> list[Table]:
    """A table for each data set, variant, task, test set and reference, a row per metric.

    Args:
        differences: those that were corrected together.
    """
    tests = len({(each.at, frozenset((each.first, each.second))) for each in differences if each.images})
    groups = groupby(sorted(differences, key=_table_of), key=_table_of)
    return [_comparison_table(list(group), tests) for _, group in groups]


def mean_ranks(scores: Scores, variant: str) -> pd.DataFrame:
    """The mean rank of every loss over images at every condition of a variant, 1 being best.

    Images without finite values are left out. Of trained losses the seeds count that all of them have; a condition
    without such a seed is left out. A row per condition; columns: its names, images, left_out, then the losses, not a
    number where one is not scored.
    """
    places = _conditions(scores, variant)
    losses = columns_in_order({loss for at in places for loss in scores.losses(at)})
    rows = []
    for at in places:
        present = scores.losses(at)
        tables = {loss: scores.table(at, loss) for loss in present}
        trained = [set(table.columns) for loss, table in tables.items() if loss not in UNTRAINED]
        seeds = sorted(set.intersection(*trained)) if trained else []
        if trained and not seeds:
            continue
        own = [table if loss in UNTRAINED else table[seeds] for loss, table in tables.items()]
        values = _aligned(at, present, [table.mean(axis=1, skipna=False) for table in own])
        ranks = _ranks(values, at.metric)
        finite = np.isfinite(ranks).all(axis=0)
        means = ranks[:, finite].mean(axis=1) if finite.any() else np.full(len(present), np.nan)
        rows.append(
            {
                **asdict(at),
                "images": int(finite.sum()),
                "left_out": int((~finite).sum()),
                **dict(zip(present, means.tolist(), strict=True)),
            }
        )
    return pd.DataFrame(rows, columns=[*Condition.__dataclass_fields__, "images", "left_out", *losses])


def rank_tables(ranks: pd.DataFrame) -> list[Table]:
    """The frame of `mean_ranks` as a table for each data set, variant, task and test set; the lowest rank is best."""
    tables = []
    for (data, variant, task, test_set), rows in ranks.groupby(["data", "variant", "task", "test_set"], sort=False):
        losses = [name for name in ranks.columns[7:] if rows[name].notna().any()]
        body = []
        for _, row in rows.iterrows():
            least = f"{row[losses].min():.2f}"
            texts = [f"{row[loss]:.2f}".replace("nan", "–") for loss in losses]
            left_out = f" ({row['left_out']} left out)" if row["left_out"] else ""
            body.append((title_of_metric(row["metric"]) + left_out, [Cell(text, best=text == least) for text in texts]))
        title = f"Mean rank over images, 1 is best: {task} on {test_set} ({data}, {variant})"
        tables.append(Table(title, [*map(title_of, losses)], body, [f"{rows['images'].max()} images"]))
    return tables


def rank_records(scores: Scores, at: Condition, losses: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Records of the metric "rank": a loss's rank among `losses` for each image and seed, averaged over `metrics`.

    A metric counts on the images where all losses have finite values; `at` names everything but the metric. Empty
    where a loss lacks a metric, or no seed is common to all.
    """
    places = [replace(at, metric=metric) for metric in metrics]
    if not all(scores.has(place, loss) for place in places for loss in losses):
        return pd.DataFrame(columns=COLUMNS)
    tables = {(place, loss): scores.table(place, loss) for place in places for loss in losses}
    seeds = sorted(set.intersection(*(set(table.columns) for table in tables.values()))) if tables else []
    if not seeds:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for seed in seeds:
        columns = [tables[place, loss][seed] for place in places for loss in losses]
        values = _aligned(at, [*losses] * len(places), columns).reshape(len(places), len(losses), -1)
        ranks = np.stack([_ranks(each, place.metric) for each, place in zip(values, places, strict=True)])
        counts = np.isfinite(ranks).sum(axis=0)
        means = np.divide(np.nansum(ranks, axis=0), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
        images = tables[places[0], losses[0]].index
        rows += [
            (at.data, at.variant, at.test_set, at.task, loss, seed, image, RANK, value)
            for loss, per_image in zip(losses, means, strict=True)
            for image, value in zip(images, per_image, strict=True)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _conditions(scores: Scores, variant: str) -> list[Condition]:
    """As tables show them; without artefacts where the task leaves none of the kind."""
    its = (at for at in scores.conditions() if at.variant == variant)
    there = (at for at in its if is_measured(at.metric, at.task))
    return sorted(there, key=_as_shown)


def _comparison_table(differences: Sequence[Difference], tests: int) -> Table:
    at, reference = differences[0].at, differences[0].second
    losses = columns_in_order({each.first for each in differences})
    cells = {(each.at.metric, each.first): _cell(each) for each in differences}
    rows = [
        (_row_title(metric, differences), [cells.get((metric, loss), Cell("–")) for loss in losses])
        for metric in sorted({each.at.metric for each in differences}, key=_metric_order)
    ]
    seeds = sorted({each.seeds for each in differences})
    images = max(each.images + each.left_out for each in differences)
    alone = "; over images only" if any(each.of_these_trainings for each in differences) else ""
    notes = (
        f"{images} images, {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}; mean difference "
        f"[95 % bootstrap interval over images and seeds{alone}]",
        f"highlighted: better than {title_of(reference)}; *: worse; that is, the interval excludes 0 and Wilcoxon's "
        f"signed-rank test has p < 0.05 after Holm's correction for {tests} comparisons",
    )
    title = f"Against {title_of(reference)}: {at.task} on {at.test_set} ({at.data}, {at.variant})"
    return Table(title, [title_of(loss) for loss in losses], rows, notes)


def _row_title(metric: str, differences: Sequence[Difference]) -> str:
    left_out = max(each.left_out for each in differences if each.at.metric == metric)
    return title_of_metric(metric) + (f" ({left_out} left out)" if left_out else "")


def _cell(each: Difference) -> Cell:
    if not each.images:
        return Cell("–")
    scale = scale_of(each.at.metric)
    worse = " *" if each.better == each.second else ""
    interval = f"[{scale.shown(each.low)}, {scale.shown(each.high)}]{worse}"
    return Cell(scale.shown(each.value, sign="+"), interval, each.better == each.first)


def _aligned(at: Condition, losses: Sequence[str], columns: Sequence[pd.Series]) -> np.ndarray:
    """Values of all losses, (losses, images), on the same images."""
    for loss, column in zip(losses, columns, strict=True):
        if not column.index.equals(columns[0].index):
            raise UserError(
                f"{losses[0]} and {loss} are not scored on the same images of {at.test_set} ({at.task}, {at.metric}); "
                "score both again (make eval)"
            )
    return np.stack([column.to_numpy(float) for column in columns])


def _ranks(values: np.ndarray, metric: str) -> np.ndarray:
    """(losses, images): 1 for the best of an image, means for equals; not a number where some value is not finite."""
    oriented = -values if scale_of(metric).higher_is_better else values
    finite = np.isfinite(oriented).all(axis=0)
    ranks = np.full(values.shape, np.nan)
    if finite.any():
        ranks[:, finite] = stats.rankdata(oriented[:, finite], axis=0)
    return ranks


def _table_of(each: Difference) -> tuple:
    at = each.at
    return (at.data, at.variant, task_order(at.task), at.test_set, each.second)


def _as_shown(at: Condition) -> tuple:
    return (at.data, at.variant, task_order(at.task), at.test_set, _metric_order(at.metric))


def _metric_order(metric: str) -> tuple[int, str]:
    """As the tables order them, artefact measures after."""
    return (list(METRICS).index(metric) if metric in METRICS else len(METRICS), metric)
