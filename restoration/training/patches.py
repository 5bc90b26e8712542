"""Random training batches from packed photographs, by index arithmetic on the training device.

One gather operation draws many batches, without worker processes and Python code per patch.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restoration.datasets.photos import PackedPhotos, Places
from restoration.tasks import Task

PATCH = 31  # the paper's patch size in pixels
AT_ONCE = 64  # patches drawn together: for a small batch, the calls would cost more than the patches


@dataclass
class PatchSampler:
    """Batches of degraded and target patches. All photographs are equally likely, and all positions in a photograph.

    Attributes:
        clean: the photographs.
        stored: the photographs as the task stored them; `clean` again for a task that stores nothing.
        generator: draws positions and noise, on the device of the photographs.
    """

    task: Task
    clean: PackedPhotos
    stored: PackedPhotos
    batch: int
    generator: torch.Generator
    _left: list[tuple[Tensor, Tensor]] = field(
        default_factory=list, init=False
    )  # batches drawn ahead; the last one is next
    _before: Tensor = field(init=False)  # state of the generator before these batches were drawn

    def sample(self) -> tuple[Tensor, Tensor]:
        """Degraded and target, each (batch, 3, 31, 31) float32 in [0, 1]."""
        if not self._left:
            self._before = self.generator.get_state()
            places = self.places(self._batches * self.batch)
            pair = self.task.patches(self.clean, self.stored, places, PATCH, self.generator)
            batches = zip(*(images.contiguous().split(self.batch) for images in pair), strict=True)
            self._left = list(batches)[::-1]
        return self._left.pop()

    def state(self) -> dict[str, Any]:
        """The position in the stream of batches, for `load`."""
        if self._left:
            return {"generator": self._before, "taken": self._batches - len(self._left)}
        return {"generator": self.generator.get_state(), "taken": 0}

    def load(self, state: dict[str, Any]) -> None:
        """Continues the stream at a position."""
        self.generator.set_state(state["generator"])
        self._left = []
        for _ in range(state["taken"]):
            self.sample()

    def begin(self, seed: int) -> None:
        """Begins another stream."""
        self.generator.manual_seed(seed)
        self._left = []

    @property
    def _batches(self) -> int:
        """Number of batches that are drawn together."""
        return max(1, AT_ONCE // self.batch)

    def places(self, count: int) -> Places:
        """Random positions of `count` patches."""
        device = self.clean.pixels.device
        draws = torch.randint(2**40, (3, count), generator=self.generator, device=device)
        photo = draws[0] % len(self.clean)
        margin = self.task.margin
        room = self.clean.sizes[photo] - PATCH - 2 * margin + 1
        top, left = margin + draws[1:] % room.T
        return photo, top, left
