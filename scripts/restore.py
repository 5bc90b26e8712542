"""Restores your own files as the command `restoration restore` does: make restore FILES="photo.jpg"

With a network that you trained: make restore NETWORK=results/runs/DATA/BUDGET/TASK/LOSS/seed0 FILES="photo.jpg"
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from torch import nn

from restoration import cli
from restoration.commands.restore import restore_files
from restoration.errors import UserError
from restoration.study.runs import Run, run_of
from restoration.tasks import Task
from scripts.cli import clear_errors
from scripts.identity import targets_in
from scripts.trained import config_of, task_of, trained_network

RUNS = Path("results/runs")
KNOWN = ("restoration.networks.", "restoration.tasks.", "torch.nn.modules.")
NETWORK = "--network="


def main(words: Sequence[str]) -> None:
    """Ends the program with the exit code of `restoration restore`.

    Args:
        words: arguments of that command; the first may be --network=FOLDER.
    """
    if not words or not words[0].startswith(NETWORK):
        sys.exit(cli.main(["restore", *words]))
    commands = cli.parser()
    if any(word.startswith(("--task", "--loss")) for word in words):
        commands.error("a network that you trained has its task and loss: leave out TASK and LOSS beside NETWORK")
    arguments = commands.parse_args(["restore", *words[1:]])
    if arguments.compare:
        commands.error("--compare shows the shipped networks: leave out NETWORK")
    with clear_errors():
        names, task, network = own_network(Path(words[0].removeprefix(NETWORK)).expanduser())
        sys.exit(restore_files(arguments, task, network, names=names))


def own_network(folder: Path) -> tuple[tuple[str, str], Task, nn.Module]:
    """Names of task and loss, the task and the network of a run's folder."""
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
    """Refuses a run from another folder if its config.yaml calls other code than known networks and tasks.

    Raises:
        UserError: the configuration calls other code; the message names the call.
    """
    config: Any = OmegaConf.to_container(config_of(run), resolve=True)
    for target in targets_in([config["task"], config["model"]]):
        target_class = get_object(target)
        if not isinstance(target_class, type) or not target_class.__module__.startswith(KNOWN):
            raise UserError(
                f"{run.folder}/config.yaml calls {target}, which is no network or task of this package or torch.nn: "
                f"it may do anything. If you trust it, move the run's folders below {RUNS}"
            )
