"""Measuring on a noisy machine: everything in turn, medians, and a table that says where and how."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from restoration.files import write_text


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


def write_benchmark(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], path: str | Path, command: str
) -> None:
    """Prints a table of measurements and keeps it as Markdown, with the command that makes it."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(title, table, sep="\n", highlight=False)
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]
    write_text(Path(path), "\n".join([f"**{title}** (`{command}`)", "", *lines]) + "\n")
    print(f"written to {path}")
