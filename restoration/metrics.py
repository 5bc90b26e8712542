"""The rows of the paper's tables, computed by piq on what `protocol.prepare` returns.

Every metric takes (1, C, H, W) restored and target in [0, 1] and gives one number. In float32, piq's SSIM of an
ordinary photograph is within 1e-5 of float64; large flat bright areas cost more (5e-5 on Kodak's kodim20, a white sky).
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import piq
from torch import Tensor

WANG = {"kernel_size": 11, "kernel_sigma": 1.5, "data_range": 1.0}
LARGE = 4_000_000  # pixels
MS_SSIM_MIN_SIDE = 161  # four halvings of less would leave no room for the 11 x 11 window


@dataclass(frozen=True)
class Metric:
    """A row of a table: `value` of a pair, shown times `shown_times` with `digits` decimals."""

    title: str
    value: Callable[[Tensor, Tensor], float]
    higher_is_better: bool
    digits: int
    shown_times: float = 1.0

    def shown(self, value: float) -> str:
        """The value as a table shows it."""
        return f"{value * self.shown_times:.{self.digits}f}"


def psnr(restored: Tensor, target: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, infinite for equal images."""
    error = mean_squared_error(restored, target)
    return -10 * math.log10(error) if error else math.inf


def mean_squared_error(restored: Tensor, target: Tensor) -> float:
    return float((restored - target).square().mean())


def mean_absolute_error(restored: Tensor, target: Tensor) -> float:
    return float((restored - target).abs().mean())


def ssim(restored: Tensor, target: Tensor) -> float:
    """SSIM with an 11 x 11 Gaussian of sigma 1.5 at full resolution."""
    return _mean_over_channels(partial(piq.ssim, **WANG, downsample=False), restored, target)


def ms_ssim(restored: Tensor, target: Tensor) -> float:
    """Wang's five-scale MS-SSIM; not a number where the image is smaller than 161 pixels."""
    if min(restored.shape[-2:]) < MS_SSIM_MIN_SIDE:
        return math.nan
    return _mean_over_channels(partial(piq.multi_scale_ssim, **WANG), restored, target)


def _mean_over_channels(metric: Callable[[Tensor, Tensor], Any], restored: Tensor, target: Tensor) -> float:
    """piq's own mean over channels; of large images one channel after the other, with a third of the memory."""
    at_once = 1 if restored[0, 0].numel() > LARGE else restored.shape[1]
    pairs = zip(restored.split(at_once, dim=1), target.split(at_once, dim=1), strict=True)
    return statistics.mean(float(metric(x, y)) for x, y in pairs)


METRICS = {
    "l2": Metric("1000 L2", mean_squared_error, higher_is_better=False, digits=3, shown_times=1000),
    "psnr": Metric("PSNR (dB)", psnr, higher_is_better=True, digits=2),
    "l1": Metric("1000 L1", mean_absolute_error, higher_is_better=False, digits=2, shown_times=1000),
    "ssim": Metric("SSIM", ssim, higher_is_better=True, digits=4),
    "ms_ssim": Metric("MS-SSIM", ms_ssim, higher_is_better=True, digits=4),
}


def score(restored: Tensor, target: Tensor) -> dict[str, float]:
    """Every metric of a prepared pair by name."""
    return {name: metric.value(restored, target) for name, metric in METRICS.items()}
