"""Crops of one test photograph after every trained network: make figure [DATA=sample] [BUDGET=quick]

ARGS="drawn_on=sample" shows networks of another data set on the photographs that come with scikit-image.
"""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from restoration.errors import UserError
from restoration.names import ordered_tasks, task_title
from restoration.study.report.crops import TRUTH, save_crops
from restoration.study.report.drawing import hardest_crops
from restoration.study.runs import Run, find_runs
from scripts.cli import say_next
from scripts.trained import named_data, networks_of, packed_tests, task_of, tests_of


def main(config: DictConfig) -> None:
    asked = find_runs(Path(config.runs), **config.only)
    if not asked:
        raise UserError(f"no trained run to draw in {config.runs}; train them: make study")
    for data, variant in sorted({(run.data, run.variant) for run in asked}):
        path = Path(config.tables) / data / variant / "crops.png"
        runs = [run for run in asked if (run.data, run.variant) == (data, variant)]
        draw(runs, Path(config.packs), path, drawn_on=config.drawn_on)
        print(f"written to {path}")
    say_next("make report")


def draw(runs: Sequence[Run], packs: Path, path: Path, *, drawn_on: str | None = None) -> None:
    """The same photograph for each task, cut where that task's input errs most.

    Args:
        drawn_on: the configuration of a data set; None: that of the runs.
    """
    rows = {}
    columns = dict.fromkeys(["input"])
    for task in ordered_tasks(run.task for run in runs):
        first = next(run for run in runs if run.task == task)
        tests = packed_tests(named_data(drawn_on), packs) if drawn_on else tests_of(first, packs)
        photos = next(iter(tests.values()))
        networks = networks_of(runs, task)
        rows[task_title(task)] = hardest_crops(task_of(first), networks, photos, input_title="input")
        columns |= dict.fromkeys(networks)
    save_crops(rows, [*columns, TRUTH], path)
