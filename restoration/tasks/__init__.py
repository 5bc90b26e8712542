"""The three degradations of the paper. Each module holds one task; all follow the contract of `Task`."""

from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from restoration.datasets.photos import PackedPhotos, Places
from restoration.tasks.demosaic import Demosaic
from restoration.tasks.jpeg import JPEG
from restoration.tasks.super_resolution import SuperResolution

__all__ = ["JPEG", "Demosaic", "SuperResolution", "Task"]


class Task(Protocol):
    """A degradation of whole images, and of training patches that equal crops of them.

    Attributes:
        input_name: column title of the degraded input.
        margin: pixels around a patch that must lie inside the photograph.
        records: whether the degradation is deterministic and done once for each whole photograph, by `record`;
            `patches` then reads what `record` returned, packed, and else only the photographs.
    """

    input_name: ClassVar[str]
    margin: ClassVar[int]
    records: ClassVar[bool]

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) float in [0, 1] -> the network's input, of the same size and range."""
        ...

    def record(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> what a sensor or file keeps of the photograph, (h, w, 3) uint8."""
        ...

    def patches(
        self, clean: PackedPhotos, recorded: PackedPhotos, places: Places, size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The degraded and the true patches at N places, each (N, 3, size, size) float32 in [0, 1]."""
        ...
