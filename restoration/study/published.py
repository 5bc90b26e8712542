"""The paper's own figures beside ours, never among them: recalled and unverified, of 40 photographs nobody named."""

import math
from pathlib import Path

import pandas as pd

from restoration.names import METRICS
from restoration.study.columns import columns_in_order, title_of
from restoration.study.rendering import Cell, Table

NOTE = (
    "Ours, and in brackets the paper's (recalled, unverified), measured on other photographs, after longer training "
    "and perhaps under another protocol: compare orders, not values"
)


def read_published(path: Path) -> pd.DataFrame:
    """Columns task, loss ("input", a baseline or a loss), metric, value in shown units, status."""
    return pd.read_csv(path)


def beside_published(records: pd.DataFrame, published: pd.DataFrame) -> list[Table]:
    """A table for every task and test set: our mean over photographs and seeds (the paper's).

    Args:
        records: per-image records of one data set and variant, with its baselines.
        published: from `read_published`.
    """
    ours = records.groupby(["task", "test_set", "metric", "loss"])["value"].mean()
    theirs = published.set_index(["task", "metric", "loss"])["value"]
    tables = []
    for task, rows in published.groupby("task", sort=False):
        columns = columns_in_order(set(rows["loss"]))
        for test_set in sorted(records[records["task"] == task]["test_set"].unique()):
            body = []
            for metric in rows["metric"].unique():
                row = METRICS[metric]
                cells = []
                for loss in columns:
                    measured = ours.get((task, test_set, metric, loss), math.nan)
                    stated = theirs.get((task, metric, loss), math.nan) / row.shown_times
                    paper = f"({row.shown(stated)})".replace("nan", "–")
                    cells.append(Cell(row.shown(measured).replace("nan", "–"), paper))
                body.append((row.label, cells))
            title = f"{task} on {test_set}: ours (the paper's)"
            tables.append(Table(title, [title_of(name) for name in columns], body, [NOTE]))
    return tables
