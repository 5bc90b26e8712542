"""The training loop: one function, from the first batch to the last.

Whatever the loss, the same budget, optimiser and schedule; only the gradients differ.
"""

import copy
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from restoration.checkpoint import Resumable, load_checkpoint, save_checkpoint
from restoration.display import Display
from restoration.distributed import ALONE, World
from restoration.errors import UserError
from restoration.evaluate import Validation
from restoration.files import replacing
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


@runtime_checkable
class FollowsTraining(Protocol):
    """A loss that changes as the training goes on; `progress` is the share of the steps that are done, in [0, 1)."""

    progress: float


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
    tracked: Mapping[str, Validation] = MappingProxyType({}),
    world: World = ALONE,
    checkpoint_seconds: float = 30.0,
    log_steps: int = 50,
    check_steps: int = 50,
    compiled: bool = False,
) -> float:
    """Trains `model` in place; goes on where a checkpoint in `folder` ends.

    Args:
        sampler: of this process's share of each batch. With as many processes as before, random numbers go on where
            they were; with another number each process begins a stream seeded by (seed, processes, rank, step).
        identity: nested plain values that say what this run is; a checkpoint of another run is refused.
        bf16: autocast the network (not the loss) to bfloat16.
        tracked: test sets whose curves are drawn beside the validation's: to look at, never to choose anything by.
        world: the processes that train together; the loss must be a mean over its patches.
        check_steps: look for non-finite values every so many steps, and before every checkpoint, for a GPU must be
            waited for. When a look fails, the steps since the last are repeated one by one to find the batch.
        compiled: let torch.compile fuse network and loss: faster after a minute, rounded otherwise.

    Returns:
        Seconds of training over all its interruptions, validation and logging included.

    Raises:
        Interrupted: on SIGINT or SIGTERM to any process, in all of them after the same step and a checkpoint.
        UserError: a value is not finite; or the checkpoint is of another run, or cannot be written.
        Elsewhere: another process failed.
    """

    def checks(step: int) -> bool:
        return step % check_steps == 0 or step == budget.steps or (world.size == 1 and bool(received))

    run = Resumable(model, loss, optimizer, sampler)
    validation_steps = budget.validation_steps()
    seed = sampler.generator.initial_seed()
    saved = world.from_first(lambda: load_checkpoint(folder / "checkpoint.pt", identity))
    if saved is not None:
        run.load(saved)
        validation_steps.discard(run.step)  # a checkpoint comes after the validation of its step
    elif world.size > 1:  # machines of different kinds may draw different weights from one seed
        model.load_state_dict(world.from_first(model.state_dict))
    run.continue_streams((saved or {}).get("other_streams", []), world, seed)
    last_good = copy.deepcopy(run.state())
    last_checkpoint = time.perf_counter()
    started = last_checkpoint - run.seconds
    losses = torch.zeros((), device=sampler.clean.pixels.device)  # summed up since the last log
    summed = 0
    follower = loss if isinstance(loss, FollowsTraining) else None
    objective = _objective(model, loss, bf16=bf16, compiled=compiled)
    stop = due = 0  # the signal that ends the run and whether it is time for a checkpoint, as all processes agreed
    with (
        SummaryWriter(str(folder), purge_step=run.step * budget.batch + 1) if world.first else nullcontext() as board,
        _signals(alone=world.size == 1) as received,
        Display(budget.steps, budget.batch, run.step, shown=world.first) as display,
    ):
        while True:
            if board and run.step in validation_steps:
                display.validated(run.step, _log_validation(board, validation, model, run.step * budget.batch))
                _log_tracked(board, tracked, model, run.step * budget.batch)
            run.seconds = time.perf_counter() - started
            if due or stop or run.step == budget.steps:
                other_streams = world.gathered(run.streams())[1:]
                with world.in_turn():  # no process ends before the checkpoint is written
                    if board:
                        board.flush()
                        state = {"identity": identity, **run.state(), "other_streams": other_streams}
                        save_checkpoint(folder / "checkpoint.pt", state)
                last_checkpoint = time.perf_counter()
            if run.step == budget.steps:
                return run.seconds
            if stop:
                raise Interrupted(stop)
            if check_steps > 1 and checks(run.step):
                last_good = copy.deepcopy(run.state())

            for group in optimizer.param_groups:
                group["lr"] = budget.learning_rate_at(run.step)
            if follower is not None:
                follower.progress = run.step / budget.steps
            batch = _backward(model, objective, sampler)
            run.step += 1
            stop = due = 0
            if checks(run.step):
                finite = torch.isfinite(losses + batch.loss + _gradient_norm(model))
                overdue = time.perf_counter() - last_checkpoint > checkpoint_seconds
                failed, stop, due = world.largest(
                    0 if finite else world.size - world.rank, max(received, default=0), overdue
                )
                if failed and check_steps == 1:
                    world.leave_to(world.size - failed)  # the first that saw it
                    raise _not_finite(folder, loss, batch, run.step)
                if failed:
                    run.load(last_good)
                    check_steps = 1
                    losses, summed = torch.zeros_like(losses), 0
                    continue
            world.average([batch.loss, *_gradients(model)])
            optimizer.step()
            losses, summed = losses + batch.loss, summed + 1
            if run.step % log_steps == 0:
                if board:
                    _log_loss(board, loss, batch, losses / summed, run.step * budget.batch)
                losses, summed = torch.zeros_like(losses), 0
            display.advance(run.step)


class Batch(NamedTuple):
    """What one step saw: images (N, 3, 31, 31), `restored` in float32, and the loss."""

    degraded: Tensor
    target: Tensor
    restored: Tensor
    loss: Tensor


Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _objective(model: nn.Module, loss: nn.Module, *, bf16: bool, compiled: bool) -> Objective:
    """Degraded and target -> restored and the loss, both in the precision of the weights."""

    def objective(degraded: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(degraded.device.type, torch.bfloat16, enabled=bf16):
            restored = model(degraded)
        if bf16:
            restored = restored.to(torch.float32, memory_format=torch.contiguous_format)
        return restored, loss(restored, target)

    return torch.compile(objective) if compiled else objective


def _backward(model: nn.Module, objective: Objective, sampler: PatchSampler) -> Batch:
    """Leaves the gradient of a new batch in the model."""
    degraded, target = sampler.sample()
    restored, value = objective(degraded, target)
    model.zero_grad()
    value.backward()
    return Batch(degraded, target, restored.detach(), value.detach())


def _gradients(model: nn.Module) -> list[Tensor]:
    return [weight.grad for weight in model.parameters() if weight.grad is not None]


def _gradient_norm(model: nn.Module) -> Tensor:
    return nn.utils.get_total_norm(_gradients(model))


def _log_validation(board: SummaryWriter, validation: Validation, model: nn.Module, patches: int) -> dict[str, float]:
    scores = validation.scores(model)
    for metric, value in scores.items():
        board.add_scalar(f"val/{metric}", value, patches)
    for index, crop in enumerate(validation.crops(model)):
        board.add_image(f"validation crops: degraded, restored, truth/{index}", crop, patches)
    return scores


def _log_tracked(board: SummaryWriter, tracked: Mapping[str, Validation], model: nn.Module, patches: int) -> None:
    for name, test in tracked.items():
        for metric, value in test.scores(model).items():
            board.add_scalar(f"test/{name}/{metric}", value, patches)


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
def _signals(*, alone: bool) -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying of the first one; a second one is obeyed at once.

    Args:
        alone: there are no other processes. Else a second one is collected too: a cluster and torchrun both send them.
    """
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        received.append(number)
        if alone:
            signal.signal(number, previous[number])

    previous = {int(number): signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
