"""What a loss may offer to the training beside its value, and network and loss as one."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@runtime_checkable
class HasTerms(Protocol):
    """A loss that names its summands."""

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]: ...


@runtime_checkable
class FollowsTraining(Protocol):
    """A loss that changes as the training goes on; `progress` is the share of the steps that are done, in [0, 1)."""

    progress: float


def terms_of(loss: nn.Module, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The weighted terms of a loss that names them, by name; of any other loss none."""
    return loss.terms(restored, target) if isinstance(loss, HasTerms) else {}


def objective_of(model: nn.Module, loss: nn.Module, *, bf16: bool, compiled: bool) -> Objective:
    """Degraded and target -> restored and the loss, both in the precision of the weights."""

    def objective(degraded: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(degraded.device.type, torch.bfloat16, enabled=bf16):
            restored = model(degraded)
        if bf16:
            restored = restored.to(torch.float32, memory_format=torch.contiguous_format)
        return restored, loss(restored, target)

    return torch.compile(objective) if compiled else objective
