"""Restores your own files with a shipped network: make restore TASK=jpeg [LOSS=mix] FILES="photo.jpg" [OUT=dir]

With a network that you trained: make restore NETWORK=results/runs/DATA/BUDGET/TASK/LOSS/seed0 FILES="photo.jpg"
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from rich.markup import escape
from torch import nn

from restoration import load
from restoration.errors import UserError
from restoration.files import printable
from restoration.pretrained import TASKS
from restoration.restoring import restore_file, restored_name
from restoration.study.runs import run_of
from restoration.tasks import Task
from scripts.cli import chosen_device, clear_errors, explained, plain_console
from scripts.trained import task_of, trained_network


def main() -> None:
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__, usage="see make help")
    parser.add_argument("--task", choices=TASKS, help="demosaic (raw files), sr or jpeg")
    parser.add_argument("--loss", help="the loss of the shipped network; mix by default")
    parser.add_argument("--network", type=_path, help="folder of a network that you trained, instead of task and loss")
    parser.add_argument("--out", type=_path, help="folder of the new files; by default that of each file")
    parser.add_argument("files", nargs="*", type=_path, help="your files, which stay as they are")
    asked = parser.parse_args()
    if asked.network and (asked.task or asked.loss):
        parser.error("a network that you trained has its task and loss: leave out TASK and LOSS beside NETWORK")
    if not (asked.task or asked.network) or not asked.files:
        parser.error('give a task, demosaic, sr or jpeg, and files: make restore TASK=jpeg FILES="photo.jpg"')
    with clear_errors():
        device = chosen_device("auto")
        names, task, network = own_network(asked.network) if asked.network else shipped_network(asked.task, asked.loss)
        network = network.to(device).to(memory_format=torch.channels_last)
        failed = 0
        console = plain_console()
        for path in asked.files:
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
            sys.exit(f"{failed} of {len(asked.files)} files were not restored")


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
    return (run.task, run.loss), task_of(run), trained_network(run, torch.device("cpu"))


if __name__ == "__main__":
    main()
