"""A study as one page, with tables and figures as separate files: make report [DATA=sample] [BUDGET=quick]

For a study that has records but no runs: make report STUDY=results/studies/photos-long
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from rich.console import Console
from torch import nn

from restoration import names, pretrained
from restoration.datasets.photos import PackedPhotos
from restoration.errors import UserError
from restoration.study import report
from restoration.study.records import Study
from restoration.study.report.crops import save_crops
from restoration.study.report.drawing import pictures
from restoration.study.report.photographs import flat_crops
from restoration.study.runs import find_runs
from restoration.study.shipping import study_of
from restoration.tasks import Task
from scripts.cli import explained, plain_console, say_next
from scripts.trained import named_data, networks_of, packed_tests, task_of, tests_of

BUNDLES = {"sample": "scikit-image"}  # titles
STRIP = ("l2", "l1", "mix")  # the losses on the first screen
NO_WEIGHTS = "These records came without the weights of the networks, so no photograph can be restored."
BUNDLED = "Photographs that come with scikit-image, because the test photographs of the study are not here."
# By task: the task, networks by title, test photographs by title (none where they are gone).
Networks = dict[str, tuple[Task, Mapping[str, nn.Module], Mapping[str, PackedPhotos]]]


def main(config: DictConfig) -> None:
    console, folder = plain_console(), Path(config.report)
    if config.study:
        study = Study.load(Path(config.study) / "records")
    else:
        study = Study.collect(Path(config.runs), **config.only)
    with console.status("computing the tables") as status:
        sections = []
        for section in report.sections(
            study, pd.read_csv(config.published), before=Study.load_published(config.before)
        ):
            status.update(f"made: {section.title}")
            sections.append(section)
    shown, remark = pictured(study, config, console)
    answer, *others = sections
    answer = report.with_strip(answer, shown, [study.title(loss) for loss in STRIP])
    sections = [answer, report.photographs(shown, remark), *others]
    report.write_texts(folder, sections)
    draw_crops(study, shown, folder / "crops.png")
    report.write_page(folder / "index.html", "Which loss for image restoration?", report.introduction(study), sections)
    console.print(f"written to {folder}/index.html; tables and figures as files beside it", soft_wrap=True)
    say_next("make restore FILES=photo.jpg" if config.study else "make publish")


def draw_crops(study: Study, shown: Sequence[report.Picture], path: Path) -> None:
    """The picture of the README: flat areas of each task after L2 and Mix, if both are trained for every task."""
    titles = [study.title(loss) for loss in (STRIP[0], STRIP[-1])]
    if shown and all({*titles} <= picture.versions.keys() for picture in shown):
        rows = {
            task: flat_crops([picture for picture in shown if picture.task == task], titles).crops
            for task in dict.fromkeys(picture.task for picture in shown)
        }
        save_crops(rows, path)


def pictured(study: Study, config: DictConfig, console: Console) -> tuple[list[report.Picture], str]:
    """Test photographs in all versions, and a remark; without photographs, the remark gives the reason."""
    if not config.photographs:
        return [], "No photographs were asked for."
    networks = shipped(study) if config.study else trained(study, config)
    if not any(versions for _, versions, _ in networks.values()):
        return [], NO_WEIGHTS
    remark = "" if all(tests for _, _, tests in networks.values()) else BUNDLED
    try:
        bundled = bundled_photographs(config) if remark else {}
        return list(drawn(networks, bundled, config.photographs, console)), remark
    except (UserError, InstantiationException) as error:
        return [], explained(error)


def bundled_photographs(config: DictConfig) -> dict[str, PackedPhotos]:
    """The test photographs of a data set that every installation has."""
    tests = packed_tests(named_data(config.shown), Path(config.packs))
    return {BUNDLES.get(name, name): photos for name, photos in tests.items()}


def trained(study: Study, config: DictConfig) -> Networks:
    """The networks of the main part, first seed, with all test photographs that still exist."""
    networks: Networks = {}
    every = find_runs(Path(config.runs), data=study.data)
    runs = [run for run in every if run.study == study.variant and run.part == "main"]
    for task in names.ordered_tasks(run.task for run in runs):
        first = next(run for run in runs if run.task == task)
        try:
            tests = tests_of(first, Path(config.packs))
        except UserError:
            tests = {}
        networks[task] = task_of(first), networks_of(runs, task), tests
    return networks


def shipped(study: Study) -> Networks:
    """The networks that come with the package, if this study trained them."""
    networks: Networks = {}
    for task in study.tasks:
        losses = [loss for name, loss in pretrained.shipped() if name == task]
        files = {loss: pretrained.weights_file(pretrained.FOLDER, task, loss) for loss in names.ordered_columns(losses)}
        versions = {
            study.title(loss): pretrained.read_network(path)
            for loss, path in files.items()
            if study_of(path) == (study.data, study.variant)
        }
        networks[task] = pretrained.TASKS[task], versions, {}
    return networks


def drawn(
    networks: Networks, bundled: Mapping[str, PackedPhotos], count: int, console: Console
) -> Iterator[report.Picture]:
    """The pictures of each task."""
    for task, (degradation, versions, tests) in networks.items():
        with console.status(f"restoring photographs: {names.task_title(task)}"):
            yield from pictures(
                names.task_title(task),
                degradation,
                versions,
                tests or bundled,
                count=count,
                input_title=names.input_title(task),
            )
