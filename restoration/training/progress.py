"""What a training shows while it runs: a line in the terminal, and curves in TensorBoard against patches seen."""

import sys
import time
from collections.abc import Mapping

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from restoration.losses.combine import terms_of
from restoration.names import METRICS
from restoration.networks.inference import evaluating
from restoration.scoring.evaluate import Validation


class ProgressLine:
    """A bar with patches/s and the time left, and a line of text for each validation."""

    def __init__(self, steps: int, batch: int, step: int, *, shown: bool):
        self.bar = Progress(
            BarColumn(),
            TextColumn("{task.completed:,}/{task.total:,} patches  {task.fields[rate]:,.0f} patches/s"),
            TimeRemainingColumn(),
            TextColumn("left"),
            transient=True,
            disable=not (shown and sys.stdout.isatty()),
        )
        self.bar.add_task("", total=steps * batch, completed=step * batch, rate=0)
        self.batch = batch
        self.first_step = step
        self.started = time.perf_counter()

    def __enter__(self) -> "ProgressLine":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def advance(self, step: int) -> None:
        """Shows the patches that were seen up to `step`."""
        if step % 10 == 0:
            rate = (step - self.first_step) * self.batch / (time.perf_counter() - self.started)
            self.bar.update(self.bar.task_ids[0], completed=step * self.batch, rate=rate)

    def validated(self, step: int, scores: Mapping[str, float]) -> None:
        """Prints the scores of the validation photographs."""
        values = "  ".join(f"{METRICS[name].label} {METRICS[name].shown(value)}" for name, value in scores.items())
        self.bar.console.print(f"{step * self.batch:>12,} patches  {values}", highlight=False, soft_wrap=True)


def log_validation(board: SummaryWriter, validation: Validation, model: nn.Module, patches: int) -> dict[str, float]:
    """Scores and crops of the validation photographs; returns the scores."""
    scores = validation.scores(model)
    for metric, value in scores.items():
        board.add_scalar(f"val/{metric}", value, patches)
    for index, crop in enumerate(validation.crops(model)):
        board.add_image(f"validation crops: degraded, restored, truth/{index}", crop, patches)
    return scores


def log_tests(board: SummaryWriter, tests: Mapping[str, Validation], model: nn.Module, patches: int) -> None:
    """Scores of whole test sets."""
    for name, test in tests.items():
        for metric, value in test.scores(model).items():
            board.add_scalar(f"test/{name}/{metric}", value, patches)


def log_loss(
    board: SummaryWriter, loss: nn.Module, restored: Tensor, target: Tensor, mean: Tensor, patches: int
) -> None:
    """The mean loss, and of each term of the loss: its value, and its share of the gradient at the network's output.

    The share is the norm of the term's gradient divided by the sum of all terms' norms; a term without gradient has 0.
    """
    board.add_scalar("train/loss", mean, patches)
    output = restored.clone().requires_grad_()
    with evaluating(loss), torch.enable_grad():
        terms = terms_of(loss, output, target)
        norms = {name: float(_gradient_norm(term, output)) for name, term in terms.items()}
    for name, term in terms.items():
        board.add_scalar(f"train/term/{name}", term, patches)
        board.add_scalar(f"train/gradient_share/{name}", norms[name] / (sum(norms.values()) or 1.0), patches)


def _gradient_norm(term: Tensor, output: Tensor) -> Tensor:
    if not term.requires_grad:
        return torch.zeros((), device=output.device)
    (gradient,) = torch.autograd.grad(term, output, retain_graph=True, allow_unused=True, materialize_grads=True)
    return gradient.norm()
