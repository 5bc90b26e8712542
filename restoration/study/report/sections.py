"""The sections of a report: from the tables of a study alone, without PyTorch, weights or events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from restoration import names
from restoration.files import write_text
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.report.blocks import Block, Figure, Fold, Section
from restoration.study.report.charts import switch_place, switching_figure, training_figure
from restoration.study.report.photographs import Picture, Viewer, strips

FILES = ("training.svg", "switching.svg")  # that an earlier study may have left


def sections(study: Study) -> Iterator[Section]:
    """The sections for which the study has scores or curves, in the order of the page."""
    yield Section("Tables", blocks=tables(study, "main"))
    for part in study.parts:
        if part not in ("main", "switching"):
            yield Section(names.part_title(part), blocks=[Fold("Tables", tables(study, part))])
    if section := switching(study):
        yield section
    if section := training(study):
        yield section


def write_texts(folder: Path, sections: Iterable[Section]) -> None:
    """Writes the files of each section into `folder`; files of an earlier study that this one lacks are removed."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for section in sections:
        for name, text in section.files.items():
            write_text(folder / name, text)


def introduction(study: Study) -> list[str]:
    """The subject of the page, and the parts that are missing in it."""
    lines = ["One network, trained with each loss, for each task. Only the loss differs."]
    missing = [title for part, title in names.PARTS.items() if part not in study.parts]
    if missing:
        command = f"make study EXPERIMENT=paper BUDGET={study.variant}"
        lines.append(f"Not trained: {', '.join(missing)}. {command}, on the same data, trains them.")
    return lines


def provenance(study: Study) -> Section:
    """Data, budgets, protocol, hardware and commits."""
    runs = study.runs
    listed = {name: ", ".join(map(str, sorted(runs[name].unique()))) for name in ("precision", "hardware", "commit")}
    budgets = ", ".join(f"{count:,}" for count in sorted(runs["patches"].unique()))
    hashes = ", ".join(sorted(hash_[:12] for hash_ in runs["photographs_hash"].unique()))
    lines = [
        f"Data: {study.data}, {_range(runs['photographs'])} training photographs (hash {hashes}).",
        f"Budgets: {budgets} patches, batch {_range(runs['batch'])}, {listed['precision']}.",
        *(f"Protocol: {protocol}." for protocol in runs["protocol"].unique()),
        f"Hardware: {listed['hardware']}. Commits: {listed['commit']}.",
        *study.notes,
    ]
    return Section("How this was made", lines)


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return str(low) if low == high else f"{low} to {high}"


def switching(study: Study) -> Section | None:
    """Errors of the test photographs while losses take each other's place."""
    svg = switching_figure(study)
    if svg is None:
        return None
    place = switch_place(study)
    words = "L2 and L1 throughout the training, and each for one part of it: does L2 get stuck, as the paper says?"
    notes = [] if place is None else [f"the losses switch after {place:,.0f} patches"]
    figure = Figure("Errors of the test photographs", svg, "Curves of L2 and L1 against patches seen", notes)
    return Section(names.part_title("switching"), [words], [figure], {"switching.svg": svg})


def training(study: Study) -> Section | None:
    """The metrics of the validation photographs against patches seen."""
    svg = training_figure(study)
    if svg is None:
        return None
    figure = Figure("Validation photographs", svg, "Curves of each metric against patches seen, a line for each loss")
    return Section("Training", blocks=[figure], files={"training.svg": svg})


def tables(study: Study, part: str) -> list[Block]:
    """Means over photographs and seeds, a table for each task and test set."""
    rows = study.scores[study.scores["part"].isin([part, ""])]
    made = []
    for task in names.ordered_tasks(rows.loc[rows["part"] == part, "task"]):
        for test in rows.loc[(rows["part"] == part) & (rows["task"] == task), "test_set"].unique():
            own = rows[(rows["task"] == task) & (rows["test_set"] == test)]
            means = own.groupby(["metric", "loss"])["value"].mean().unstack("loss")
            columns = names.ordered_columns(means.columns)
            body = [
                (names.metric(name).label, [Cell(names.metric(name).shown(means.loc[name, loss])) for loss in columns])
                for name in names.ordered_metrics(means.index)
            ]
            title = f"{names.task_title(task)}: {study.test_sets[test]['title']}"
            made.append(Table(title, [study.title(loss) for loss in columns], body))
    return made


def photographs(pictures: Sequence[Picture], why: str) -> Section:
    """The viewer and strips of crops; without pictures, why there are none."""
    if not pictures:
        return Section("Photographs", [why])
    return Section("Photographs", blocks=[Viewer("Flip between losses", pictures), *strips(pictures, viewed=True)])


def with_crops(section: Section, pictures: Sequence[Picture], why: str) -> Section:
    """A section with strips of crops below its blocks; without pictures, why there are none."""
    if not pictures:
        return replace(section, paragraphs=[*section.paragraphs, f"No crops. {why}"])
    crops = list(strips(pictures, viewed=False))
    return replace(section, blocks=[*section.blocks, *([Fold("Crops", crops)] if crops else [])])
