"""The training loop. The budget, optimizer and schedule are the same for every loss; only the gradients differ."""

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from rich import get_console
from torch import Tensor, nn

from restoration.losses.combine import set_progress
from restoration.names import DECIDING, METRICS
from restoration.progress import Bar
from restoration.scoring.evaluate import Validation
from restoration.training.board import Board
from restoration.training.budget import Budget
from restoration.training.checkpoint import Resumable, resume, save_checkpoint
from restoration.training.distributed import ALONE, World
from restoration.training.failures import Batch, check_finite, named_step
from restoration.training.patches import PatchSampler

VALIDATION = "validation"
Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # degraded, target -> restored, loss


class Interrupted(Exception):
    """SIGINT or SIGTERM stopped the training; its checkpoint is written."""

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
    """Trains `model` in place, from the checkpoint in `folder` if there is one.

    Args:
        sampler: draws this process's share of each batch; the loss is a mean over its patches.
        identity: nested plain values; a checkpoint with other values is refused.
        bf16: run the network, but not the loss, under bfloat16 autocast.
        tracked: test sets whose scores are logged at each validation.
        check_steps: steps between two checks for non-finite values; a check waits for the GPU.
        compiled: compile network and loss with torch.compile.

    Returns:
        Seconds of training and validation, over all interruptions.

    Raises:
        Interrupted: SIGINT or SIGTERM reached any process; all stop after the same step, with a checkpoint.
        UserError: a value is not finite, network or loss fail, the checkpoint is of another run or cannot be written.
        PeerProcessFailed: another process failed.
    """
    run = Resumable(model, loss, optimizer, sampler)
    resumed = resume(run, folder / "checkpoint.pt", identity, world)
    validation_steps = budget.validation_steps() - ({run.step} if resumed else set())  # validated before the checkpoint
    objective = _objective(model, loss, bf16=bf16, compiled=compiled)
    unchecked: list[Batch] = []  # batches since the last check
    losses: deque[Tensor] = deque(maxlen=log_steps)
    stop = due = 0  # agreed by all processes: the signal to stop for, whether a checkpoint is due
    last_checkpoint = time.perf_counter()
    started = last_checkpoint - run.seconds
    patches = run.step * budget.batch
    with (
        Board(folder, patches) if world.first else nullcontext() as board,
        _signals(world) as received,
        Bar("training", budget.steps * budget.batch, "patches", done=patches, shown=world.first) as bar,
        torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
    ):
        urgent = received if world.size == 1 else []  # several processes agree at the next check
        model.train()
        while True:
            # validate
            if run.step in validation_steps:
                if board:
                    _validate(model, {VALIDATION: validation, **tracked}, board, bar, patches)
                world.meet()  # scoring may take longer than the timeout of a gradient

            # checkpoint
            finished = run.step == budget.steps
            run.seconds = time.perf_counter() - started
            if due or stop or finished:
                if board:
                    board.writer.flush()
                save_checkpoint(run, folder / "checkpoint.pt", identity, world)
                last_checkpoint = time.perf_counter()
            if stop or (finished and urgent):
                raise Interrupted(stop or urgent[0])
            if finished:
                return run.seconds

            # learning rate, and the progress of a loss that follows the training
            rate = budget.learning_rate_at(run.step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            set_progress(loss, run.step / budget.steps)

            # forward and backward
            degraded, target = sampler.sample()
            with named_step(run.step + 1, degraded, target, folder):
                batch = _forward_backward(model, objective, degraded, target)
            run.step += 1
            patches += budget.batch
            unchecked.append(batch)

            # check for non-finite values and signals
            stop = due = 0
            if run.step % check_steps == 0 or run.step == budget.steps or urgent:
                check_finite(unchecked, loss, run.step, folder, world)
                unchecked.clear()
                overdue = time.perf_counter() - last_checkpoint > checkpoint_seconds
                stop, due = map(max, zip(*world.gathered((max(received, default=0), overdue)), strict=True))

            # step
            mean_loss = batch.loss.clone()
            world.average([mean_loss, *_gradients(model)])
            optimizer.step()

            # log
            losses.append(mean_loss)
            if board and run.step % log_steps == 0:
                board.step(loss, batch, torch.stack([*losses]).mean(), rate, patches)
            bar.advance(budget.batch)


def _validate(model: nn.Module, sets: Mapping[str, Validation], board: Board, bar: Bar, patches: int) -> None:
    """Scores the validation photographs, first of `sets`, and the tracked test sets; prints the former."""
    for name, photographs in sets.items():
        scores = photographs.scores(model)
        board.scores(name if name == VALIDATION else f"test {name}", scores, patches)
        if name == VALIDATION:
            board.crops(photographs, model, patches)
            shown = [METRICS[key].named(scores[key]) for key in DECIDING if key in scores]
            bar.say(f"validation after {patches:,} patches: {', '.join(shown)}")


def _objective(model: nn.Module, loss: nn.Module, *, bf16: bool, compiled: bool) -> Objective:
    """Network and loss as one function; both of its results have the precision of the weights."""

    def objective(degraded: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(degraded.device.type, torch.bfloat16) if bf16 else nullcontext():
            restored = model(degraded)
        if bf16:
            restored = restored.to(torch.float32, memory_format=torch.contiguous_format)
        return restored, loss(restored, target)

    return torch.compile(objective) if compiled else objective


def _forward_backward(model: nn.Module, objective: Objective, degraded: Tensor, target: Tensor) -> Batch:
    """Leaves the gradient in the model."""
    restored, value = objective(degraded, target)
    model.zero_grad()
    value.backward()
    norm = nn.utils.get_total_norm(_gradients(model))
    return Batch(degraded, target, restored.detach(), value.detach(), norm)


def _gradients(model: nn.Module) -> list[Tensor]:
    return [weight.grad for weight in model.parameters() if weight.grad is not None]


@contextmanager
def _signals(world: World) -> Iterator[list[int]]:
    """Collects the numbers of SIGINT and SIGTERM.

    In one process alone, a second signal ends it at once. With several processes every signal is collected, because
    both the cluster and torchrun send them.
    """
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        received.append(number)
        if world.size == 1:
            signal.signal(number, previous[number])
        if world.first and len(received) == 1:
            again = "; again: without a checkpoint" if world.size == 1 else ""
            with suppress(RuntimeError):  # the signal came during another print
                get_console().print(f"stopping after this step{again}")

    previous = {int(number): signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
