"""Losses made of other losses.

Besides its value, a loss may offer
- `terms(restored, target)`: its weighted terms by name, which are logged;
- `progress`: an attribute in [0, 1), the share of the training that is done; the trainer sets it before each step.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class HasTerms(Protocol):
    """A loss with named terms, already weighted: the loss is their sum."""

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]: ...


@runtime_checkable
class FollowsTraining(Protocol):
    """A loss that changes during the training."""

    progress: float


def terms_of(loss: nn.Module, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The terms of a loss by name; none for a loss without `terms`."""
    terms = loss.terms(restored, target) if isinstance(loss, HasTerms) else {}
    return {name: torch.as_tensor(term) for name, term in terms.items()}


def set_progress(loss: nn.Module, progress: float) -> None:
    """Sets `progress` of a loss and of the losses inside it that have this attribute."""
    for part in loss.modules():
        if isinstance(part, FollowsTraining):
            part.progress = progress


class Sum(nn.Module):
    """A weighted sum of losses; each weighted loss is a term.

    Args:
        losses: by name.
        weights: by the same names.
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Mapping[str, float]):
        super().__init__()
        if not losses or losses.keys() != weights.keys():
            raise ValueError(f"each loss needs one weight, got losses {list(losses)} and weights {list(weights)}")
        self.losses = nn.ModuleDict(losses)
        self.weights = {name: float(weight) for name, weight in weights.items()}

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted losses."""
        return {name: self.weights[name] * loss(restored, target) for name, loss in self.losses.items()}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return torch.stack([*self.terms(restored, target).values()]).sum()


class Switch(nn.Module):
    """`first` until the share `at` of the training is done, then `second`. The paper switches L1 and L2 half-way."""

    def __init__(self, first: nn.Module, second: nn.Module, *, at: float = 0.5):
        super().__init__()
        if not 0 < at < 1:
            raise ValueError(f"at must be the share of the training before the switch, in (0, 1), got {at}")
        self.first, self.second, self.at = first, second, at
        self.progress = 0.0

    @property
    def current(self) -> nn.Module:
        """The loss that is in use."""
        return self.first if self.progress < self.at else self.second

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The terms of the current loss."""
        return terms_of(self.current, restored, target)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return self.current(restored, target)


class Clamped(nn.Module):
    """Clamps `restored` to [0, 1] for a loss that refuses other values, such as the losses of piq.

    Pixels outside [0, 1] get no gradient.
    """

    def __init__(self, loss: nn.Module):
        super().__init__()
        self.loss = loss

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The terms of the loss."""
        return terms_of(self.loss, restored.clamp(0, 1), target)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return self.loss(restored.clamp(0, 1), target)
