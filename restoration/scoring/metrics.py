"""The metrics of the tables: N restored versions of one photograph and the photograph itself -> (N,) values.

PSNR is infinite for equal images. A value is NaN if the metric is not defined for an image: MS-SSIM and IW-SSIM with a
side below 161 pixels, IW-SSIM of a flat photograph. SSIM and MS-SSIM are those of the module `ssim`, per channel, then
averaged. IW-SSIM, GMSD and FSIM compare the luma 0.299 R + 0.587 G + 0.114 B, as their authors do; FSIMc adds colour.

PSNR-Y and SSIM-Y are those of super-resolution papers, from Y = 16 + 65.481 R + 128.553 G + 24.966 B (BT.601 as in
MATLAB's rgb2ycbcr, 16 to 235, not rounded) with a peak of 255.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.iw_ssim import InformationWeighted
from restoration.scoring.protocol import LUMA
from restoration.scoring.ssim import MIN_SIDE, SCALE_WEIGHTS, WINDOW, precise, similarity, similarity_of_scales


class Versions:
    """N restored versions of one photograph, the photograph, and terms that several metrics need.

    Args:
        restored: (N, 3, H, W), at least 11 x 11 pixels, as `Protocol.prepare` returns it.
        target: the photograph, (1, 3, H, W), prepared in the same way.
    """

    def __init__(self, restored: Tensor, target: Tensor):
        if min(target.shape[2:]) < WINDOW:
            size = "x".join(str(length) for length in target.shape[2:])
            raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels or more, got {size}; is protocol.border too wide?")
        self.restored = restored
        self.target = target

    @cached_property
    def squared_error(self) -> Tensor:
        """Mean over pixels and channels, (N,)."""
        return torch.stack([functional.mse_loss(image, self.target[0]) for image in self.restored])

    @cached_property
    def similarity(self) -> Tensor:
        """Means of SSIM and of its factor cs, (scales, 2, N, C)."""
        return similarity_of_scales(self.restored, self.target)

    @cached_property
    def luma(self) -> tuple[Tensor, Tensor]:
        """Luma of the versions, (N, 1, H, W), and of the photograph, (1, 1, H, W), in [0, 1]."""
        return _luma(self.restored), _luma(self.target)

    @cached_property
    def studio_luma(self) -> tuple[Tensor, Tensor]:
        """Luma from 16 to 235, divided by 255."""
        restored, target = ((16 + 219 * luma) / 255 for luma in self.luma)
        return restored, target

    @cached_property
    def feature_similarity(self) -> Tensor:
        """FSIM and FSIMc, (2, N)."""
        from restoration.scoring.fsim import features, fsim  # piq takes two seconds to import

        dtype = precise(self.target.device)
        truth = features(self.target.to(dtype))
        pairs = [torch.stack(fsim(features(image[None].to(dtype), like=truth), truth)) for image in self.restored]
        return torch.stack(pairs, dim=1)


def l2(images: Versions) -> Tensor:
    """Mean squared error."""
    return images.squared_error


def psnr(images: Versions) -> Tensor:
    """Peak signal-to-noise ratio in dB, infinite for equal images."""
    return -10 * images.squared_error.log10()


def l1(images: Versions) -> Tensor:
    """Mean absolute error."""
    return torch.stack([functional.l1_loss(image, images.target[0]) for image in images.restored])


def ssim(images: Versions) -> Tensor:
    """SSIM at full resolution."""
    return images.similarity[0, 0].mean(dim=1)


def ms_ssim(images: Versions) -> Tensor:
    """Wang's five-scale MS-SSIM; NaN with a side below 161 pixels."""
    if len(images.similarity) < len(SCALE_WEIGHTS):
        return torch.full_like(images.squared_error, torch.nan)
    factors = torch.cat([images.similarity[:-1, 1], images.similarity[-1:, 0]]).clamp_min(0)
    return torch.stack([factor**weight for factor, weight in zip(factors, SCALE_WEIGHTS, strict=True)]).prod(0).mean(1)


def iw_ssim(images: Versions) -> Tensor:
    """IW-SSIM; NaN with a side below 161 pixels, or for a flat photograph."""
    if min(images.target.shape[2:]) < MIN_SIDE:
        return torch.full_like(images.squared_error, torch.nan)
    restored, target = images.luma
    truth = InformationWeighted(target[0, 0])
    return torch.stack([truth.value(luma[0]) for luma in restored])


def gmsd(images: Versions) -> Tensor:
    """Gradient magnitude similarity deviation (Xue et al. 2014) of half-size luma, with piq's edges and constant."""
    from piq.functional import gradient_map, similarity_map

    restored, target = images.luma
    prewitt = target.new_tensor([[[1.0, 0.0, -1.0]] * 3]) / 3

    def gradient(luma: Tensor) -> Tensor:
        odd = max(length % 2 for length in luma.shape[2:])
        half = functional.avg_pool2d(functional.pad(luma, (0, odd, 0, odd)), 2)
        return gradient_map(half, torch.stack([prewitt, prewitt.mT]))

    truth = gradient(target)
    maps = (similarity_map(gradient(luma[None]), truth, constant=170 / 255**2) for luma in restored)
    return torch.stack([(quality - quality.mean()).square().mean().sqrt() for quality in maps])


def fsim(images: Versions) -> Tensor:
    """FSIM."""
    return images.feature_similarity[0]


def fsimc(images: Versions) -> Tensor:
    """FSIM with colour."""
    return images.feature_similarity[1]


def psnr_y(images: Versions) -> Tensor:
    """PSNR of luma from 16 to 235, infinite for equal luma."""
    restored, target = images.studio_luma
    return -10 * torch.stack([functional.mse_loss(luma, target[0]) for luma in restored]).log10()


def ssim_y(images: Versions) -> Tensor:
    """SSIM of luma from 16 to 235."""
    return similarity(*images.studio_luma)[0, :, 0]


FUNCTIONS: dict[str, Callable[[Versions], Tensor]] = {
    function.__name__: function
    for function in (l2, psnr, l1, ssim, ms_ssim, iw_ssim, gmsd, fsim, fsimc, psnr_y, ssim_y)
}


def _luma(images: Tensor) -> Tensor:
    """(N, 3, H, W) -> luma, (N, 1, H, W), in the type of `precise`."""
    red, green, blue = images.to(precise(images.device)).split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
