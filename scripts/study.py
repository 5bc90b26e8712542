"""Trains every loss x task x seed that is not trained yet, then writes the tables: make study BUDGET=quick

One after the other in this process; with LAUNCHER=slurm as jobs of a cluster (see configs/hydra/launcher). A run that
fails does not keep the others from being trained; it is named at the end.
"""

import subprocess
import sys
from itertools import product
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.runs import Run
from restoration.train import Interrupted
from scripts.cli import clear_errors, explained
from scripts.job import FAILURE, LOG
from scripts.train import run_of, show_tables, train_and_score, training_sampler

GRID = {"tasks": "task", "losses": "loss", "seeds": "seed"}


@hydra.main(version_base="1.3", config_path="../configs", config_name="study")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = Console()
        typed, launcher = HydraConfig.get().overrides, HydraConfig.get().runtime.choices["hydra/launcher"]
        shared = [text for text in [*typed.hydra, *typed.task] if text.split("=")[0] not in (*GRID, "hydra.mode")]
        photo_set = instantiate(config.data)
        photos = pack_set(photo_set, Path(config.packs))  # before all runs, so that bad photographs are named once
        grid = {}
        for task, seed, loss in product(config.tasks, config.seeds, config.losses):
            one = composed([*shared, f"task={task}", f"loss={loss}", f"seed={seed}"])
            grid[run_of(one, photo_set.name)] = one

        if launcher == "basic":
            failures = train_here(grid, console)
        else:
            for one in {run.task: one for run, one in grid.items()}.values():
                training_sampler(one, photos, torch.device("cpu"))  # packs what the task makes of them
            failures = train_as_jobs(grid, [*shared, *_sweep(config)], console)
        show_tables([run for run in grid if run.is_complete()], config, console)
        if failures:
            raise UserError(
                f"{len(failures)} of {len(grid)} runs failed or are missing:\n"
                + "\n".join(f"  {run.task} with {run.loss}, seed {run.seed}: {why}" for run, why in failures.items())
                + "\nThe tables hold what is complete; the same command trains the rest."
            )


def train_here(grid: dict[Run, DictConfig], console: Console) -> dict[Run, str]:
    """Trains one run after the other; why those failed that did."""
    failures = {}
    for number, (run, config) in enumerate(grid.items(), start=1):
        console.rule(f"{number} of {len(grid)}")
        try:
            train_and_score(config, console)
        except Interrupted:
            raise
        except Exception as error:  # whatever it is, the others do not depend on it
            failures[run] = explained(error)
            console.print(f"failed: {failures[run]}", highlight=False, soft_wrap=True, markup=False)
    return failures


def train_as_jobs(grid: dict[Run, DictConfig], overrides: list[str], console: Console) -> dict[Run, str]:
    """Trains all runs as jobs and waits for them; why those failed that did."""
    folder = next(iter(grid)).folder.parents[2]
    console.print(
        f"{len(grid)} jobs; each one's output is {folder}/TASK/LOSS/seedK/{LOG}. This command waits for them; where it "
        "is interrupted, the cluster goes on with them: cancel them before you start it again.",
        highlight=False,
        soft_wrap=True,
    )
    command = [sys.executable, "-m", "scripts.grid", "--multirun", f"hydra.sweep.dir='{folder}'", *overrides]
    launched = subprocess.run(command, check=False).returncode == 0
    silent = f"its job left no result; see {LOG} in its folder and {folder}/.submitit"
    if not launched:
        silent = "the launcher stopped, as it says above; its job may still be in the queue"
    return {run: _failure(run) or silent for run in grid if _failure(run) or not run.is_complete()}


def _failure(run: Run) -> str:
    """Why the job of a run gave up; empty where it did not."""
    path = run.folder / FAILURE
    return path.read_text().strip() if path.exists() else ""


def _sweep(config: DictConfig) -> list[str]:
    return [f"{name}={','.join(str(value) for value in config[names])}" for names, name in GRID.items()]


def composed(overrides: list[str]) -> DictConfig:
    """The training configuration that a command line with these overrides would have, resolved."""
    config = hydra.compose("train", overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    del config.hydra
    OmegaConf.resolve(config)  # before the next one takes its place in HydraConfig
    return config


if __name__ == "__main__":
    main()
