"""What a training shows on the terminal."""

import sys
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from restoration.metrics import METRICS


class Display:
    """A progress bar with patches/s and time left, and a line for every validation."""

    def __init__(self, steps: int, batch: int, step: int, *, shown: bool):
        columns = (
            BarColumn(),
            TextColumn("{task.completed:,}/{task.total:,} patches"),
            TextColumn("{task.fields[rate]}"),
        )
        self.progress = Progress(
            *columns,
            TimeRemainingColumn(),
            TextColumn("left"),
            transient=True,
            disable=not (shown and sys.stdout.isatty()),
        )
        self.batch = batch
        self.first = step
        self.started = time.perf_counter()
        self.bar = self.progress.add_task("", total=steps * batch, completed=step * batch, rate="")

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def advance(self, step: int) -> None:
        if step % 10 == 0:
            rate = (step - self.first) * self.batch / (time.perf_counter() - self.started)
            self.progress.update(self.bar, completed=step * self.batch, rate=f"{rate:,.0f} patches/s")

    def validated(self, step: int, scores: dict[str, float]) -> None:
        shown = "  ".join(f"{METRICS[name].title} {METRICS[name].shown(value)}" for name, value in scores.items())
        self.progress.console.print(f"{step * self.batch:>12,} patches  {shown}", highlight=False, soft_wrap=True)
