"""Progress of work on many files: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 30

Result = TypeVar("Result")


def with_progress(results: Iterable[Result], total: int, title: str) -> Iterator[Result]:
    """Yields `results`, of which there are `total`, and shows how many are done and how long the others will take."""
    if sys.stdout.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, transient=True) as progress:
            yield from progress.track(results, total=total, description=title)
        return
    started = shown = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        if (now := time.monotonic()) - shown > SECONDS_BETWEEN_LINES:
            shown = now
            left = timedelta(seconds=round((now - started) / done * (total - done)))
            print(f"{title}: {done} of {total}, {left} left", flush=True)
