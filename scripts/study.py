"""Trains every run of an experiment that is not trained yet, then writes the tables: make study BUDGET=quick

An experiment is a file of configs/experiment/. One run after the other in this process; with LAUNCHER=slurm as jobs of
a cluster (see configs/hydra/launcher). A run that fails does not keep the others from being trained; it is named at
the end.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.files import write_text
from restoration.study.runs import Run
from restoration.training.train import Interrupted
from scripts.cli import clear_errors, explained, plain_console
from scripts.experiment import Planned, of_training, planned
from scripts.job import FAILURE, LOG
from scripts.train import is_done, show_tables, train_and_score, training_sampler


@hydra.main(version_base="1.3", config_path="../configs", config_name="study")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = plain_console()
        typed, launcher = HydraConfig.get().overrides, HydraConfig.get().runtime.choices["hydra/launcher"]
        shared = of_training([*typed.hydra, *typed.task])
        photo_set = instantiate(config.data)
        photos = pack_set(photo_set, Path(config.packs))  # before all runs, so that bad photographs are named once
        parts: Any = OmegaConf.to_container(config.parts, resolve=True)
        grid = planned(parts, shared, photo_set.name)
        missing = {run: plan for run, plan in grid.items() if not is_done(run, plan.config, photos)}
        console.print(f"{len(grid) - len(missing)} of {len(grid)} runs are complete")

        if launcher == "basic":
            failures = train_here(missing, console)
        else:
            for plan in {run.task: plan for run, plan in missing.items()}.values():
                training_sampler(plan.config, photos, torch.device("cpu"))  # packs what the task makes of them
            failures = train_as_jobs(missing, shared, console)
        show_tables([run for run in grid if run.is_complete()], config, console)
        if failures:
            raise UserError(
                f"{len(failures)} of {len(grid)} runs failed or are missing:\n"
                + "\n".join(
                    f"  {run.task} with {run.loss}, seed {run.seed}, {run.variant}: {why}"
                    for run, why in failures.items()
                )
                + "\nThe tables hold what is complete; the same command trains the rest."
            )


def train_here(grid: dict[Run, Planned], console: Console) -> dict[Run, str]:
    """Trains one run after the other; why those failed that did."""
    failures = {}
    for number, (run, plan) in enumerate(grid.items(), start=1):
        console.rule(f"{number} of {len(grid)}")
        try:
            train_and_score(plan.config, console)
        except Interrupted:
            raise
        except Exception as error:  # whatever it is, the others do not depend on it
            failures[run] = explained(error)
            console.print(f"failed: {failures[run]}", soft_wrap=True)
    return failures


def train_as_jobs(grid: dict[Run, Planned], shared: list[str], console: Console) -> dict[Run, str]:
    """Trains all runs as jobs and waits for them; why those failed that did."""
    if not grid:
        return {}
    for run in grid:
        (run.folder / FAILURE).unlink(missing_ok=True)  # an earlier job's
    folder = next(iter(grid)).folder.parents[3]
    console.print(
        f"{len(grid)} jobs; each one's output is {folder}/VARIANT/TASK/LOSS/seedK/{LOG}. This command waits for them; "
        "where it is interrupted, the cluster goes on with them: cancel them before you start it again.",
        soft_wrap=True,
    )
    jobs = folder / "jobs.json"
    write_text(jobs, json.dumps([plan.of_job for plan in grid.values()], indent=0) + "\n")
    sweep = ["hydra/sweeper=listed", f"hydra.sweeper.jobs='{jobs}'", f"hydra.sweep.dir='{folder}'"]
    command = [sys.executable, "-m", "scripts.grid", "--multirun", *sweep, *shared]
    launched = subprocess.run(command, check=False).returncode == 0
    silent = f"its job left no result; see {LOG} in its folder and {folder}/.submitit"
    if not launched:
        silent = "the launcher stopped, as it says above; its job may still be in the queue"
    return {run: _failure(run) or silent for run in grid if _failure(run) or not run.is_complete()}


def _failure(run: Run) -> str:
    """Why the job of a run gave up; empty where it did not."""
    path = run.folder / FAILURE
    return path.read_text().strip() if path.exists() else ""


if __name__ == "__main__":
    main()
