"""Packed photographs -> random training batches, by index arithmetic on the training device.

A batch is one gather: no worker processes, no Python per patch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from restoration.photographs import PackedPhotos, Places
from restoration.tasks import Task

PATCH = 31  # the paper's patch size in pixels


@dataclass(frozen=True)
class PatchSampler:
    """Batches of (degraded, target) patches: each photograph equally likely, each position in it equally likely.

    Attributes:
        clean: the photographs.
        recorded: what the task packed of them, for a task that degrades whole photographs once; else `clean`.
        generator: the source of positions and noise, on the device of the photographs.
    """

    task: Task
    clean: PackedPhotos
    recorded: PackedPhotos
    batch: int
    generator: torch.Generator

    def sample(self) -> tuple[Tensor, Tensor]:
        """Degraded and target, each (batch, 3, 31, 31) float32 in [0, 1]."""
        return self.task.patches(self.clean, self.recorded, self._places(), PATCH, self.generator)

    def _places(self) -> Places:
        device = self.clean.pixels.device
        draws = torch.randint(2**40, (3, self.batch), generator=self.generator, device=device)
        photo = draws[0] % len(self.clean)
        margin = self.task.margin
        room = self.clean.sizes[photo] - PATCH - 2 * margin + 1
        top, left = margin + draws[1:] % room.T
        return photo, top, left
