"""The figures of a study: which of its values stand in which panel. A column of panels for each task."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from restoration import names
from restoration.study import figures
from restoration.study.records import Study

TRACKED = ("l2", "l1")  # metrics of the switching figure


def training_figure(study: Study) -> str | None:
    """Validation curves of the main training, a row of panels for each metric; None without curves."""
    curves = study.curves[study.curves["part"] == "main"]
    tasks = names.ordered_tasks(curves["task"])
    panels = [
        _panel(curves[curves["task"] == task], f"val/{metric}", metric, names.task_title(task))
        for metric in names.QUICK
        for task in tasks
    ]
    return _curves(study, panels, columns=max(2, len(tasks)))


def switching_figure(study: Study) -> str | None:
    """Errors of the test photographs while losses take each other's place, a row for each metric and test set."""
    curves = study.curves[study.curves["part"] == "switching"]
    tasks = names.ordered_tasks(curves["task"])
    panels = [
        _panel(
            curves[curves["task"] == task],
            f"test/{test}/{metric}",
            metric,
            f"{names.task_title(task)}\n{facts['title']}",
        )
        for metric in TRACKED
        for test, facts in study.test_sets.items()
        for task in tasks
    ]
    return _curves(study, panels, columns=max(2, len(tasks)), switch=switch_place(study))


def switch_place(study: Study) -> float | None:
    """Patches after which the losses of the switching part take each other's place; None where that is not one."""
    runs = study.runs[study.runs["part"] == "switching"]
    pairs = zip(runs["config"].tolist(), runs["patches"].tolist(), strict=True)
    places = {float(config["loss"]["at"] * patches) for config, patches in pairs if "at" in config["loss"]}
    return places.pop() if len(places) == 1 else None


def _panel(curves: pd.DataFrame, tag: str, metric: str, title: str) -> pd.DataFrame:
    facts = names.metric(metric)
    rows = curves[curves["tag"] == tag]
    return rows.assign(panel=f"{title}: {facts.label}", value=rows["value"] * facts.shown_times)


def _curves(study: Study, panels: Iterable[pd.DataFrame], *, columns: int, switch: float | None = None) -> str | None:
    frame = pd.concat([panel for panel in panels if len(panel)] or [study.curves[:0]])
    frame = frame[np.isfinite(frame["value"])]  # a metric is not defined on every photograph
    return figures.curves(frame, _titles(study), columns=columns, switch=switch) if len(frame) else None


def _titles(study: Study) -> dict[str, str]:
    return dict(zip(study.runs["loss"], study.runs["title"], strict=True))
