"""Photographs and degraded versions, prepared by the protocol."""

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from restoration.scoring.metrics import FUNCTIONS, Versions
from restoration.scoring.protocol import Protocol
from restoration.tasks import JPEG, Demosaic


def as_image(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def prepared(image: Tensor) -> Tensor:
    return Protocol().prepare(image)


def photograph(height: int, width: int) -> Tensor:
    return as_image(skimage.data.coffee()[:height, :width])


def after(task: JPEG | Demosaic, target: Tensor) -> tuple[Tensor, Tensor]:
    """The degraded and the true photograph, prepared."""
    return prepared(task.degrade(target, torch.Generator().manual_seed(0))), prepared(target)


def values_of(restored: Tensor, target: Tensor, metrics=FUNCTIONS) -> dict[str, list[float]]:
    """Values by metric of prepared images."""
    images = Versions(restored, target)
    return {name: FUNCTIONS[name](images).tolist() for name in metrics}


@pytest.fixture(scope="session")
def jpeg_pair() -> tuple[Tensor, Tensor]:
    """A photograph after JPEG, and the photograph, (3, 300, 451)."""
    target = as_image(skimage.data.chelsea())
    return JPEG().degrade(target, torch.Generator()), target
