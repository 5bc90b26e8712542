"""`restoration restore`: restores files of the user with a network."""

import argparse
import sys
from collections.abc import Sequence

import torch
from torch import nn

from restoration.commands.comparison import write_comparison
from restoration.commands.terminal import exit_code, with_progress
from restoration.errors import UserError
from restoration.files import printable
from restoration.pretrained import TASKS, load
from restoration.restoring import FileSkipped, restore_file
from restoration.saving import kind_of
from restoration.targets import targets, user_files
from restoration.tasks import Demosaic, Task


def run(arguments: argparse.Namespace) -> int:
    network = load(arguments.task, arguments.loss)
    return restore_files(arguments, TASKS[arguments.task], network, names=(arguments.task, arguments.loss))


def restore_files(arguments: argparse.Namespace, task: Task, network: nn.Module, *, names: tuple[str, str]) -> int:
    """Restores all files, lists skipped files and failures, and returns the exit code.

    Args:
        names: names of the task and the loss.

    Raises:
        UserError: no files, or an unknown format.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)
    kind = "png" if arguments.compare else kind_of(arguments.format) if arguments.format else None
    mark = f"-{names[0]}-{'compare' if arguments.compare else names[1]}"
    files = user_files(arguments.files, raw=isinstance(task, Demosaic), mark=mark, out=arguments.out)
    chosen = targets(files, mark=mark, kind=kind, out=arguments.out)
    failures: list[str] = []
    skipped: list[str] = []
    for path, target in with_progress(list(chosen.items()), "restoring"):
        try:
            if arguments.compare:
                write_comparison(path, names[0], target, device=device)
            else:
                restore_file(path, task, network, target, kind=kind, force=arguments.force, device=device)
            print(printable(target), flush=True)
        except FileSkipped as reason:
            skipped.append(f"{printable(path)} is left as it is: {reason}")
        except UserError as error:
            failures.append(str(error))
        except Exception as error:  # continue with the other files
            failures.append(f"{printable(path)}: {type(error).__name__}: {error}")
    _print_skipped(skipped)
    return exit_code(failures, total=len(chosen), action="restored")


def _print_skipped(skipped: Sequence[str]) -> None:
    for line in skipped:
        print(line, file=sys.stderr)
    if skipped:
        print("--force restores such files as well", file=sys.stderr)
