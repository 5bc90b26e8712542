"""How long to train: what one budget means for every loss."""

import math
from dataclasses import dataclass


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
