"""Scores of the raw study as tables, and as what the claims are tested on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from restoration.evaluate import INPUT
from restoration.metrics import METRICS, NOTE
from restoration.protocol import Protocol
from restoration.raw_study import ENCODED, IN_LIGHT, TILE, column_title
from restoration.runs import COLUMNS
from restoration.statistics import UNTRAINED
from restoration.tables import ResultTable, in_order

RECORDS = "records.csv"


def raw_folder(root: Path, data: str, variant: str) -> Path:
    """Where the study of these runs lies; no run has a folder of this name."""
    return root / data / f"raw-{variant}"


def claimed_records(root: Path, data: str, variant: str) -> pd.DataFrame | None:
    """The records that claim 10 is about: noise in a sensor's light, not the training's own; None without a study."""
    path = raw_folder(root, data, variant) / RECORDS
    if not path.exists():
        return None
    records = pd.read_csv(path)
    return records[records["test_set"].str.startswith(IN_LIGHT)].reset_index(drop=True)


def tables_of(records: pd.DataFrame, notes: Sequence[str]) -> list[ResultTable]:
    """A table for each kind of noise, as the records order them.

    Args:
        records: with the columns of `runs.COLUMNS`, of one data set and variant.
        notes: of the photographs and networks, lines to print below every table.
    """
    if absent := [name for name in COLUMNS if name not in records]:
        raise ValueError(f"records need the columns {', '.join(COLUMNS)}; {', '.join(absent)} are missing")
    return [_table(str(test_set), scores, notes) for test_set, scores in records.groupby("test_set", sort=False)]


def _table(test_set: str, scores: pd.DataFrame, notes: Sequence[str]) -> ResultTable:
    there = set(scores["loss"])
    baselines = [name for name in (INPUT, "menon", "bm3d", "bm3d_blind") if name in there]
    columns = [*baselines, *in_order(there - set(UNTRAINED))]
    metrics = [name for name in METRICS if name in set(scores["metric"])]
    rows = pd.MultiIndex.from_product([metrics, columns])
    per_seed = scores.groupby(["metric", "loss", "seed"])["value"].mean().unstack("seed").reindex(rows)
    shape = (len(metrics), len(columns))
    spreads = per_seed.std(axis=1).to_numpy(copy=True).reshape(shape)
    spreads[:, : len(baselines)] = np.nan  # these have no seed
    seeds = sorted(scores.loc[~scores["loss"].isin(UNTRAINED), "seed"].unique())
    return ResultTable(
        name=test_set,
        title=f"demosaic on {test_set}: mean over {scores['image'].nunique()} tiles",
        header=(
            _noise(test_set),
            *notes,
            f"seeds {', '.join(map(str, seeds))}; tiles of {TILE} x {TILE} pixels that do not overlap: tiles of one "
            "photograph are not photographs",
            f"protocol: of each tile, {Protocol()}",
            NOTE,
        ),
        columns=tuple(map(column_title, columns)),
        metrics=tuple(metrics),
        means=per_seed.mean(axis=1).to_numpy().reshape(shape),
        spreads=spreads,
    )


def _noise(test_set: str) -> str:
    """What the name of a test set says, in words."""
    if test_set.startswith(ENCODED):
        return f"{test_set}: the training's own noise, on values with the sRGB curve; a control"
    return (
        f"{test_set}: noise of variance a y + b, a and b as named, added to the light of the binned raw file, then "
        "white balance and sRGB curve; BM3D is told a and b and works on light, blind BM3D works on encoded values "
        "with the training's a and b"
    )
