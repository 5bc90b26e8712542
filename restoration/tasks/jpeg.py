"""JPEG deblocking: libjpeg codes whole photographs, so that the 8 x 8 blocks have any position in a patch."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from restoration.tasks.task import Task, from_levels, to_levels


@dataclass(frozen=True, kw_only=True)
class JPEG(Task):
    """The decoded baseline JPEG file of a photograph.

    Attributes:
        quality: libjpeg's quality, 1 (worst) to 95.
        subsampling: chroma subsampling; 4:2:0 is libjpeg's default.
    """

    quality: int = 25
    subsampling: str = "4:2:0"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"JPEG quality must be from 1 to 95, got {self.quality}")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) in [0, 1], rounded to 8 bits -> the decoded file, (3, H, W) in [0, 1]; deterministic."""
        return from_levels(self.store(to_levels(image))).to(image)

    def store(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> the decoded file, (H, W, 3) uint8."""
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=self.quality, subsampling=self.subsampling)
        return np.array(Image.open(file))
