"""The contract of a task: whole images are degraded, and training patches equal crops of degraded photographs."""

import zlib
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from restoration.datasets.photos import PackedPhotos, Places


class Task:
    """A degradation that a network learns to undo. A new task defines `degrade`; the other methods have defaults.

    The defaults degrade each training photograph once, as a whole, and keep the result with 8 bits: a random
    degradation is drawn once for each photograph. A task that draws for each patch sets `stores` to False and defines
    `patches`, as `Demosaic` does.

    Attributes:
        margin: pixels around a patch that must lie inside the photograph.
        stores: whether `store` is called once for each training photograph, and its results are packed for `patches`.
    """

    margin: ClassVar[int] = 0
    stores: ClassVar[bool] = True

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) float in [0, 1] -> the network's input, of the same size and range; noise from `generator`."""
        raise NotImplementedError(f"the task {type(self).__name__} must define degrade(image, generator)")

    def store(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> the degraded photograph as packed, (h, w, 3) uint8."""
        generator = torch.Generator().manual_seed(zlib.crc32(photo.tobytes()))
        return to_levels(self.degrade(from_levels(photo), generator))

    def patches(
        self, clean: PackedPhotos, stored: PackedPhotos, places: Places, size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """N degraded and N true patches, each (N, 3, size, size) float32 in [0, 1].

        Args:
            stored: the results of `store`, or `clean` again for a task that does not store.
        """
        return stored.crop(places, size).float() / 255, clean.crop(places, size).float() / 255

    def __repr__(self) -> str:
        """The class and its settings: part of the key of packed photographs and of the facts of a run's scores."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def from_levels(photo: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255


def to_levels(image: Tensor) -> np.ndarray:
    """(3, H, W), clamped to [0, 1] and rounded to 8 bits -> (H, W, 3) uint8."""
    return (image * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
