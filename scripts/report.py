"""A study as one page, with tables and figures as files beside it: make report [DATA=sample] [BUDGET=quick]

Of a study that came as records, without its runs: make report STUDY=results/studies/photos-long
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from restoration import names
from restoration.errors import UserError
from restoration.study import report
from restoration.study.records import Study
from restoration.study.report.drawing import pictures
from restoration.study.runs import Run, find_runs
from scripts.cli import explained, plain_console
from scripts.trained import networks_of, task_of, tests_of

NO_WEIGHTS = "These records came without the weights of the networks, so no photograph can be restored."


def main(config: DictConfig) -> None:
    console, folder = plain_console(), Path(config.report)
    if config.study:
        study, runs = Study.load(Path(config.study) / "records"), []
    else:
        study = Study.collect(Path(config.runs), **config.only)
        runs = [run for run in find_runs(Path(config.runs), data=study.data) if run.study == study.variant]
    packs, count = Path(config.packs), config.photographs
    sections = []
    with console.status("reading the tables") as status:
        for section in report.sections(study, pd.read_csv(config.published)):
            status.update(f"written: {section.title}")
            if section.title == names.part_title("sigma"):
                section = report.with_crops(section, *pictured(runs, "sigma", packs, min(count, 1), tests=1))
            sections.append(section)
        status.update("restoring photographs")
        sections += [report.photographs(*pictured(runs, "main", packs, count)), report.provenance(study)]
    report.write_texts(folder, sections)
    title = f"Loss functions for image restoration: {study.data}, {study.variant}"
    report.write_page(folder / "index.html", title, report.introduction(study), sections)
    console.print(f"written to {folder}/index.html; tables and figures as files beside it", soft_wrap=True)


def pictured(
    runs: Sequence[Run], part: str, packs: Path, count: int, *, tests: int | None = None
) -> tuple[list[report.Picture], str]:
    """The first photographs of each test set; where there are none, why: the page does without.

    Args:
        count: photographs of each test set.
        tests: how many test sets; None: all.
    """
    if not count:
        return [], "No photographs were asked for."
    try:
        return list(drawn([run for run in runs if run.part == part], packs, count, tests)), NO_WEIGHTS
    except (UserError, InstantiationException) as error:
        return [], explained(error)


def drawn(runs: Sequence[Run], packs: Path, count: int, tests: int | None) -> Iterator[report.Picture]:
    """The pictures of each task."""
    for task in names.ordered_tasks(run.task for run in runs):
        first = next(run for run in runs if run.task == task)
        photos = dict(islice(tests_of(first, packs).items(), tests))
        yield from pictures(
            names.task_title(task),
            task_of(first),
            networks_of(runs, task),
            photos,
            count=count,
            input_title=names.input_title(task),
        )
