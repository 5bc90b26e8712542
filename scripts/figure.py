"""A flat area of a test photograph after L2 and Mix, a row for each task: make figure [DATA=sample] [BUDGET=quick]

ARGS="drawn_on=sample" shows networks of another data set on the photographs that come with scikit-image.
"""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from restoration.names import ordered_tasks, task_title
from restoration.study.report.crops import save_crops
from restoration.study.report.drawing import pictures
from restoration.study.report.photographs import flat_crops
from restoration.study.runs import Run
from scripts.cli import say_next
from scripts.trained import chosen_runs, named_data, networks_of, packed_tests, task_of, tests_of

SHOWN = ("l2", "mix")
PHOTOGRAPHS = 1  # of each test set, the first by name


def main(config: DictConfig) -> None:
    selected = chosen_runs(config)
    for data, variant in sorted({(run.data, run.variant) for run in selected}):
        path = Path(config.tables) / data / variant / "crops.png"
        runs = [run for run in selected if (run.data, run.variant) == (data, variant)]
        draw(runs, Path(config.packs), path, drawn_on=config.drawn_on)
        print(f"written to {path}")
    say_next("make report")


def draw(runs: Sequence[Run], packs: Path, path: Path, *, drawn_on: str | None = None) -> None:
    """For each task the input, L2, Mix and the truth; other losses where these two are not trained.

    Args:
        drawn_on: the configuration of a data set; None: that of the runs.
    """
    rows = {}
    for task in ordered_tasks(run.task for run in runs):
        of_task = [run for run in runs if run.task == task]
        chosen = [run for run in of_task if run.loss in SHOWN] or of_task
        tests = packed_tests(named_data(drawn_on), packs) if drawn_on else tests_of(chosen[0], packs)
        networks = networks_of(chosen, task)
        shown = pictures(task_title(task), task_of(chosen[0]), networks, tests, count=PHOTOGRAPHS, input_title="input")
        rows[task_title(task)] = flat_crops(list(shown), list(networks)).crops
    save_crops(rows, path)
