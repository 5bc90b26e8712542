"""Scores trained runs again and writes their tables: make eval [TASK=sr] [LOSS=mix] [DATA=sample] [BUDGET=quick]"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.photos import PackedPhotos
from restoration.errors import UserError
from restoration.progress import Bar
from restoration.scoring.baselines import baselines_for
from restoration.scoring.evaluate import Score, noise_of
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score_versions
from restoration.study.runs import Run, baseline_run, scores_by_test_set, write_scores
from restoration.tasks import Task
from scripts.cli import chosen_device, explained, plain_console, say_next
from scripts.scores import listed, score_runs, scoring, show_tables
from scripts.trained import chosen_runs, config_of, task_of, tests_of, trained_network


def main(config: DictConfig) -> None:
    console = plain_console()
    runs = chosen_runs(config)
    device, protocol = chosen_device(config.device), instantiate(config.protocol)
    failures = {}
    for group in groups_of(runs):
        try:
            score_group(group, config, protocol, device, console)
        except (UserError, InstantiationException) as error:  # continue with the other groups
            failures |= dict.fromkeys(group, explained(error))
    show_tables(runs, config, console)
    say_next("make report", "make figure")
    if failures:
        raise UserError(
            f"{len(failures)} of {len(runs)} runs were not scored, or only in part:\n{listed(failures)}"
            "The tables hold the others."
        )


def groups_of(runs: list[Run]) -> list[list[Run]]:
    """The runs by task and data: the networks of a group restore the same degraded photographs."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        trained = config_of(run)
        groups.setdefault(OmegaConf.to_yaml([trained.task, trained.data]), []).append(run)
    return list(groups.values())


def score_group(
    runs: list[Run], config: DictConfig, protocol: Protocol, device: torch.device, console: Console
) -> None:
    """Scores networks of the same task and data, and baselines if `config` asks for them."""
    for run in runs:
        console.print(f"scoring {run.folder}", soft_wrap=True)
    tests, task = tests_of(runs[0], Path(config.packs)), task_of(runs[0])
    score_runs({run: trained_network(run, device) for run in runs}, task, tests, protocol, device)
    if not config.baselines:
        return
    total = len(baselines_for(task)) * sum(len(test) for test in tests.values())
    with Bar("baselines", total, "photographs") as bar:
        for title in score_baselines(runs[0], task, tests, protocol, device):
            bar.title = title
            bar.advance()


def score_baselines(
    run: Run, task: Task, tests: Mapping[str, PackedPhotos], protocol: Protocol, device: torch.device
) -> Iterator[str]:
    """Scores the baselines of a run's task on all test sets; yields "baseline on test set" after each photograph.

    Scores are written after each photograph and kept for all runs that are scored in the same way. Photographs with
    scores are skipped.
    """
    measured = scoring(task, tests, protocol)
    for name, baseline in baselines_for(task).items():
        folder = baseline_run(run, name, measured)
        scores = {test_set: [] for test_set in tests} | scores_by_test_set(folder)
        for test_set, test in tests.items():
            scored = {score.image for score in scores[test_set]}
            for index, image in enumerate(test.names):
                if image not in scored:
                    target = test.image(index)
                    restored = baseline(target, noise_of(image)).to(device)
                    values = score_versions([restored], target.to(device), protocol=protocol)[:, 0].tolist()
                    scores[test_set] += [
                        Score(name, image, metric, value) for metric, value in zip(ALL_METRICS, values, strict=True)
                    ]
                    write_scores(folder, scores, measured)
                yield f"{name} on {test_set}"
