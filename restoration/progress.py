"""Progress of long work: bars in a terminal, plain lines otherwise, each with rate and time left."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeVar

from rich import get_console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

SECONDS_BETWEEN_LINES = 30.0  # without a terminal
SECONDS_BETWEEN_UPDATES = 0.1  # in a terminal

Item = TypeVar("Item")


class Bar:
    """Progress of work of known length. The progress of a bar inside another bar of the same unit counts for both.

    Args:
        title: at most 22 characters are shown in a terminal, so that the bar fits into 80 columns.
        total: units of work, of which `done` were done before.
    """

    stack: ClassVar[list["Bar"]] = []  # all open bars, the outermost first

    def __init__(self, title: str, total: int, unit: str, *, done: int = 0, shown: bool = True):
        self.unit, self.total, self.done, self.shown = unit, total, done, shown
        self.first, self.started = done, time.perf_counter()
        self.updated, self.printed = 0.0, self.started
        self.title = title
        name = TextColumn("{task.description}", table_column=Column(width=22, no_wrap=True, overflow="ellipsis"))
        state = TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True))
        self.display = Progress(name, BarColumn(16), state, transient=True, disable=not (shown and sys.stdout.isatty()))
        self.task = self.display.add_task(title, total=total, completed=done, state=self.state)

    def __enter__(self) -> "Bar":
        same = [bar for bar in self.stack if bar.unit == self.unit]
        self.outer = same[-1] if same else None
        if self.outer:  # what was done before costs no time now
            self.outer.done += self.done
            self.outer.first += self.done
        self.stack.append(self)
        self.display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.remove(self)
        self.display.stop()

    @property
    def state(self) -> str:
        """Finished share, rate and time left, as a text."""
        share = f"{self.done / self.total:4.0%}" if self.total else ""
        rate = (self.done - self.first) / max(time.perf_counter() - self.started, 1e-9)
        if not rate:
            return share
        speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        return f"{share}  {speed} {self.unit}/s  {duration((self.total - self.done) / rate)} left"

    def advance(self, count: int = 1) -> None:
        """Adds finished units of work."""
        self.done += count
        now = time.perf_counter()
        if now - self.updated > SECONDS_BETWEEN_UPDATES:
            self.updated = now
            self.display.update(self.task, completed=self.done, description=self.title, state=self.state)
            if self.shown and now - self.printed > SECONDS_BETWEEN_LINES and not sys.stdout.isatty():
                self.printed = now
                self.say(self.title)
        if self.outer:
            self.outer.advance(count)

    def say(self, text: str) -> None:
        """Prints a line above the bar; without a terminal, the line includes the state of the work.

        A part of other work prints nothing.
        """
        if self.shown and not self.outer:
            get_console().print(text if sys.stdout.isatty() else f"{text}  {self.state}".rstrip(), soft_wrap=True)


def tracked(items: Iterable[Item], title: str, total: int, unit: str = "photographs") -> Iterator[Item]:
    """Yields the items and shows a bar."""
    with Bar(title, total, unit) as bar:
        for item in items:
            yield item
            bar.advance()


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as in 1:02:03, or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
