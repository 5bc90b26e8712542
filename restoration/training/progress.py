"""What a training shows: on the terminal, and in TensorBoard, there against patches seen."""

import sys
import time
from collections.abc import Mapping

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from restoration.scoring.evaluate import Validation
from restoration.scoring.metrics import METRICS
from restoration.training.objective import terms_of


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


def log_validation(board: SummaryWriter, validation: Validation, model: nn.Module, patches: int) -> dict[str, float]:
    """Scores the validation photographs, draws their crops, and returns the scores."""
    scores = validation.scores(model)
    for metric, value in scores.items():
        board.add_scalar(f"val/{metric}", value, patches)
    for index, crop in enumerate(validation.crops(model)):
        board.add_image(f"validation crops: degraded, restored, truth/{index}", crop, patches)
    return scores


def log_tracked(board: SummaryWriter, tracked: Mapping[str, Validation], model: nn.Module, patches: int) -> None:
    """Scores whole test sets, to draw their curves."""
    for name, test in tracked.items():
        for metric, value in test.scores(model).items():
            board.add_scalar(f"test/{name}/{metric}", value, patches)


def log_loss(
    board: SummaryWriter, loss: nn.Module, restored: Tensor, target: Tensor, mean: Tensor, patches: int
) -> None:
    """The mean loss and, of a loss with terms, each term's value and its share of the gradient at the output."""
    board.add_scalar("train/loss", mean, patches)
    output = restored.clone().requires_grad_()
    terms = terms_of(loss, output, target)
    norms = {name: torch.autograd.grad(term, output, retain_graph=True)[0].norm() for name, term in terms.items()}
    for name, term in terms.items():
        board.add_scalar(f"train/term/{name}", term, patches)
        board.add_scalar(f"train/gradient_share/{name}", norms[name] / sum(norms.values()), patches)
