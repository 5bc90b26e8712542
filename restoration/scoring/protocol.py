"""Preparation of a restored and a true image before a metric compares them."""

from dataclasses import dataclass

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # weights of R, G and B (BT.601)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Both images are clamped to [0, 1], rounded to 8 bits and compared as RGB, without `border` pixels at each edge.

    Papers on super-resolution leave out a border of as many pixels as the scale.
    """

    border: int = 0

    def __post_init__(self) -> None:
        if self.border < 0:
            raise ValueError(f"protocol.border must be a number of pixels, 0 or more, got {self.border}")

    def prepare(self, image: Tensor) -> Tensor:
        """(3, H, W) of any float type and any range -> (1, 3, h, w) float32 in [0, 1], a new tensor."""
        image = image.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        image.clamp_(0, 1).mul_(255).round_().div_(255)
        height, width = image.shape[1:]
        return image[None, :, self.border : height - self.border, self.border : width - self.border]

    def __str__(self) -> str:
        border = f"{self.border} px border left out" if self.border else "whole image"
        return (
            f"clamped, rounded to 8 bits, RGB, {border}; SSIM: 11x11 Gaussian, sigma 1.5, full resolution; "
            "MS-SSIM: Wang's five-scale pyramid, odd sides mirrored at their end; mean over images"
        )
