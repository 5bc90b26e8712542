"""What a study changes in the verdicts of an earlier study, and which settings of the trainings and scores differ."""

from collections.abc import Iterable

import pandas as pd

from restoration.names import task_title
from restoration.study.agreement import Judged, judge
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.statistics import Comparisons

SETTINGS = {"patches": "patches", "optimizer": "optimiser", "learning_rate": "learning rate"}  # shown with their values
WORDS = {"protocol": "protocol of the scores", "degradation": "degradation", "photographs_hash": "photographs"}


def changes_table(before: Comparisons, after: Comparisons) -> Table:
    """A row for each claim and task: the verdict then and now and, where the two differ, the settings that differ."""
    then, now = ({each.claim.number: each for each in judge(study)} for study in (before, after))
    body = []
    for number, judged in {**then, **now}.items():
        for task in dict.fromkeys([*before.study.tasks, *after.study.tasks]):
            verdicts = [known[number].verdict(task) if number in known else "" for known in (then, now)]
            if any(verdicts):
                why = ""
                if all(verdicts) and verdicts[0] != verdicts[1]:
                    why = _differing(_settings(before.study, then[number], task), _settings(after.study, judged, task))
                cells = [Cell(text or "–") for text in (*verdicts, why)]
                body.append((f"{number}. {judged.claim.words}: {task_title(task)}", cells))
    notes = [
        f"then: {before.study.name}; now: {after.study.name}",
        "why: settings, then → now, of the trainings that decide the claim; seeds: trainings of each loss",
        "the table does not say which of several settings made the difference",
    ]
    return Table("Verdicts then and now", ["then", "now", "why"], body, notes, words=True)


def _settings(study: Study, judged: Judged, task: str) -> dict[str, str]:
    """The settings of the trainings that decide a claim, by the words for them."""
    pairs = [pair for pair in judged.comparisons if pair.condition.task == task]
    losses = {loss for pair in pairs for loss in (pair.first, pair.second)}
    part = "main" if judged.part == "raw" else judged.part
    runs = study.runs[(study.runs["part"] == part) & (study.runs["task"] == task) & study.runs["loss"].isin(losses)]
    values = {title: _span(runs[name]) for name, title in SETTINGS.items()}
    values["seeds"] = _span(judged.comparisons[pair].seeds for pair in pairs)
    return values | {title: " ".join(sorted(set(runs[name]))) for name, title in WORDS.items()}


def _span(values: Iterable[object]) -> str:
    """As in "1 to 3" or "30,000"; of words, a list."""
    known = sorted(pd.Series(list(values)).dropna().unique())
    texts = [value if isinstance(value, str) else f"{value:,.10g}" for value in known]
    return (
        ", ".join(texts)
        if known and isinstance(known[0], str)
        else " to ".join(dict.fromkeys([*texts[:1], *texts[-1:]]))
    )


def _differing(then: dict[str, str], now: dict[str, str]) -> str:
    """The settings that differ; values of long ones are left out."""
    names = [name for name in then if then[name] and now[name] and then[name] != now[name]]
    return "; ".join(name if name in WORDS.values() else f"{name}: {then[name]} → {now[name]}" for name in names)
