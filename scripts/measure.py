"""Measuring on a noisy machine: everything in turn, medians, and a table that says where and how."""

import io
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import torch
from rich.table import Table
from torch import Tensor, nn

from restoration.files import write_text
from restoration.scoring.evaluate import Validation
from restoration.study.rendering import markdown_table
from restoration.training.budget import Budget
from restoration.training.patches import PatchSampler
from restoration.training.train import train
from scripts.cli import plain_console

Result = TypeVar("Result")


def timed_in_turn(
    works: Mapping[str, Callable[[], object]],
    *,
    seconds: float,
    least: int = 3,
    turn: float = 0.0,
    device: torch.device | None = None,
) -> dict[str, list[float]]:
    """Seconds that each work took in each of its turns, by name, after one turn of all to warm up.

    Args:
        seconds: how long to measure all of them together.
        least: turns, however long they take.
        turn: a work is repeated for so many seconds in each turn, so that it is not measured with cold caches alone.
        device: waited for after each work, if it is a GPU.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    rounds, end = -1, 0.0
    while rounds < least or time.perf_counter() < end:
        for name, work in works.items():
            repeated = [timed(work, device)]
            while sum(repeated) < turn:
                repeated.append(timed(work, device))
            times[name].append(sum(repeated) / len(repeated))
        rounds += 1
        if rounds == 0:
            times = {name: [] for name in works}
            end = time.perf_counter() + seconds
    return times


def timed(work: Callable[[], object], device: torch.device | None = None) -> float:
    """Seconds that it takes, until a GPU is done too."""
    start = time.perf_counter()
    work()
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


class LoopClock(Validation):
    """In the place of a training's validation: scores nothing, notes the time of every call."""

    def __init__(self, device: torch.device):
        self.device = device
        self.times: list[float] = []

    def scores(self, model: nn.Module) -> dict[str, float]:
        """Nothing."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(time.perf_counter())
        return {}

    def crops(self, model: nn.Module, *, count: int = 2, side: int = 160) -> Iterator[Tensor]:
        """Nothing."""
        return iter(())


def loop_seconds(
    model: nn.Module,
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    sampler: PatchSampler,
    *,
    bf16: bool,
    steps: int,
    intervals: int,
) -> list[float]:
    """Seconds of each of `intervals` times `steps` steps of the real training loop, after one interval to warm up."""
    device = sampler.clean.pixels.device
    clock = LoopClock(device)
    patches = (1 + intervals) * steps * sampler.batch
    budget = Budget(patches=patches, batch=sampler.batch, learning_rate=1e-3, validations=1 + intervals)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):  # nothing on the terminal
        parts = (model, loss, optimizer, sampler, clock, budget)
        train(*parts, folder=Path(folder), identity={}, bf16=bf16)
    return [after - before for before, after in pairwise(clock.times)][1:]


def in_fresh_process(work: Callable[..., Result], *arguments: object) -> Result:
    """What `work`, a function of a module, returns in a process that has done nothing else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def peak_megabytes() -> float:
    """The most memory that this process has ever had."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts in ru_maxrss what the process had that started this one
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # in bytes, or in kB


def write_benchmark(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], path: str | Path, command: str
) -> None:
    """Prints a table of measurements and keeps it as Markdown, with the command that makes it."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    plain_console().print(title, table, sep="\n")
    write_text(Path(path), f"**{title}** (`{command}`)\n\n{markdown_table(columns, rows)}")
    print(f"written to {path}")
