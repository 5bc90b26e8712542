"""Output of commands: aligned tables on the standard output; progress and failures on the standard error."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from restoration.commands import SOME_FAILED

Item = TypeVar("Item")


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Sequence[int] = (0,)) -> None:
    """Prints aligned columns: columns with an index in `texts` to the left, all others to the right."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if column in texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def with_progress(items: Sequence[Item], doing: str) -> Iterator[Item]:
    """Yields the items and shows a progress bar on a terminal."""
    with progress() as bar:
        task = bar.add_task(doing, total=len(items))
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on the standard error, removed at the end; only on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def exit_code(failures: Sequence[str], *, total: int, action: str) -> int:
    """Prints all failures, and returns the exit code.

    Args:
        total: number of all files.
        action: past participle of the command, such as "scored".
    """
    if not failures:
        return 0
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    print(f"{len(failures)} of {total} were not {action}", file=sys.stderr)
    return SOME_FAILED
