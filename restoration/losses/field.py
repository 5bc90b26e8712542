"""Losses other than the paper's. The contract is that of `paper.py`, for images of any height and width.

An attribute `declares` gives reasons for faults that belong to a loss's definition, by probe of the report card
(`restoration.check`).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.losses.gaussians import gaussian_mean
from restoration.losses.paper import C1, C2, _checked

WANG = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents of the scales: Wang et al., 2003
LOWEST = 0.1  # mean cs below which log cs is continued as a straight line


class CharbonnierLoss(nn.Module):
    """Mean sqrt(d^2 + eps^2) - eps with d = x - y: L1 that is smooth for |d| below eps (Lai et al., 2017)."""

    def __init__(self, eps: float = 1e-3):
        super().__init__()
        self.eps = _positive("eps", eps)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        x, y = _checked(restored, target)
        square = (x - y).square()
        return (square / ((square + self.eps**2).sqrt() + self.eps)).mean()


class RMSELoss(nn.Module):
    """sqrt(MSE + eps^2) - eps of each image; eps keeps the gradient finite for an exact image."""

    def __init__(self, eps: float = 1e-4):
        super().__init__()
        self.eps = _positive("eps", eps)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        mse = _mse(restored, target)
        return (mse / ((mse + self.eps**2).sqrt() + self.eps)).mean()


class PSNRLoss(nn.Module):
    """10 log10(1 + MSE / floor) of each image: with floor = 1e-8 nearly 80 dB - PSNR."""

    def __init__(self, floor: float = 1e-8):
        super().__init__()
        self.floor = _positive("floor", floor)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return 10 / math.log(10) * torch.log1p(_mse(restored, target) / self.floor).mean()


class PyramidMSSSIMLoss(nn.Module):
    """1 - MS-SSIM by Wang's pyramid, per channel: an 11 x 11 Gaussian of sigma 1.5, scales by means of 2 x 2 pixels.

    A negative mean cs, as in a photographic negative, has no real power. Below cs = 0.1, log cs is continued as a
    straight line, so that the gradient stays finite. An odd side is mirrored at its end.

    Args:
        scales: 5 as published, for sides of at least 161 pixels. Patches of 31 pixels have room for 2; the exponents of
            fewer scales are divided by their sum.
    """

    def __init__(self, scales: int = len(WANG)):
        super().__init__()
        if not 1 <= scales <= len(WANG):
            raise ValueError(f"scales must be from 1 to {len(WANG)}, got {scales}")
        self.scales = scales
        total = sum(WANG[:scales]) if scales < len(WANG) else 1.0  # the published exponents sum to 1.0001
        self.exponents = tuple(weight / total for weight in WANG[:scales])

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        x, y = _checked(restored, target)
        smallest = 10 * 2 ** (self.scales - 1) + 1
        if min(x.shape[2:]) < smallest:
            raise ValueError(
                f"{self.scales} scales need sides of at least {smallest} pixels, got {x.shape[2]}x{x.shape[3]}; "
                "take fewer scales"
            )
        total = x.new_zeros(())
        for scale, exponent in enumerate(self.exponents):
            if scale:
                x, y = (functional.avg_pool2d(image, 2, ceil_mode=True) for image in (x, y))
            lost = _one_minus_ssim(x, y, luminance=scale == self.scales - 1)
            total = total + exponent * _log_of_rest(lost.mean(dim=(2, 3)))
        return -torch.expm1(total).mean()


class EdgeLoss(nn.Module):
    """L1 of the differences between neighbouring pixels, along both axes."""

    declares: ClassVar[Mapping[str, str]] = {
        "brightness": "differences between neighbours do not see a shift of all pixels",
        "hue": "differences between neighbours do not see a shift of a channel",
        "flat": "differences between neighbours are 0 in flat patches",
    }

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        x, y = _checked(restored, target)
        return _mean_step(x - y)


class TotalVariation(nn.Module):
    """Mean absolute difference between neighbouring pixels of the restored image: a term that ignores the target."""

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        x, _ = _checked(restored, target)
        return _mean_step(x)


class FFTLoss(nn.Module):
    """L1 of the real and imaginary parts of the orthonormal Fourier transform."""

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return torch.view_as_real(_spectrum(restored, target)).abs().mean()


class FocalFrequencyLoss(nn.Module):
    """Mean w |F(x) - F(y)|^2 with w = |F(x) - F(y)|^alpha, divided by its maximum (Jiang et al., 2021).

    The weights w are constants for the gradient. Each image and channel has its own maximum.
    """

    declares: ClassVar[Mapping[str, str]] = {
        "gradcheck": "the weights are constants for the gradient",
        "second derivative": "the weights are constants for the gradient",
    }

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = _positive("alpha", alpha)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        power = torch.view_as_real(_spectrum(restored, target)).square().sum(dim=-1)
        largest = power.detach().amax(dim=(2, 3), keepdim=True)
        weights = (power.detach() / largest.clamp(min=torch.finfo(power.dtype).tiny)) ** (self.alpha / 2)
        return (weights * power).mean()


def _mse(restored: Tensor, target: Tensor) -> Tensor:
    """The mean squared error of each image."""
    x, y = _checked(restored, target)
    return (x - y).square().mean(dim=(1, 2, 3))


def _mean_step(image: Tensor) -> Tensor:
    """Mean absolute difference between neighbours; both axes have the same weight."""
    return (image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean()) / 2


def _spectrum(restored: Tensor, target: Tensor) -> Tensor:
    x, y = _checked(restored, target)
    return torch.fft.fft2(x - y, norm="ortho")


def _one_minus_ssim(x: Tensor, y: Tensor, *, luminance: bool) -> Tensor:
    """1 - cs at each pixel, or 1 - l cs; in the difference form of `paper.ms_ssim`."""
    means = gaussian_mean(x, (1.5,), 11)
    s, d = x + y, x - y
    shift_s, shift_d = (image.mean(dim=(2, 3), keepdim=True).detach() for image in (s, d))
    s, d = s - shift_s, d - shift_d
    mu_s, mu_d, mean_ss, mean_dd = (means(image)[..., 0] for image in (s, d, s * s, d * d))
    variance_s, variance_d = mean_ss - mu_s * mu_s, mean_dd - mu_d * mu_d
    one_minus_cs = 2 * variance_d / (variance_s + variance_d + 2 * C2)
    if not luminance:
        return one_minus_cs
    mu_s, mu_d = mu_s + shift_s, mu_d + shift_d
    one_minus_l = 2 * mu_d * mu_d / (mu_s * mu_s + mu_d * mu_d + 2 * C1)
    return one_minus_cs + one_minus_l - one_minus_cs * one_minus_l


def _log_of_rest(lost: Tensor) -> Tensor:
    """log(1 - lost), continued as a straight line below 1 - lost = LOWEST."""
    inside = lost.clamp(max=1 - LOWEST)
    return torch.log1p(-inside) - (lost - inside) / LOWEST


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive, got {value}")
    return value
