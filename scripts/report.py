"""Everything that a study found, as one page and as Markdown: make report [DATA=sample] [BUDGET=quick]

Of a study that came as records, without its runs: make report STUDY=results/studies/photos-long
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import hydra
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import degraded_photo
from restoration.study import report
from restoration.study.archive import unpack
from restoration.study.columns import in_order, title_of
from restoration.study.figures import TRUTH, pixels_of
from restoration.study.published import read_published
from restoration.study.runs import Run, of_first_seed
from restoration.study.study import Study, read_study
from scripts.cli import clear_errors, explained, plain_console
from scripts.findings import findings
from scripts.sections import SIGMA
from scripts.trained import config_of, trained_network

CROP, CROPS = 64, 2  # pixels a side; of each task
NO_WEIGHTS = "These records came without the networks' weights, so nothing can be restored with them."
LARGEST = 1000  # pixels a side of what is shown: the page holds every version of it


@hydra.main(version_base="1.3", config_path="../configs", config_name="report")
def main(config: DictConfig) -> None:
    with clear_errors(), TemporaryDirectory() as scratch:
        folder = Path(config.report)
        if config.study:
            study = unpack(Path(config.study) / "records", Path(scratch))
        else:
            study = read_study(Path(config.runs), **config.only)
        found = findings(study, folder, published=read_published(Path(config.published)))
        packs, count = Path(config.packs), config.photographs
        of_sigma = pictured(study.part("sigma"), packs, min(count, 1), tests=1)
        sections = [with_crops(section, *of_sigma) if section.title == SIGMA else section for section in found.sections]
        page = report.Report(
            title=f"Loss functions for image restoration: {study.data}, {study.variant}",
            introduction=introduction(study, found.not_trained),
            sections=[*sections, photographs(*pictured(study.part(), packs, count))],
            provenance=found.provenance,
        )
        report.write_report(folder / "index.html", page)
        plain_console().print(
            f"written to {folder}/index.html; tables, claims.md and other texts beside it", soft_wrap=True
        )


def introduction(study: Study, not_trained: Sequence[str]) -> list[str]:
    """What this is, and what is missing in it."""
    lines = [
        "One network, trained with each loss, for each task. Only the loss differs.",
        "These tables as Markdown and LaTeX lie beside this page.",
    ]
    if not_trained:
        command = f"make study EXPERIMENT=paper BUDGET={study.variant}"
        lines.append(f"Not trained, and left out: {', '.join(not_trained)}. {command}, on the same data, trains them.")
    return lines


def pictured(
    runs: Sequence[Run], packs: Path, count: int, *, tests: int | None = None
) -> tuple[list[report.Picture], str]:
    """What `drawn` gives, and why that is nothing where it is nothing: the rest of the page does without."""
    if not count:
        return [], "None was asked for."
    try:
        return list(drawn(runs, packs, count, tests=tests)), NO_WEIGHTS
    except (UserError, InstantiationException) as error:
        return [], explained(error)


def with_crops(section: report.Section, pictures: Sequence[report.Picture], why: str) -> report.Section:
    """A section with the windows in which the versions differ most below its blocks, or why they are not there."""
    if not pictures:
        return replace(section, paragraphs=[*section.paragraphs, f"No crops. {why}"])
    crops = list(strips(pictures))
    return replace(section, blocks=[*section.blocks, *([report.Fold("Crops", crops)] if crops else [])])


def photographs(pictures: Sequence[report.Picture], why: str) -> report.Section:
    """The viewer and crops, or why they are not there."""
    if not pictures:
        return report.Section("Photographs", [why])
    return report.Section("Photographs", blocks=[report.Viewer("Flip between losses", pictures), *strips(pictures)])


def drawn(runs: Sequence[Run], packs: Path, count: int, *, tests: int | None = None) -> Iterable[report.Picture]:
    """The first photographs of each test set: degraded, after every loss whose weights are there, and true.

    Of a large one its centre.

    Args:
        tests: how many test sets; None: all.
    """
    runs = [run for run in of_first_seed(runs) if (run.folder / "model.safetensors").exists()]
    for task_name in dict.fromkeys(run.task for run in runs):
        its_runs = {run.loss: run for run in runs if run.task == task_name}
        trained = config_of(next(iter(its_runs.values())))
        task, device = instantiate(trained.task), torch.device("cpu")
        models = {title_of(loss): trained_network(its_runs[loss], device) for loss in in_order(set(its_runs))}
        for test, photos in islice(pack_set(instantiate(trained.data), packs).test.items(), tests):
            for index in range(min(count, len(photos))):
                degraded, target = degraded_photo(task, photos, index, device)
                restored = {title: restore_image(model, degraded) for title, model in models.items()}
                versions = {task.input_name: degraded, **restored, TRUTH: target}
                centres = {title: centre(image) for title, image in versions.items()}
                name = f"{test}: {photos.names[index]}" + (", centre" if centres[TRUTH].shape != target.shape else "")
                pixels = {title: pixels_of(image) for title, image in centres.items()}
                yield report.Picture(task_name, name, pixels)


def centre(image: Tensor) -> Tensor:
    """At most LARGEST x LARGEST pixels of (3, H, W)."""
    tops = [max(length - LARGEST, 0) // 2 for length in image.shape[1:]]
    return image[:, tops[0] : tops[0] + LARGEST, tops[1] : tops[1] + LARGEST]


def strips(pictures: Sequence[report.Picture]) -> Iterable[report.Strip]:
    """The windows of each task's first photograph in which its losses differ most."""
    for _, its in groupby(pictures, key=lambda picture: picture.task):
        picture = next(its)
        if len(picture.restored) > 1:
            for window in report.most_different_crops(picture.restored, picture.truth, side=CROP, count=CROPS):
                yield report.Strip(picture, window)


if __name__ == "__main__":
    main()
