"""The figures of a study: the values of each panel. Every task has a row of panels."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from restoration import names
from restoration.study import figures
from restoration.study.records import Study
from restoration.study.statistics import Comparisons, Pair
from restoration.study.tables import photograph_sets, set_title, short_title
from restoration.study.values import Condition

REFERENCE = "l1"  # the loss that others are compared with


def training_figure(study: Study) -> str | None:
    """Validation curves of the main training by the deciding metrics; None without curves."""
    curves = study.curves[study.curves["part"] == "main"]
    panels = [
        _panel(curves[curves["task"] == task], f"val/{metric}", metric, names.task_title(task))
        for task in names.ordered_tasks(curves["task"])
        for metric in names.DECIDING
    ]
    return _curves(study, panels)


def switching_figure(study: Study) -> str | None:
    """L2 on the photographs of each test set when the training switches losses; None without such trainings."""
    curves = study.curves[study.curves["part"] == "switching"]
    panels = [
        _panel(
            curves[curves["task"] == task],
            f"test/{test}/l2",
            "l2",
            f"{names.task_title(task)} on {short_title(study, test)}",
        )
        for task in names.ordered_tasks(curves["task"])
        for test in photograph_sets(study)
    ]
    return _curves(study, panels, switch=switch_place(study))


def switch_place(study: Study) -> float | None:
    """Number of patches after which the switching losses switch; None if they switch at different places."""
    runs = study.runs[study.runs["part"] == "switching"]
    if runs.empty:
        return None
    pairs = zip(runs["config"].tolist(), runs["patches"].tolist(), strict=True)
    places = {float(config["loss"]["at"] * patches) for config, patches in pairs if "at" in config["loss"]}
    return places.pop() if len(places) == 1 else None


def difference_figure(comparisons: Comparisons, metric: str) -> str | None:
    """Differences of the main losses to L1, a row of panels for each test set; None without any."""
    study, facts, rows = comparisons.study, names.metric(metric), []
    for task in study.tasks:
        for test in photograph_sets(study):
            place = Condition("main", task, test, metric)
            losses = [loss for loss in comparisons.columns(place) if loss not in (*names.UNTRAINED, REFERENCE)]
            pairs = [Pair(place, loss, REFERENCE) for loss in losses]
            title = f"{names.task_title(task)}\n{set_title(study, test)}"
            rows += [(title, comparison) for comparison in comparisons.compare_all(pairs).values()]
    frame = pd.DataFrame(
        [(title, row.first, row.difference, row.low, row.high, row.margin) for title, row in rows if row.images],
        columns=["panel", "loss", "value", "low", "high", "margin"],
    )
    if frame.empty:
        return None
    numbers = frame.columns[2:]
    frame[numbers] *= facts.shown_times
    label = f"{facts.label} − {study.title(REFERENCE)}'s"
    return figures.differences(frame, _titles(study), label=label)


def _panel(curves: pd.DataFrame, tag: str, metric: str, title: str) -> pd.DataFrame:
    facts = names.metric(metric)
    rows = curves[curves["tag"] == tag]
    return rows.assign(panel=f"{title}\n{facts.heading}", value=rows["value"] * facts.shown_times)


def _curves(study: Study, panels: Iterable[pd.DataFrame], *, switch: float | None = None) -> str | None:
    frame = pd.concat([panel for panel in panels if len(panel)] or [study.curves[:0]])
    frame = frame[np.isfinite(frame["value"])]  # a metric is not defined on every photograph
    return figures.curves(frame, _titles(study), switch=switch) if len(frame) else None


def _titles(study: Study) -> dict[str, str]:
    return {loss: study.title(loss) for loss in study.runs["loss"].unique()}
