"""Measures times, in seconds, on a noisy machine: the measured functions take turns, and medians are compared."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

from restoration.files import write_text
from restoration.study.provenance import hardware
from restoration.study.rendering import Cell, Table, markdown, show
from scripts.cli import plain_console

LEAST_ROUNDS = 3


class Measured(NamedTuple):
    """A table of measurements: name of its file, title, names of columns, and rows, each a name and its cells."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def in_turn(works: Mapping[str, Callable[[], float]], seconds: float) -> dict[str, list[float]]:
    """The times that each function returned, one for each round; the first round only warms up and is dropped.

    Args:
        seconds: for all rounds together; LEAST_ROUNDS are measured in any case.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    rounds, end = 0, time.perf_counter() + seconds
    while rounds <= LEAST_ROUNDS or time.perf_counter() < end:
        for name, work in works.items():
            times[name].append(work())
        rounds += 1
    return {name: values[1:] for name, values in times.items()}


def timed(work: Callable[[], object], device: torch.device, turn: float) -> Callable[[], float]:
    """A function that repeats `work` for `turn` seconds, at least once, and returns the mean time of a repetition."""

    def repeat() -> float:
        count, start = 0, time.perf_counter()
        while not count or time.perf_counter() < start + turn:
            work()
            count += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - start) / count

    return repeat


def ratio(times: Mapping[str, Sequence[float]], name: str, base: str) -> str:
    """The time of `name` divided by that of `base`: the median of the ratios of all rounds."""
    return f"{statistics.median(a / b for a, b in zip(times[name], times[base], strict=True)):.3g}"


def write(measured: Measured, folder: Path, *, part: str, device: torch.device, libraries: Sequence[str]) -> None:
    """Prints a table and writes it as Markdown, with hardware, versions and the command."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", *libraries))
    rows = [(name, [Cell(text) for text in row]) for name, row in measured.rows]
    notes = [f"{hardware(device)}; {versions}", f"command: make bench BENCH={part}; medians of works in turn"]
    table = Table(measured.title, measured.columns, rows, notes)
    show(table, plain_console())
    write_text(folder / f"{measured.name}.md", markdown(table))
    print(f"written to {folder / measured.name}.md\n")
