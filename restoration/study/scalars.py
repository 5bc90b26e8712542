"""The curves of a run as a table: from its TensorBoard events, or from scalars.csv, an archive of the events.

Columns: data, variant, task, loss, seed, tag, patches (seen), value. Tags: val/<metric>, test/<test set>/<metric>, and
train/gradient_share/<term>. A gradient share has one value for each tenth of the training, at the end of the tenth: the
mean of the values logged in this tenth. Values have seven significant digits, as many as the events.
"""

import math
import re

import pandas as pd

from restoration.study.runs import Run, read_records

NAMES = ["data", "variant", "task", "loss", "seed"]
COLUMNS = [*NAMES, "tag", "patches", "value"]
KEPT = re.compile(r"val/[^/]+|test/.+/[^/]+")
SHARE = "train/gradient_share/"
TENTHS = 10


def read_scalars(run: Run) -> pd.DataFrame:
    """The run's scalars, sorted; empty without file and events."""
    path = run.folder / "scalars.csv"
    if path.exists():
        return read_records(path)
    names = [run.data, run.variant, run.task, run.loss, run.seed]
    rows = [
        [*names, tag, patches, float(f"{value:.7g}")]
        for tag, points in sorted(_points(run).items())
        for patches, value in sorted(points.items())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def curve(scalars: pd.DataFrame, tag: str) -> tuple[list[float], list[float]]:
    """Patches seen and values of one tag of one run."""
    rows = scalars[scalars["tag"] == tag]
    return rows["patches"].astype(float).tolist(), rows["value"].tolist()


def _points(run: Run) -> dict[str, dict[int, float]]:
    """Values by patches seen, by tag; after an interruption, the value that was logged last at a place."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # slow to import

    if not run.folder.exists():
        return {}
    board = EventAccumulator(str(run.folder), {"scalars": 0, "images": 1}).Reload()
    tags = board.Tags()["scalars"]
    logged = {tag: {event.step: event.value for event in board.Scalars(tag)} for tag in tags}
    end = max((step for points in logged.values() for step in points), default=0)
    kept = {tag: points for tag, points in logged.items() if KEPT.fullmatch(tag)}
    return kept | {tag: _by_tenths(points, end) for tag, points in logged.items() if tag.startswith(SHARE)}


def _by_tenths(points: dict[int, float], end: int) -> dict[int, float]:
    """The mean of each tenth of the training that has values, at the tenth's end."""
    tenths: dict[int, list[float]] = {}
    for step, value in points.items():
        tenths.setdefault(max(1, math.ceil(TENTHS * step / end)), []).append(value)
    return {end * tenth // TENTHS: math.fsum(values) / len(values) for tenth, values in tenths.items()}
