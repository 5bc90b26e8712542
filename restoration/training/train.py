"""The training loop: one function, from the first batch to the last.

Whatever the loss, the same budget, optimiser and schedule; only the gradients differ.
"""

import copy
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from restoration.errors import UserError
from restoration.files import replacing
from restoration.scoring.evaluate import Validation
from restoration.training.budget import Budget
from restoration.training.checkpoint import Resumable, load_checkpoint, save_checkpoint
from restoration.training.distributed import ALONE, World
from restoration.training.objective import FollowsTraining, Objective, objective_of, terms_of
from restoration.training.patches import PatchSampler
from restoration.training.progress import Display, log_loss, log_tracked, log_validation


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
    run = Resumable(model, loss, optimizer, sampler)
    resumed = _begin(run, folder / "checkpoint.pt", identity, world)
    # a checkpoint comes after the validation of its step
    validation_steps = budget.validation_steps() - ({run.step} if resumed else set())
    watch = _Watch(run, check_steps)
    objective = objective_of(model, loss, bf16=bf16, compiled=compiled)
    follower = loss if isinstance(loss, FollowsTraining) else None
    alone = world.size == 1
    losses: list[Tensor] = []  # since the last log
    stop = due = 0  # the signal that ends the run and whether it is time for a checkpoint, as all processes agreed
    last_checkpoint = time.perf_counter()
    started = last_checkpoint - run.seconds
    with (
        SummaryWriter(str(folder), purge_step=run.step * budget.batch + 1) if world.first else nullcontext() as board,
        _signals(alone=alone) as received,
        Display(budget.steps, budget.batch, run.step, shown=world.first) as display,
    ):
        while True:
            if board and run.step in validation_steps:
                display.validated(run.step, log_validation(board, validation, model, run.step * budget.batch))
                log_tracked(board, tracked, model, run.step * budget.batch)
            run.seconds = time.perf_counter() - started
            if due or stop or run.step == budget.steps:
                _save(run, folder / "checkpoint.pt", identity, world, board)
                last_checkpoint = time.perf_counter()
            if run.step == budget.steps:
                return run.seconds
            if stop:
                raise Interrupted(stop)
            watch.remember(now=alone and bool(received))

            for group in optimizer.param_groups:
                group["lr"] = budget.learning_rate_at(run.step)
            if follower is not None:
                follower.progress = run.step / budget.steps
            batch = _backward(model, objective, sampler)
            run.step += 1
            stop = due = 0
            if watch.looks(now=run.step == budget.steps or (alone and bool(received))):
                finite = torch.isfinite(sum(losses, batch.loss + _gradient_norm(model)))
                overdue = time.perf_counter() - last_checkpoint > checkpoint_seconds
                failed, stop, due = world.largest(
                    0 if finite else world.size - world.rank, max(received, default=0), overdue
                )
                if failed and watch.knows:
                    world.leave_to(world.size - failed)  # the first that saw it
                    raise _not_finite(folder, loss, batch, run.step)
                if failed:
                    watch.repeat()
                    losses.clear()
                    continue
            world.average([batch.loss, *_gradients(model)])
            optimizer.step()
            losses.append(batch.loss)
            if run.step % log_steps == 0:
                if board:
                    mean = torch.stack(losses).mean()
                    log_loss(board, loss, batch.restored, batch.target, mean, run.step * budget.batch)
                losses.clear()
            display.advance(run.step)


def _begin(run: Resumable, checkpoint: Path, identity: dict[str, Any], world: World) -> bool:
    """Goes back to the checkpoint where there is one, or else begins alike in all processes; whether there is one."""
    seed = run.sampler.generator.initial_seed()
    saved = world.from_first(lambda: load_checkpoint(checkpoint, identity))
    if saved is not None:
        run.load(saved)
    elif world.size > 1:  # machines of different kinds may draw different weights from one seed
        run.model.load_state_dict(world.from_first(run.model.state_dict))
    run.continue_streams((saved or {}).get("other_streams", []), world, seed)
    return saved is not None


def _save(
    run: Resumable, checkpoint: Path, identity: dict[str, Any], world: World, board: SummaryWriter | None
) -> None:
    """Writes the checkpoint, of all processes together, once the curves up to it are written."""
    other_streams = world.gathered(run.streams())[1:]
    with world.in_turn():  # no process ends before the checkpoint is written
        if board:
            board.flush()
            save_checkpoint(checkpoint, {"identity": identity, **run.state(), "other_streams": other_streams})


class _Watch:
    """When to look for values that are not finite, and how to find the batch that made one.

    A look waits for the GPU, so it comes every so many steps; after one that fails, the steps since the last good one
    are repeated, with a look at each.
    """

    def __init__(self, run: Resumable, every: int):
        self.run = run
        self.every = every
        self.repeated = 0  # the last of the steps that are repeated
        self.good = copy.deepcopy(run.state())

    def looks(self, *, now: bool) -> bool:
        """Whether this step is looked at."""
        return now or self.run.step % self.every == 0 or self.run.step <= self.repeated

    @property
    def knows(self) -> bool:
        """Whether a failing look can only mean this step's batch."""
        return self.every == 1 or self.run.step <= self.repeated

    def remember(self, *, now: bool) -> None:
        """Takes the state between two steps for good if it has been looked at; `repeat` goes back to it."""
        if self.every > 1 and self.looks(now=now):
            self.good = copy.deepcopy(self.run.state())

    def repeat(self) -> None:
        self.repeated = self.run.step
        self.run.load(self.good)


class Batch(NamedTuple):
    """What one step saw: images (N, 3, 31, 31), `restored` in float32, and the loss."""

    degraded: Tensor
    target: Tensor
    restored: Tensor
    loss: Tensor


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


def _not_finite(folder: Path, loss: nn.Module, batch: Batch, step: int) -> UserError:
    """Saves the batch and says which quantity was not finite first."""
    suspects = {
        "the target": batch.target,
        "the degraded input": batch.degraded,
        "the network's output": batch.restored,
        **{f"the loss term {name}": term for name, term in terms_of(loss, batch.restored, batch.target).items()},
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
