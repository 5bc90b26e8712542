"""Scores of runs: measured, written into run folders, and shown in tables."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from restoration.datasets.photos import PackedPhotos
from restoration.files import write_text
from restoration.names import DECIDING, INPUT
from restoration.progress import tracked
from restoration.scoring.evaluate import evaluate
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS
from restoration.study.answer import headline, sentences
from restoration.study.records import Study
from restoration.study.rendering import latex, markdown, show
from restoration.study.runs import Run, read_scores, write_scores
from restoration.study.statistics import Comparisons
from restoration.study.tables import main_table, other_tables, provenance
from restoration.tasks import Task


def score_runs(
    models: Mapping[Run, torch.nn.Module],
    task: Task,
    tests: Mapping[str, PackedPhotos],
    protocol: Protocol,
    device: torch.device,
) -> None:
    """Scores networks and their common degraded input on every test set.

    Every run folder gets the scores of the run's network and of the input.
    """
    by_name = {str(run.folder): model for run, model in models.items()}
    evaluations = {
        name: evaluate(by_name, task, test, protocol=protocol, device=device) for name, test in tests.items()
    }
    scores = {
        name: list(chain.from_iterable(tracked(scored, f"scoring {name}", len(tests[name]))))
        for name, scored in evaluations.items()
    }
    for run in models:
        names = {INPUT: INPUT, str(run.folder): run.loss}
        scores_of_run = {
            test: [replace(score, loss=names[score.loss]) for score in records if score.loss in names]
            for test, records in scores.items()
        }
        write_scores(run, scores_of_run, scoring(task, tests, protocol))


def scoring(task: Task, tests: Mapping[str, PackedPhotos], protocol: Protocol) -> dict[str, Any]:
    """Everything that scores depend on, except for the network."""
    keys = {name: test.key for name, test in tests.items()}
    return {"protocol": str(protocol), "metrics": list(ALL_METRICS), "degradation": repr(task), "test sets": keys}


def show_tables(runs: list[Run], config: DictConfig, console: Console) -> None:
    """Writes and prints every table that contains one of these runs, and for several losses the answer.

    A table has all its columns, also those of other runs.
    """
    for root, data, name in dict.fromkeys((run.root, run.data, run.study) for run in runs):
        comparisons = Comparisons(Study.collect(root, data=data, variant=name))
        runs_of_study = [run for run in runs if (run.data, run.study) == (data, name)]
        for variant, part, task in dict.fromkeys((run.variant, run.part, run.task) for run in runs_of_study):
            for test_set in comparisons.study.test_sets:
                if table := main_table(comparisons, part, task, test_set):
                    tables = [table, *other_tables(comparisons, part, task, test_set)]
                    notes = [f"- {line}\n" for line in provenance(comparisons.study, part, task)]
                    path = Path(config.tables) / data / variant / f"{task}-{test_set}.md"
                    write_text(path, "\n".join([*map(markdown, tables), "".join(notes)]))
                    write_text(path.with_suffix(".tex"), "\n".join(map(latex, tables)))
                    show(table, console)
                    console.print(f"all metrics: {path} and .tex\n", soft_wrap=True)
        if len({run.loss for run in runs_of_study}) > 1 and (answer := headline(comparisons)):
            console.print(f"{answer}. {' '.join(sentences(comparisons))}\n", highlight=False)


def listed(failures: Mapping[Run, str]) -> str:
    """Failed runs and their errors, a line or more for each."""
    return "".join(f"  {run.folder}: {why}\n" for run, why in failures.items())


def test_means(run: Run) -> dict[tuple[str, str], float]:
    """Mean scores of a run by test set and deciding metric, over finite values."""
    scores = read_scores(run).replace(math.inf, math.nan)
    means = scores[scores["loss"] == run.loss].groupby(["test_set", "metric"])["value"].mean()
    tests = dict.fromkeys(scores["test_set"])
    return {(test, metric): float(means[test, metric]) for test in tests for metric in DECIDING}
