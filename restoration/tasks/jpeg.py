"""JPEG deblocking: real libjpeg on whole photographs, so that patches see every alignment of the 8 x 8 blocks."""

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from restoration.datasets.photos import PackedPhotos, Places


@dataclass(frozen=True, kw_only=True)
class JPEG:
    """A baseline JPEG file of the photograph, decoded.

    Attributes:
        quality: libjpeg's 1 (worst) to 95.
        subsampling: of the colours, as libjpeg names it; 4:2:0 is its default.
    """

    quality: int = 25
    subsampling: str = "4:2:0"

    input_name: ClassVar[str] = "JPEG"
    margin: ClassVar[int] = 0
    records: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"JPEG quality runs from 1 to 95, got {self.quality}")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """(3, H, W) in [0, 1] -> the same, rounded to 8 bits, through a JPEG file; nothing random in it."""
        photo = (image * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        decoded = torch.from_numpy(self.record(photo)).to(image.device)
        return decoded.permute(2, 0, 1).to(image.dtype) / 255

    def record(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (H, W, 3) uint8, the decoded file."""
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=self.quality, subsampling=self.subsampling)
        return np.array(Image.open(file))

    def patches(
        self, clean: PackedPhotos, recorded: PackedPhotos, places: Places, size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Crops of the decoded files and of the photographs."""
        return recorded.crop(places, size).float() / 255, clean.crop(places, size).float() / 255
