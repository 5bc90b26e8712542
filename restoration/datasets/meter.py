"""How far a long download is: a bar on a terminal, elsewhere a line now and then."""

import sys
import threading
import time
from datetime import timedelta

from rich.progress import BarColumn, Progress, TextColumn


class Meter:
    """Items that are done, bytes that came, and the time that is left. Any thread may tell it."""

    SECONDS_BETWEEN_LINES = 30

    def __init__(self, title: str, items: int):
        self.title = title
        self.items = items
        self.done = 0
        self.bytes = 0
        self.shares: dict[str, float] = {}  # of the files under way
        self.lock = threading.Lock()
        self.started = self.shown = time.monotonic()
        self.bar = Progress(BarColumn(), TextColumn("{task.description}"), transient=True)
        self.task = self.bar.add_task(title, total=items)

    def __enter__(self) -> "Meter":
        if sys.stdout.isatty():
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if sys.stdout.isatty():
            self.bar.stop()

    def received(self, url: str, count: int, position: int, size: int | None) -> None:
        with self.lock:
            self.bytes += count
            self.shares[url] = position / size if size else 0.0
            if position == size:
                del self.shares[url]
            self._show()

    def finished(self) -> None:
        with self.lock:
            self.done += 1
            self._show()

    def _show(self) -> None:
        seconds = time.monotonic() - self.started
        progress = min(self.done + sum(self.shares.values()), self.items)
        left = timedelta(seconds=round(seconds / progress * (self.items - progress))) if progress else "?"
        text = (
            f"{self.title}: {self.done} of {self.items}, {self.bytes / 1e6:,.0f} MB, "
            f"{self.bytes / 1e6 / max(seconds, 1e-9):.1f} MB/s, {left} left"
        )
        self.bar.update(self.task, completed=progress, description=text)
        if not sys.stdout.isatty() and time.monotonic() - self.shown > self.SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            print(text, flush=True)
