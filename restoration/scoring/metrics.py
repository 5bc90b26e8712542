"""The rows of the paper's tables, computed on what `protocol.prepare` returns.

Every metric compares N restored versions of one photograph with it, on their device, and gives (N,) values.

SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003) are defined as in piq: an 11 x 11 Gaussian of sigma 1.5 at the
positions where it lies inside the image, statistics per channel, means over positions, then over channels. IW-SSIM,
GMSD and FSIM compare the luma 0.299 R + 0.587 G + 0.114 B, as their authors do.

PSNR-Y and SSIM-Y are those of papers on super-resolution: of Y = 16 + 65.481 R + 128.553 G + 24.966 B (BT.601 as in
MATLAB's rgb2ycbcr, 16 to 235, not rounded) with a peak of 255. Many of these papers also leave out a border of as many
pixels as the scale: `protocol.border`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.artefacts import ARTEFACTS
from restoration.scoring.iw_ssim import MIN_SIDE as IW_SSIM_MIN_SIDE
from restoration.scoring.iw_ssim import InformationWeighted
from restoration.scoring.protocol import LUMA

WINDOW = 11  # pixels
SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang's exponents, finest scale first
MS_SSIM_MIN_SIDE = 161  # four halvings of less would leave no room for the window
TILE = 128  # window positions a side that are computed at once: bounds the memory, and stays in the cache


class Comparison:
    """Restored versions of one photograph beside it, and what several metrics of them share.

    Args:
        restored: (N, C, H, W) in [0, 1], at least 11 x 11 pixels.
        target: (1, C, H, W) in [0, 1].
    """

    def __init__(self, restored: Tensor, target: Tensor):
        if min(target.shape[2:]) < WINDOW:
            size = "x".join(str(length) for length in target.shape[2:])
            raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels or more, got {size}; is protocol.border too wide?")
        self.restored = restored
        self.target = target

    @cached_property
    def squared_error(self) -> Tensor:
        """Its mean over the image, (N,)."""
        return torch.stack([functional.mse_loss(image, self.target[0]) for image in self.restored])

    @cached_property
    def similarity(self) -> Tensor:
        """Means of SSIM and of its factor cs, (scales, 2, N, C): five scales, or one where they do not fit."""
        restored, target = self.restored, self.target
        scales = [_similarity(restored, target)]
        if min(target.shape[2:]) >= MS_SSIM_MIN_SIDE:
            for _ in SCALE_WEIGHTS[1:]:
                restored, target = _halved(restored), _halved(target)
                scales.append(_similarity(restored, target))
        return torch.stack(scales)

    @cached_property
    def luma(self) -> tuple[Tensor, Tensor]:
        """Of the versions, (N, 1, H, W), and of the photograph, (1, 1, H, W), in [0, 1]; precise."""
        return _luma(self.restored), _luma(self.target)

    @cached_property
    def studio_luma(self) -> tuple[Tensor, Tensor]:
        """The luma from 16 to 235, divided by 255; not a number where there is one channel only."""
        if self.target.shape[1] == 1:
            return torch.full_like(self.luma[0], torch.nan), torch.full_like(self.luma[1], torch.nan)
        restored, target = ((16 + 219 * luma) / 255 for luma in self.luma)
        return restored, target

    @cached_property
    def feature_similarity(self) -> Tensor:
        """FSIM and FSIMc, (2, N)."""
        from restoration.scoring.fsim import features, fsim  # piq takes two seconds to load: not in every command

        dtype = precise(self.target.device)
        truth = features(self.target.to(dtype))
        pairs = [torch.stack(fsim(features(image[None].to(dtype), like=truth), truth)) for image in self.restored]
        return torch.stack(pairs, dim=1)


@dataclass(frozen=True)
class Metric:
    """A row of a table: `value` of a comparison, shown times `shown_times` with `digits` decimals."""

    title: str
    value: Callable[[Comparison], Tensor]
    higher_is_better: bool
    digits: int
    shown_times: float = 1.0

    def shown(self, value: float) -> str:
        """The value as a table shows it."""
        return f"{value * self.shown_times:.{self.digits}f}"


def mean_squared_error(images: Comparison) -> Tensor:
    return images.squared_error


def psnr(images: Comparison) -> Tensor:
    """Peak signal-to-noise ratio in dB, infinite for equal images."""
    return -10 * images.squared_error.log10()


def mean_absolute_error(images: Comparison) -> Tensor:
    return torch.stack([functional.l1_loss(image, images.target[0]) for image in images.restored])


def ssim(images: Comparison) -> Tensor:
    """SSIM at full resolution."""
    return images.similarity[0, 0].mean(dim=1)


def ms_ssim(images: Comparison) -> Tensor:
    """Wang's five-scale MS-SSIM; not a number where a side of the image is shorter than 161 pixels."""
    if len(images.similarity) < len(SCALE_WEIGHTS):
        return torch.full_like(images.squared_error, torch.nan)
    factors = torch.cat([images.similarity[:-1, 1], images.similarity[-1:, 0]]).clamp_min(0)
    return torch.stack([factor**weight for factor, weight in zip(factors, SCALE_WEIGHTS, strict=True)]).prod(0).mean(1)


def iw_ssim(images: Comparison) -> Tensor:
    """IW-SSIM; not a number where a side is shorter than 161 pixels, or where the photograph is flat."""
    if min(images.target.shape[2:]) < IW_SSIM_MIN_SIDE:
        return torch.full_like(images.squared_error, torch.nan)
    restored, target = images.luma
    truth = InformationWeighted(target[0, 0])
    return torch.stack([truth.value(luma[0]) for luma in restored])


def gmsd(images: Comparison) -> Tensor:
    """Gradient magnitude similarity deviation (Xue et al. 2014), on a half-size luma."""
    from piq import gmsd as of_pair

    restored, target = images.luma
    return torch.stack([of_pair(luma[None], target) for luma in restored])


def fsim(images: Comparison) -> Tensor:
    return images.feature_similarity[0]


def fsimc(images: Comparison) -> Tensor:
    """FSIM with colour; not a number where there is one channel only."""
    return images.feature_similarity[1]


def psnr_y(images: Comparison) -> Tensor:
    restored, target = images.studio_luma
    return -10 * torch.stack([functional.mse_loss(luma, target[0]) for luma in restored]).log10()


def ssim_y(images: Comparison) -> Tensor:
    return _similarity(*images.studio_luma)[0, :, 0]


def _of_images(measure: Callable[[Tensor, Tensor], Tensor], images: Comparison) -> Tensor:
    return measure(images.restored, images.target)


METRICS = {
    "l2": Metric("1000 L2", mean_squared_error, higher_is_better=False, digits=3, shown_times=1000),
    "psnr": Metric("PSNR (dB)", psnr, higher_is_better=True, digits=2),
    "l1": Metric("1000 L1", mean_absolute_error, higher_is_better=False, digits=2, shown_times=1000),
    "ssim": Metric("SSIM", ssim, higher_is_better=True, digits=4),
    "ms_ssim": Metric("MS-SSIM", ms_ssim, higher_is_better=True, digits=4),
    "iw_ssim": Metric("IW-SSIM", iw_ssim, higher_is_better=True, digits=4),
    "gmsd": Metric("GMSD", gmsd, higher_is_better=False, digits=4),
    "fsim": Metric("FSIM", fsim, higher_is_better=True, digits=4),
    "fsimc": Metric("FSIMc", fsimc, higher_is_better=True, digits=4),
    "psnr_y": Metric("PSNR-Y (dB)", psnr_y, higher_is_better=True, digits=2),
    "ssim_y": Metric("SSIM-Y", ssim_y, higher_is_better=True, digits=4),
}
MEASURES: dict[str, Callable[[Comparison], Tensor]] = {
    **{name: metric.value for name, metric in METRICS.items()},
    **{name: partial(_of_images, measure) for name, (_, measure) in ARTEFACTS.items()},
}  # all that a test set is scored with; artefacts do not stand in the tables
QUICK = ("l2", "psnr", "l1", "ssim", "ms_ssim")  # what a training shows; the others cost several times as much
NOTE = (
    "IW-SSIM, GMSD, FSIM: as piq 0.8, on luma; PSNR-Y, SSIM-Y: on luma from 16 to 235 as MATLAB's rgb2ycbcr, peak 255"
)


def score(restored: Tensor, target: Tensor, *, metrics: Iterable[str] = MEASURES) -> list[dict[str, float]]:
    """Measures by name, for each of (N, C, H, W) prepared versions of a prepared photograph (1, C, H, W)."""
    images = Comparison(restored, target)
    names = list(metrics)
    values = torch.stack([MEASURES[name](images).to(precise(target.device)) for name in names])
    return [dict(zip(names, column, strict=True)) for column in values.T.tolist()]


def precise(device: torch.device) -> torch.dtype:
    """float64; on MPS, which has no such type, float32.

    In float32, E[y²] - μy² of a bright flat region is wrong by C2 / 1000, IW-SSIM by up to 0.004, FSIM by up to 0.02.
    """
    return torch.float32 if device.type == "mps" else torch.float64


def _luma(images: Tensor) -> Tensor:
    """(N, 3 or 1, H, W) -> (N, 1, H, W); one channel is luma already."""
    precisely = images.to(precise(images.device))
    if images.shape[1] == 1:
        return precisely
    red, green, blue = precisely.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _similarity(restored: Tensor, target: Tensor) -> Tensor:
    """Means over all window positions of SSIM and of its factor cs, (2, N, C)."""
    dtype = precise(target.device)
    rows, columns = (length - WINDOW + 1 for length in target.shape[2:])
    window = _window_matrix(TILE, dtype, target.device)
    sums = torch.zeros(2, *restored.shape[:2], dtype=dtype, device=target.device)
    for top in range(0, rows, TILE):
        for left in range(0, columns, TILE):
            tile = (..., slice(top, top + TILE + WINDOW - 1), slice(left, left + TILE + WINDOW - 1))
            y = target[tile].to(dtype)
            sums += _summed_similarity(restored[tile].to(dtype) - y, y, window)
    return sums / (rows * columns)


def _summed_similarity(d: Tensor, y: Tensor, window: Tensor) -> Tensor:
    """Sums over a tile's window positions of SSIM and of its factor cs, (2, N, C).

    With the difference d = x - y, both factors of SSIM are 1 minus what vanishes with d, so that equal images give
    exactly 1: l = 1 - μd² / (μx² + μy² + C1) and cs = 1 - σd² / (σx² + σy² + C2), where σx² = σy² + 2 σyd + σd².
    """
    height, width = (length - WINDOW + 1 for length in y.shape[2:])
    down, across = window[:height, : height + WINDOW - 1], window[:width, : width + WINDOW - 1].T

    def mean(image: Tensor) -> Tensor:
        return down @ image @ across

    mu_y, mu_d = mean(y), mean(d)
    var_y, var_d = mean(y.square()) - mu_y.square(), mean(d.square()) - mu_d.square()
    cov_yd = mean(y * d) - mu_y * mu_d
    luminance = 1 - mu_d.square() / ((mu_y + mu_d).square() + mu_y.square() + C1)
    cs = 1 - var_d / (2 * (var_y + cov_yd) + var_d + C2)
    return torch.stack([(luminance * cs).sum(dim=(2, 3)), cs.sum(dim=(2, 3))])


def _window_matrix(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(size, size + 10): row i holds the Gaussian's weights, of sum 1, from column i on."""
    start = torch.arange(size, device=device)[:, None]
    offset = torch.arange(size + WINDOW - 1, device=device) - start - WINDOW // 2
    weights = (-offset.to(dtype).square() / (2 * SIGMA**2)).exp() * (offset.abs() <= WINDOW // 2)
    return weights / weights.sum(dim=1, keepdim=True)


def _halved(images: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; where a side is odd, piq first repeats the top row and the left column of any image."""
    odd = max(length % 2 for length in images.shape[2:])
    padded = functional.pad(images, (odd, 0, odd, 0), mode="replicate") if odd else images
    return functional.avg_pool2d(padded, 2)
