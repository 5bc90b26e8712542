"""The budget: how long to train. All losses have the same budget, except for a factor of the learning rate."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train, and how fast.

    Attributes:
        patches: all patches of the training.
        batch: patches per step.
        learning_rate: the highest learning rate of the training.
        loss_factor: a factor for the loss, by which all learning rates are multiplied.
        warm_up: share of the steps in which the learning rate rises to the highest one.
        decay: how the learning rate falls to zero after that, "linear" or "cosine".
        validations: number of evenly spaced validations, without the validation before the first step.
    """

    patches: int
    batch: int
    learning_rate: float
    loss_factor: float = 1.0
    warm_up: float = 0.05
    decay: str = "linear"
    validations: int = 10

    def __post_init__(self) -> None:
        for name in ("patches", "batch", "validations"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name} must be a whole number, got {getattr(self, name)}")
        if not 0 < self.batch <= self.patches:
            raise ValueError(f"a budget needs 0 < batch <= patches, got batch={self.batch}, patches={self.patches}")
        if self.validations < 1:
            raise ValueError(f"a budget needs at least one validation, got {self.validations}")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"warm_up is a share of the steps in [0, 1), got {self.warm_up}")
        if self.decay not in ("linear", "cosine"):
            raise ValueError(f"decay is linear or cosine, got {self.decay}")

    @property
    def steps(self) -> int:
        """Steps of the optimizer; patches that do not fill a last batch are left out."""
        return self.patches // self.batch

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        highest = self.learning_rate * self.loss_factor
        warm = max(1, round(self.warm_up * self.steps))
        if step < warm:
            return highest * (step + 1) / warm
        left = (self.steps - step) / (self.steps - warm)
        return highest * (left if self.decay == "linear" else (1 - math.cos(math.pi * left)) / 2)

    def validation_steps(self) -> set[int]:
        """The steps before which the network is validated, from 0 to the number of all steps."""
        return {round(self.steps * k / self.validations) for k in range(self.validations + 1)}
