"""The curves of a run as a table, from its TensorBoard events.

Reading the events takes about 0.2 s a run. So a training also writes curves.csv, with the same values.

Tags: val/<metric>, test/<test set>/<metric>, and train/gradient_share/<term> of a loss with several terms. A gradient
share has one value for each tenth of the training, at the end of the tenth: the mean of the values logged in the tenth.
Values have seven significant digits, as many as the events.
"""

import pandas as pd

from restoration.files import write_csv
from restoration.names import CURVES, GRADIENT_SHARE, METRICS, curve_tag
from restoration.study.runs import Run, read_table

CURVE = ["part", "task", "loss", "seed", "tag", "patches", "value"]
KEPT = r"val/[^/]+|test/.+/[^/]+"
SHARE = "train/gradient_share/"
TENTHS = 10


def write_curves(run: Run) -> None:
    """Writes curves.csv from the events of a run whose training has ended."""
    write_csv(run.folder / "curves.csv", read_curves(run))


def read_curves(run: Run) -> pd.DataFrame:
    """A row for each tag and number of patches seen, with the columns CURVE; empty without curves.csv and events."""
    if (run.folder / "curves.csv").exists():
        return read_table(run.folder / "curves.csv")
    events = _events(run)
    end = events["patches"].max() if len(events) else 1
    tenths = (-(-TENTHS * events["patches"] // end)).clip(lower=1)  # rounded up
    shares = events.assign(patches=end * tenths // TENTHS)[events["tag"].str.startswith(SHARE)]
    means = shares.groupby(["tag", "patches"], as_index=False)["value"].mean()
    rows = pd.concat([events[events["tag"].str.fullmatch(KEPT)], pd.DataFrame(means)])
    rows = rows.sort_values(["tag", "patches"], ignore_index=True)
    rows["value"] = [float(f"{value:.7g}") for value in rows["value"]]
    return rows.assign(part=run.part, task=run.task, loss=run.loss, seed=run.seed)[CURVE]


def curve(curves: pd.DataFrame, tag: str) -> tuple[list[float], list[float]]:
    """Patches seen and values of one tag of one run."""
    rows = curves[curves["tag"] == tag]
    return rows["patches"].astype(float).tolist(), rows["value"].tolist()


def _events(run: Run) -> pd.DataFrame:
    """All scalars; if a value was logged twice, before and after an interruption, the later one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # slow to import

    rows = []
    if run.folder.exists():
        board = EventAccumulator(str(run.folder), {"scalars": 0, "images": 1}).Reload()
        for title in board.Tags()["scalars"]:
            tag, times = _stored(title)
            rows += [(tag, event.step, event.value / times) for event in board.Scalars(title)]
    frame = pd.DataFrame(rows, columns=["tag", "patches", "value"])
    return frame.astype({"tag": str, "patches": int, "value": float}).drop_duplicates(["tag", "patches"], keep="last")


def _stored(title: str) -> tuple[str, float]:
    """The tag of a curve by its title in TensorBoard, and the factor between shown and stored values.

    Events of runs before November 2026 already contain the stored tags and values.
    """
    chart, _, name = title.partition("/")
    for metric in CURVES:
        if chart == curve_tag(metric).partition("/")[0]:
            tag = f"val/{metric}" if name == "validation" else f"test/{name.removeprefix('test ')}/{metric}"
            return tag, METRICS[metric].shown_times
    return (SHARE + name if chart == GRADIENT_SHARE else title), 1.0
