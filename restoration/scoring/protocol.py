"""How a restored image is compared with the truth. No number is printed without its protocol."""

from dataclasses import dataclass

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # BT.601, full range


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What happens to both images before a metric sees them: clamp, round to 8 bits, colour, border crop.

    Attributes:
        colour: "rgb", all three channels; or "y", full-range BT.601 luma.
        border: pixels left out at each edge.
    """

    colour: str = "rgb"
    border: int = 0

    def __post_init__(self) -> None:
        if self.colour not in ("rgb", "y"):
            raise ValueError(f"protocol colour is rgb or y, got {self.colour}")
        if self.border < 0:
            raise ValueError(f"protocol border is a number of pixels, got {self.border}")

    def prepare(self, image: Tensor) -> Tensor:
        """(3, H, W) of any range -> (1, C, h, w) in [0, 1], as a metric compares it."""
        image = image.clone(memory_format=torch.contiguous_format).clamp_(0, 1).mul_(255).round_().div_(255)
        if self.colour == "y":
            image = (image * image.new_tensor(LUMA)[:, None, None]).sum(dim=0, keepdim=True)
        height, width = image.shape[1:]
        return image[None, :, self.border : height - self.border, self.border : width - self.border]

    def __str__(self) -> str:
        colour = "RGB" if self.colour == "rgb" else "luma (BT.601)"
        border = f"{self.border} px border left out" if self.border else "whole image"
        return (
            f"clamped, rounded to 8 bits, {colour}, {border}; SSIM: 11x11 Gaussian, sigma 1.5, full resolution; "
            "MS-SSIM: Wang's five-scale pyramid; mean over images"
        )
