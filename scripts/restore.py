"""Restores your own files with a shipped network: make restore TASK=jpeg [LOSS=mix] FILES="photo.jpg" [OUT=dir]

With a network that you trained: make restore NETWORK=results/runs/DATA/BUDGET/TASK/LOSS/seed0 FILES="photo.jpg"
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from rich.markup import escape
from torch import nn

from restoration import load
from restoration.errors import UserError
from restoration.files import printable
from restoration.pretrained import TASKS
from restoration.restoring import files_in, restore_file, restored_name
from restoration.study.runs import Run, run_of
from restoration.tasks import Task
from scripts.cli import chosen_device, clear_errors, explained, plain_console
from scripts.identity import targets_in
from scripts.trained import config_of, task_of, trained_network

RUNS = Path("results/runs")
KNOWN = ("restoration.networks.", "restoration.tasks.", "torch.nn.modules.")


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__, usage="see make help")
    parser.add_argument("--task", choices=TASKS, help="demosaic (raw files), sr or jpeg")
    parser.add_argument("--loss", help="the loss of the shipped network; mix by default")
    parser.add_argument("--network", type=_path, help="folder of a network that you trained, instead of task and loss")
    parser.add_argument("--out", type=_path, help="folder of the new files; by default that of each file")
    parser.add_argument("files", nargs="*", type=_path, help="your files, or folders of them; they stay as they are")
    asked = parser.parse_args(words)
    if asked.network and (asked.task or asked.loss):
        parser.error("a network that you trained has its task and loss: leave out TASK and LOSS beside NETWORK")
    if not (asked.task or asked.network) or not asked.files:
        parser.error('give a task, demosaic, sr or jpeg, and files: make restore TASK=jpeg FILES="photo.jpg"')
    with clear_errors():
        device = chosen_device("auto")
        names, task, network = own_network(asked.network) if asked.network else shipped_network(asked.task, asked.loss)
        network = network.to(device).to(memory_format=torch.channels_last)
        files = [file for given in asked.files for file in files_in(given, task, names)]
        failed = 0
        console = plain_console()
        for path in files:
            target = restored_name(path, *names, asked.out)
            try:
                start = time.perf_counter()
                with console.status(escape(f"restoring {printable(path)}")):
                    restore_file(path, task, network, target, device=device)
                console.print(f"{printable(target)} ({time.perf_counter() - start:.1f} s)", soft_wrap=True)
            except Exception as error:  # the other files are still done
                print(f"error: {explained(error)}", file=sys.stderr, flush=True)
                failed += 1
        if failed:
            sys.exit(f"{failed} of {len(files)} files were not restored")


def _path(given: str) -> Path:
    return Path(os.path.expanduser(given))  # make passes OUT=~/new as it is


def shipped_network(task: str, loss: str | None) -> tuple[tuple[str, str], Task, nn.Module]:
    """Names of task and loss, the task and its network."""
    loss = loss or "mix"
    return (task, loss), TASKS[task], load(task, loss)


def own_network(folder: Path) -> tuple[tuple[str, str], Task, nn.Module]:
    """The same of a run's folder."""
    if not (folder / "config.yaml").exists():
        raise UserError(
            f"NETWORK={folder} is not the folder of a trained network: it has no config.yaml; see results/runs"
        )
    run = run_of(folder.absolute())
    if run is None:
        raise UserError(f"NETWORK={folder} does not end like a run's folder, <data>/<variant>/<task>/<loss>/seed<k>")
    if not folder.resolve().is_relative_to(RUNS.resolve()):
        refuse_foreign_code(run)
    return (run.task, run.loss), task_of(run), trained_network(run, torch.device("cpu"))


def refuse_foreign_code(run: Run) -> None:
    """Refuses a run that was trained elsewhere if its config.yaml calls more than known networks and tasks.

    Raises:
        UserError: names what it would call.
    """
    config: Any = OmegaConf.to_container(config_of(run), resolve=True)
    for target in targets_in([config["task"], config["model"]]):
        made = get_object(target)
        if not isinstance(made, type) or not made.__module__.startswith(KNOWN):
            raise UserError(
                f"{run.folder}/config.yaml calls {target}, which is no network or task of this package or torch.nn: "
                f"it may do anything. If you trust it, move the run's folders below {RUNS}"
            )
