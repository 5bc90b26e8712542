"""What commands print: aligned tables on the standard output; progress and failures on the standard error."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from restoration.commands import SOME_FAILED

Item = TypeVar("Item")


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Sequence[int] = (0,)) -> None:
    """Prints aligned columns, numbers to the right, those of index `texts` to the left."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if column in texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def followed(items: Sequence[Item], doing: str) -> Iterator[Item]:
    """Yields the items with a progress bar, which shows on terminals only."""
    with progress() as bar:
        task = bar.add_task(doing, total=len(items))
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on the standard error, removed at the end; nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def exit_code(failures: Sequence[str], *, of: int, done: str) -> int:
    """Lists what failed, at the end, where it is seen; returns the exit code.

    Args:
        of: how many files there were.
        done: what was not done with them, as in "scored".
    """
    if not failures:
        return 0
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    print(f"{len(failures)} of {of} were not {done}", file=sys.stderr)
    return SOME_FAILED
