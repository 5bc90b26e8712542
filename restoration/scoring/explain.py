"""Explains why another library gives another PSNR, SSIM or MS-SSIM for the same two images.

`explain` computes each value under the default settings of other libraries; these libraries are not needed. It starts
from our protocol, changes one setting after the other, and reports the difference of each change. The order is that of
the fields of `Settings`. If two settings interact, another order would give other differences.

Compared with scikit-image 0.26, torchmetrics 1.9, piq 0.8, pytorch-msssim 1.0 and kornia 0.9 in the tests.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.protocol import LUMA, Protocol
from restoration.scoring.ssim import MIN_SIDE, SCALE_WEIGHTS, precise

K1, K2 = 0.01, 0.03  # constants of SSIM: C1 = (K1 range)², C2 = (K2 range)²


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a metric is computed; the defaults are those of our protocol.

    Each value, except `border`, is the text that a table shows.

    Attributes:
        border: number of pixels that are left out at each edge.
    """

    colour: str = "RGB"
    border: int = 0
    smallest_error: str = "0"
    reduction: str = "none"
    window: str = "Gaussian 11x11, sigma 1.5"
    variance: str = "divided by n"
    edges: str = "whole windows only"
    range: str = "1"
    odd_sides: str = "last row or column repeated"
    channels: str = "mean of the channels' values"


LUMA_601 = "luma 16 to 235 (MATLAB's rgb2ycbcr)"
UNIFORM = "uniform 7x7"
UNBIASED = "divided by n - 1"
SHRUNK = "mean of f x f pixels, f = shorter side / 256, rounded"
MIRRORED, MIRRORED_LAST = "mirrored, a window at each pixel", "mirrored at the coarsest scale"
PEAK_255, OF_IMAGES = "255 for values in [0, 1]", "largest minus smallest value of the images"
CUT, ZEROS, REPEATED_FIRST = "cut off", "zeros before the first", "first row and column repeated, if one side is odd"
CHANNELS_FIRST = "mean of the channels at each scale"
PIQ_ERROR = "1e-8 is added to the mean squared error"

NAMES = {
    "colour": "colour",
    "border": "border in pixels",
    "smallest_error": "smallest error",
    "reduction": "downsampling",
    "window": "window",
    "variance": "variance",
    "edges": "padding",
    "range": "data range",
    "odd_sides": "odd sides",
    "channels": "channels",
}
OURS = Settings()
OUR_NAME = "restoration"
SHOWN = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}

# The settings of each library, for the metrics that the library has.
LIBRARIES: dict[str, dict[str, Settings]] = {
    "scikit-image": {
        "psnr": OURS,
        "ssim": Settings(window=UNIFORM, variance=UNBIASED),
    },
    "torchmetrics": {
        "psnr": OURS,  # data_range has no default in this library
        "ssim": Settings(edges=MIRRORED, range=OF_IMAGES),
        "ms_ssim": Settings(edges=MIRRORED_LAST, range=OF_IMAGES, odd_sides=CUT, channels=CHANNELS_FIRST),
    },
    "piq": {
        "psnr": Settings(smallest_error=PIQ_ERROR),
        "ssim": Settings(reduction=SHRUNK),
        "ms_ssim": Settings(odd_sides=REPEATED_FIRST),
    },
    "pytorch-msssim": {
        "ssim": Settings(range=PEAK_255),
        "ms_ssim": Settings(range=PEAK_255, odd_sides=ZEROS),
    },
    "pytorch-msssim, 0 to 255": {
        "ssim": OURS,
        "ms_ssim": Settings(odd_sides=ZEROS),
    },
    "kornia, 11x11": {
        "psnr": OURS,  # max_val and the window of SSIM have no default in this library
        "ssim": Settings(edges=MIRRORED),
    },
    "MATLAB-like luma": dict.fromkeys(SHOWN, Settings(colour=LUMA_601)),
    "MATLAB-like luma, border 4": dict.fromkeys(SHOWN, Settings(colour=LUMA_601, border=4)),
}


@dataclass(frozen=True)
class Step:
    """A value between our protocol and a library's.

    Attributes:
        setting: the setting that was changed, in words; empty for our own value.
        value: the metric after the change; NaN where the metric is not defined.
        difference: the value minus the value before the change.
    """

    library: str
    metric: str
    setting: str
    choice: str
    value: float
    difference: float


def explain(restored: Tensor, target: Tensor) -> list[Step]:
    """For each library and metric: our value, then one step for each setting that differs.

    Args:
        restored: (3, H, W), floating-point in [0, 1] or uint8.
        target: of the same shape and type.
    """
    prepare = Protocol().prepare
    pair = [image if image.is_floating_point() else image / 255 for image in (restored, target)]
    values = _Values(*(prepare(image).to(precise(image.device)) for image in pair))
    return [
        step
        for library, metrics in LIBRARIES.items()
        for metric, theirs in metrics.items()
        for step in _steps(library, metric, theirs, values)
    ]


def mean_steps(pairs: Sequence[Sequence[Step]]) -> list[Step]:
    """The means of the steps of several pairs of images."""
    count = len(pairs)
    return [
        replace(
            steps[0],
            value=sum(step.value for step in steps) / count,
            difference=sum(step.difference for step in steps) / count,
        )
        for steps in zip(*pairs, strict=True)
    ]


def differing(settings: Settings) -> list[str]:
    """The names of the fields that differ from our protocol, in the order in which they are changed."""
    return [field.name for field in fields(settings) if getattr(settings, field.name) != getattr(OURS, field.name)]


def _steps(library: str, metric: str, theirs: Settings, values: "_Values") -> Iterator[Step]:
    settings, value = OURS, values.of(metric, OURS)
    yield Step(library, metric, "", "", value, 0.0)
    for name in differing(theirs):
        settings = replace(settings, **{name: getattr(theirs, name)})
        before, value = value, values.of(metric, settings)
        yield Step(library, metric, NAMES[name], str(getattr(theirs, name)), value, value - before)


class _Values:
    """Values of one pair, each computed once.

    Args:
        restored: (1, 3, H, W) in [0, 1].
    """

    def __init__(self, restored: Tensor, target: Tensor):
        self.pair = restored, target
        self.known: dict[tuple[str, Settings], float] = {}

    def of(self, metric: str, settings: Settings) -> float:
        key = metric, settings
        if key not in self.known:
            x, y = (_chosen_pixels(image, settings) for image in self.pair)
            self.known[key] = float(FUNCTIONS[metric](x, y, settings))
        return self.known[key]


def psnr(x: Tensor, y: Tensor, settings: Settings) -> Tensor:
    """PSNR in dB of (1, C, H, W) images."""
    added = 1e-8 if settings.smallest_error == PIQ_ERROR else 0
    return -10 * (functional.mse_loss(x, y) + added).log10()


def ssim(x: Tensor, y: Tensor, settings: Settings) -> Tensor:
    """SSIM of (1, C, H, W) images."""
    if settings.reduction == SHRUNK:
        factor = max(1, round(min(x.shape[2:]) / 256))
        x, y = functional.avg_pool2d(x, factor), functional.avg_pool2d(y, factor)
    return _similarity(x, y, settings, mirrored=settings.edges == MIRRORED)[0].mean()


def ms_ssim(x: Tensor, y: Tensor, settings: Settings) -> Tensor:
    """Wang's five-scale MS-SSIM of (1, C, H, W) images; NaN with a side below 161 pixels."""
    if min(x.shape[2:]) < MIN_SIDE:
        return x.new_tensor(torch.nan)
    last, factors = len(SCALE_WEIGHTS) - 1, []
    for scale in range(last + 1):
        mirrored = settings.edges == MIRRORED_LAST and scale == last
        values, contrasts = _similarity(x, y, settings, mirrored=mirrored)
        factors.append(values if scale == last else contrasts)
        x, y = _halved(x, settings), _halved(y, settings)
    by_scale = torch.stack(factors)  # (scales, C)
    if settings.channels == CHANNELS_FIRST:
        by_scale = by_scale.mean(dim=1, keepdim=True)
    weights = by_scale.new_tensor(SCALE_WEIGHTS)[:, None]
    return (by_scale.clamp_min(0) ** weights).prod(dim=0).mean()


FUNCTIONS: dict[str, Callable[[Tensor, Tensor, Settings], Tensor]] = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}


def _chosen_pixels(image: Tensor, settings: Settings) -> Tensor:
    border = settings.border
    image = image[..., border : image.shape[2] - border, border : image.shape[3] - border]
    if settings.colour == LUMA_601:
        image = (16 + 219 * torch.einsum("nchw,c->nhw", image, image.new_tensor(LUMA))[:, None]) / 255
    return image


def _similarity(x: Tensor, y: Tensor, settings: Settings, *, mirrored: bool) -> tuple[Tensor, Tensor]:
    """Means of SSIM and of its factor cs of each channel, (C,) each; for cs, windows must lie inside the image."""
    window = _window(settings, x)
    unbiased = window.numel() ** 2 / (window.numel() ** 2 - 1) if settings.variance == UNBIASED else 1.0
    data_range = {PEAK_255: 255.0, OF_IMAGES: max(float(image.max() - image.min()) for image in (x, y))}
    c1, c2 = ((k * data_range.get(settings.range, 1.0)) ** 2 for k in (K1, K2))
    if mirrored:
        x, y = (functional.pad(image, [len(window) // 2] * 4, mode="reflect") for image in (x, y))

    def mean(image: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(image, window[None, None, :, None]), window[None, None, None])[0, 0]

    values, contrasts = [], []
    for a, b in zip(x.split(1, dim=1), y.split(1, dim=1), strict=True):
        mu_a, mu_b = mean(a), mean(b)
        variances = unbiased * (mean(a * a + b * b) - mu_a.square() - mu_b.square())
        covariance = unbiased * (mean(a * b) - mu_a * mu_b)
        cs = (2 * covariance + c2) / (variances + c2)
        values.append((cs * (2 * mu_a * mu_b + c1) / (mu_a.square() + mu_b.square() + c1)).mean())
        contrasts.append(cs.mean())
    return torch.stack(values), torch.stack(contrasts)


def _window(settings: Settings, like: Tensor) -> Tensor:
    """The weights of a row, of sum 1."""
    if settings.window == UNIFORM:
        return like.new_full((7,), 1 / 7)
    weights = (-torch.arange(-5, 6).to(like).square() / (2 * 1.5**2)).exp()
    return weights / weights.sum()


def _halved(image: Tensor, settings: Settings) -> Tensor:
    """Means of 2 x 2 pixels."""
    odd_rows, odd_columns = (length % 2 for length in image.shape[2:])
    if settings.odd_sides == ZEROS:
        image = functional.pad(image, (odd_columns, 0, odd_rows, 0))
    elif settings.odd_sides == REPEATED_FIRST:
        any_odd = max(odd_rows, odd_columns)
        image = functional.pad(image, (any_odd, 0, any_odd, 0), mode="replicate")
    elif settings.odd_sides != CUT:
        image = functional.pad(image, (0, odd_columns, 0, odd_rows), mode="replicate")
    return functional.avg_pool2d(image, 2)  # leaves out an odd row or column
