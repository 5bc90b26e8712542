"""Handles steps that fail with an error or a value that is not finite: names the step and saves the batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.files import replacing
from restoration.losses.combine import terms_of
from restoration.training.distributed import World


@dataclass(frozen=True)
class Batch:
    """One step's images, (N, 3, 31, 31), `restored` in float32; its loss, and the norm of its gradient."""

    degraded: Tensor
    target: Tensor
    restored: Tensor
    loss: Tensor
    gradient_norm: Tensor


def check_finite(batches: Sequence[Batch], loss: nn.Module, step: int, folder: Path, world: World) -> None:
    """Checks the last batches of all processes; waits for the GPU once.

    Args:
        step: step of the last batch.

    Raises:
        UserError: a loss or a gradient is not finite, in the process that has the first such batch.
        PeerProcessFailed: in all other processes.
    """
    finite = torch.stack([batch.loss + batch.gradient_norm for batch in batches]).isfinite().tolist()
    firsts = world.gathered(finite.index(False) if False in finite else len(batches))
    first = min(firsts)
    if first < len(batches):
        world.leave_to(firsts.index(first))
        raise _not_finite(batches[first], loss, step - len(batches) + first + 1, folder)


def _not_finite(batch: Batch, loss: nn.Module, step: int, folder: Path) -> UserError:
    """Saves the batch and names the first quantity that is not finite."""
    quantities = {
        "the target": batch.target,
        "the degraded input": batch.degraded,
        "the network's output": batch.restored,
        **{f"the loss term {name}": term for name, term in terms_of(loss, batch.restored, batch.target).items()},
        "the loss": batch.loss,
    }
    culprit = next((name for name, tensor in quantities.items() if not tensor.isfinite().all()), "the gradient")
    saved = _save(folder, degraded=batch.degraded, target=batch.target, restored=batch.restored, loss=batch.loss)
    return UserError(
        f"{culprit} is not finite at step {step} ({type(loss).__name__}). {saved} "
        "If the loss is right, lower budget.learning_rate."
    )


@contextmanager
def named_step(step: int, degraded: Tensor, target: Tensor, folder: Path) -> Iterator[None]:
    """Turns an error of network or loss into a UserError that names the step."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{degraded.device} is out of memory at step {step}, with {len(degraded)} patches: lower budget.batch, "
            f"or take device=cpu ({str(error).splitlines()[0]})"
        ) from error
    except Exception as error:
        saved = _save(folder, degraded=degraded, target=target)
        raise UserError(
            f"the network or the loss failed at step {step}: {type(error).__name__}: {error}\n{saved}"
        ) from error


def _save(folder: Path, **tensors: Tensor) -> str:
    path = folder / "failed_batch.safetensors"
    try:
        with replacing(path) as temporary:
            save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary)
    except (OSError, SafetensorError) as error:
        return f"The batch cannot be saved ({error})."
    return f"The batch is saved in {path}; the last checkpoint, if there is one, is older."
