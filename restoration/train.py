"""The training loop: one function, from the first batch to the last.

Whatever the loss, the same budget, optimiser and schedule; only the gradients differ.
"""

import copy
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from restoration.checkpoint import Resumable, load_checkpoint, save_checkpoint
from restoration.errors import UserError
from restoration.evaluate import Validation
from restoration.files import replacing
from restoration.metrics import METRICS
from restoration.patches import PatchSampler


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train, and how fast.

    Attributes:
        patches: patches seen in all.
        batch: patches a step.
        learning_rate: its peak, reached after the share `warm_up` of the steps.
        decay: from there to zero, "linear" or "cosine".
        validations: how many times, evenly spaced, the validation photographs are scored.
    """

    patches: int
    batch: int
    learning_rate: float
    warm_up: float = 0.05
    decay: str = "linear"
    validations: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.batch <= self.patches:
            raise ValueError(f"a budget needs 0 < batch <= patches, got batch={self.batch}, patches={self.patches}")
        if self.validations < 1:
            raise ValueError(f"a budget needs at least one validation, got {self.validations}")
        if self.decay not in ("linear", "cosine"):
            raise ValueError(f"the learning rate decays linear or cosine, got {self.decay}")

    @property
    def steps(self) -> int:
        return self.patches // self.batch

    def learning_rate_at(self, step: int) -> float:
        warm = max(1, round(self.warm_up * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        left = (self.steps - step) / (self.steps - warm)
        return self.learning_rate * (left if self.decay == "linear" else (1 - math.cos(math.pi * left)) / 2)

    def validation_steps(self) -> set[int]:
        """Steps before which the network is scored: the same for every loss, the start and the end included."""
        return {round(self.steps * k / self.validations) for k in range(self.validations + 1)}


@runtime_checkable
class HasTerms(Protocol):
    """A loss that names its summands."""

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]: ...


class Interrupted(Exception):
    """SIGINT or SIGTERM came; the checkpoint has been written."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def train(
    model: nn.Module,
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    sampler: PatchSampler,
    validation: Validation,
    budget: Budget,
    *,
    folder: Path,
    identity: dict[str, Any],
    bf16: bool,
    checkpoint_seconds: float = 30.0,
    log_steps: int = 50,
    check_steps: int = 1,
) -> float:
    """Trains `model` in place; goes on where a checkpoint in `folder` ends.

    Args:
        identity: nested plain values that say what this run is; a checkpoint of another run is refused.
        bf16: autocast the network (not the loss) to bfloat16.
        check_steps: look for non-finite values every so many steps, and before every checkpoint. On a GPU each look
            waits for the device; when one fails, the steps since the last are repeated one by one to find the batch.

    Returns:
        Seconds of training over all its interruptions, validation and logging included.

    Raises:
        Interrupted: on SIGINT or SIGTERM, after a checkpoint.
        UserError: a value is not finite; or the checkpoint is of another run, or cannot be written.
    """

    def checks(step: int) -> bool:
        return step % check_steps == 0 or step == budget.steps

    run = Resumable(model, loss, optimizer, sampler.generator)
    validation_steps = budget.validation_steps()
    if (saved := load_checkpoint(folder / "checkpoint.pt", identity)) is not None:
        run.load(saved)
        validation_steps.discard(run.step)  # a checkpoint comes after the validation of its step
    last_good = copy.deepcopy(run.state())
    last_checkpoint = time.perf_counter()
    started = last_checkpoint - run.seconds
    sums = torch.zeros(2, device=sampler.clean.pixels.device)  # of the loss and of one a step, since the last log
    with (
        SummaryWriter(str(folder), purge_step=run.step * budget.batch + 1) as board,
        _signals() as received,
        _Display(budget, run.step) as display,
    ):
        while True:
            if run.step in validation_steps:
                display.validated(run.step, _log_validation(board, validation, model, run.step * budget.batch))
            run.seconds = time.perf_counter() - started
            checked = checks(run.step)
            due = time.perf_counter() - last_checkpoint > checkpoint_seconds
            if checked and (due or received or run.step == budget.steps):
                board.flush()
                save_checkpoint(folder / "checkpoint.pt", {"identity": identity, **run.state()})
                last_checkpoint = time.perf_counter()
            if run.step == budget.steps:
                return run.seconds
            if checked and received:
                raise Interrupted(received[0])
            if checked and check_steps > 1:
                last_good = copy.deepcopy(run.state())

            for group in optimizer.param_groups:
                group["lr"] = budget.learning_rate_at(run.step)
            batch = _backward(model, loss, sampler, bf16)
            sums += torch.stack([batch.loss, torch.ones_like(batch.loss)])
            run.step += 1
            if checks(run.step) and not torch.isfinite(sums[0] + _gradient_norm(model)):
                if check_steps == 1:
                    raise _not_finite(folder, loss, batch, run.step)
                run.load(last_good)
                check_steps = 1
                sums.zero_()
                continue
            optimizer.step()
            if run.step % log_steps == 0:
                _log_loss(board, loss, batch, sums[0] / sums[1], run.step * budget.batch)
                sums.zero_()
            display.advance(run.step)


class Batch(NamedTuple):
    """What one step saw: images (N, 3, 31, 31), `restored` in float32, and the loss."""

    degraded: Tensor
    target: Tensor
    restored: Tensor
    loss: Tensor


def _backward(model: nn.Module, loss: nn.Module, sampler: PatchSampler, bf16: bool) -> Batch:
    """Leaves the gradient of a new batch in the model."""
    degraded, target = sampler.sample()
    with torch.autocast(degraded.device.type, torch.bfloat16, enabled=bf16):
        restored = model(degraded)
    restored = restored.float()
    value = loss(restored, target)
    model.zero_grad()
    value.backward()
    return Batch(degraded, target, restored.detach(), value.detach())


def _gradient_norm(model: nn.Module) -> Tensor:
    return nn.utils.get_total_norm([weight.grad for weight in model.parameters() if weight.grad is not None])


def _log_validation(board: SummaryWriter, validation: Validation, model: nn.Module, patches: int) -> dict[str, float]:
    scores = validation.scores(model)
    for metric, value in scores.items():
        board.add_scalar(f"val/{metric}", value, patches)
    for index, crop in enumerate(validation.crops(model)):
        board.add_image(f"validation crops: degraded, restored, truth/{index}", crop, patches)
    return scores


def _log_loss(board: SummaryWriter, loss: nn.Module, batch: Batch, mean: Tensor, patches: int) -> None:
    """The mean loss and, of a loss with terms, each term's value and its share of the gradient at the output."""
    board.add_scalar("train/loss", mean, patches)
    output = batch.restored.clone().requires_grad_()
    terms = _terms(loss, output, batch.target)
    norms = {name: torch.autograd.grad(term, output, retain_graph=True)[0].norm() for name, term in terms.items()}
    for name, term in terms.items():
        board.add_scalar(f"train/term/{name}", term, patches)
        board.add_scalar(f"train/gradient_share/{name}", norms[name] / sum(norms.values()), patches)


def _terms(loss: nn.Module, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The weighted terms of a loss that names them, by name; of any other loss none."""
    return loss.terms(restored, target) if isinstance(loss, HasTerms) else {}


def _not_finite(folder: Path, loss: nn.Module, batch: Batch, step: int) -> UserError:
    """Saves the batch and says which quantity was not finite first."""
    suspects = {
        "the target": batch.target,
        "the degraded input": batch.degraded,
        "the network's output": batch.restored,
        **{f"the loss term {name}": term for name, term in _terms(loss, batch.restored, batch.target).items()},
        "the loss": batch.loss,
    }
    culprit = next((name for name, tensor in suspects.items() if not tensor.isfinite().all()), "a gradient of the loss")
    path = folder / "failed_batch.safetensors"
    with replacing(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in batch._asdict().items()}, temporary)
    return UserError(
        f"{culprit} is not finite at step {step} ({type(loss).__name__}). The batch is in {path}; the last "
        "checkpoint, if any, is from before. If the loss is sound, a lower budget.learning_rate is the usual cure."
    )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying of the first one; a second one is obeyed at once."""
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(number, previous[number])

    previous = {int(number): signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Display:
    """A progress bar with patches/s and time left, and a line for every validation."""

    def __init__(self, budget: Budget, step: int):
        columns = (
            BarColumn(),
            TextColumn("{task.completed:,}/{task.total:,} patches"),
            TextColumn("{task.fields[rate]}"),
        )
        self.progress = Progress(
            *columns, TimeRemainingColumn(), TextColumn("left"), transient=True, disable=not sys.stdout.isatty()
        )
        self.batch = budget.batch
        self.first = step
        self.started = time.perf_counter()
        self.bar = self.progress.add_task("", total=budget.steps * budget.batch, completed=step * budget.batch, rate="")

    def __enter__(self) -> "_Display":
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
