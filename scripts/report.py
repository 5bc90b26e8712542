"""Everything that a study found, as one page and as Markdown: make report [DATA=sample] [BUDGET=quick]"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import hydra
import numpy as np
import pandas as pd
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from restoration import report
from restoration.claims import build_ledger
from restoration.comparisons import compare_all, comparison_markdown, mean_ranks, rank_markdown
from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.evaluate import degraded_photo, restore
from restoration.figures import as_saved
from restoration.files import write_text
from restoration.ledger import Ledger
from restoration.metrics import METRICS, QUICK
from restoration.runs import Run, baselines_beside, find_runs, read_scores
from restoration.tables import build_tables, in_order, title_of, write_tables
from scripts.cli import clear_errors
from scripts.eval import trained_network

CROP, CROPS = 64, 2  # pixels a side; of each task


@hydra.main(version_base="1.3", config_path="../configs", config_name="report")
def main(config: DictConfig) -> None:
    with clear_errors():
        console, folder = Console(), Path(config.report)
        runs = main_runs(Path(config.runs), config.data, config.variant)
        data, variant = runs[0].data, runs[0].variant
        records = read_scores(find_runs(runs[0].root, data=data))
        if baselines := list(dict.fromkeys(other for run in runs for other in baselines_beside(run))):
            records = pd.concat([records, read_scores(baselines).assign(variant=variant)], ignore_index=True)
        tables = build_tables(runs, input_titles=input_titles(runs))
        write_tables(tables, folder)

        tests = sorted(records["test_set"].unique())
        ledgers = [
            build_ledger(records, data=data, variant=variant, test_set=test, longer=config.longer) for test in tests
        ]
        own = records[records["variant"] == variant]
        write_text(folder / "claims.md", "\n".join(ledger.markdown() for ledger in ledgers))
        write_text(folder / "differences.md", comparison_markdown(compare_all(own)))
        write_text(folder / "ranks.md", rank_markdown(mean_ranks(own)))
        pictures = list(drawn(runs, Path(config.packs), config.photographs))
        page = report.Report(
            title=f"Loss functions for image restoration: {data}, {variant}",
            introduction=[
                "One network, trained with each loss, for each task. Only the loss differs.",
                "Differences, ranks and these tables as Markdown and LaTeX lie beside this page.",
            ],
            sections=[
                report.Section("Tables", blocks=[report.table_of(table) for table in tables]),
                report.Section("What the paper claims", blocks=[shown(ledger) for ledger in ledgers]),
                report.Section("Training", blocks=list(curves(runs))),
                report.Section(
                    "Photographs", blocks=[report.Viewer("Flip between losses", pictures), *strips(pictures)]
                ),
            ],
            provenance=list(dict.fromkeys(line for table in tables for line in table.header)),
        )
        report.write_report(folder / "index.html", page)
        console.print(f"written to {folder}/index.html; the tables, claims.md, differences.md and ranks.md beside it")


def main_runs(root: Path, data: str | None, variant: str | None) -> list[Run]:
    """The complete runs of one data set and one variant: those that are named, or the only ones there are."""
    runs = find_runs(root, data=data, variant=variant)
    variants = {(run.data, run.variant) for run in runs}
    if variant is None:
        variants = {
            (data, own) for data, own in variants if not any(own.startswith(f"{other}-") for _, other in variants)
        }
    if len(variants) != 1:
        there = "\n".join(f"  DATA={data} BUDGET={variant}" for data, variant in sorted(variants)) or "  none"
        raise UserError(f"a report is of one data set and one budget; trained in {root} are:\n{there}")
    return [run for run in runs if (run.data, run.variant) in variants]


def input_titles(runs: Iterable[Run]) -> dict[str, str]:
    return {run.task: instantiate(OmegaConf.load(run.folder / "config.yaml").task).input_name for run in runs}


def shown(ledger: Ledger) -> report.Ledger:
    claims = [
        report.Claim(f"{row.number}. {row.claim} {row.source}", row.test, row.measured, "", report.Verdict(row.verdict))
        for row in ledger.rows
    ]
    return report.Ledger(ledger.title, claims, ["[S]: stated in the paper; [R]: recalled, unverified"])


def curves(runs: Sequence[Run]) -> Iterable[report.Curves]:
    """Every quick metric of the validation photographs against patches seen, of each task's first seed."""
    for task in dict.fromkeys(run.task for run in runs):
        its_runs = {run.loss: run for run in runs if run.task == task and run.seed == 0}
        events = {loss: EventAccumulator(str(its_runs[loss].folder)).Reload() for loss in in_order(set(its_runs))}
        for metric in QUICK:
            series = [
                report.Series(title_of(loss), *_points(board, f"val/{metric}", METRICS[metric].shown_times))
                for loss, board in events.items()
            ]
            yield report.Curves(f"{task}: validation", "patches seen", METRICS[metric].title, series)


def _points(board: EventAccumulator, tag: str, times: float) -> tuple[list[float], list[float]]:
    points = {event.step: times * event.value for event in board.Scalars(tag)}
    return list(map(float, points)), list(points.values())


def drawn(runs: Sequence[Run], packs: Path, count: int) -> Iterable[report.Picture]:
    """The first photographs of each test set: degraded, after every loss, and true."""
    for task_name in dict.fromkeys(run.task for run in runs):
        its_runs = {run.loss: run for run in runs if run.task == task_name and run.seed == 0}
        trained = OmegaConf.load(next(iter(its_runs.values())).folder / "config.yaml")
        task, device = instantiate(trained.task), torch.device("cpu")
        models = {title_of(loss): trained_network(its_runs[loss], device) for loss in in_order(set(its_runs))}
        for test, photos in pack_set(instantiate(trained.data), packs).test.items():
            for index in range(min(count, len(photos))):
                degraded, target = degraded_photo(task, photos, index, device)
                restored = {title: restore(model, degraded) for title, model in models.items()}
                versions = {task.input_name: degraded, **restored, "truth": target}
                pixels = {title: _pixels(image) for title, image in versions.items()}
                yield report.Picture(task_name, f"{test}: {photos.names[index]}", pixels)


def _pixels(image: torch.Tensor) -> np.ndarray:
    return (as_saved(image) * 255).round().byte().permute(1, 2, 0).numpy()


def strips(pictures: Sequence[report.Picture]) -> Iterable[report.Strip]:
    """The windows of each task's first photograph in which its losses differ most."""
    for picture in {picture.task: picture for picture in reversed(pictures)}.values():
        if len(picture.restored) > 1:
            for window in report.most_different_crops(picture.restored, picture.truth, side=CROP, count=CROPS):
                yield report.Strip(picture, window)


if __name__ == "__main__":
    main()
