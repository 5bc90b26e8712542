"""SSIM (Wang et al. 2004) and the five scales of MS-SSIM (Wang et al. 2003), in float64 and bounded memory.

Statistics are those of an 11 x 11 Gaussian of sigma 1.5, at the positions where it lies inside the image, per channel.
"""

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.filters import filtered, gaussian

WINDOW = 11  # pixels
GAUSSIAN = gaussian(1.5, WINDOW // 2)
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang's exponents, finest scale first
MIN_SIDE = 161  # least side of an image in pixels: after four halvings the window must still fit
STRIP = 32  # rows of window positions that are computed at once: limits memory and fits into the cache


def precise(device: torch.device) -> torch.dtype:
    """float64; on MPS, which has no such type, float32.

    In float32, E[y²] - μy² of a bright flat region is wrong by C2 / 1000, IW-SSIM by up to 0.004, FSIM by up to 0.02.
    """
    return torch.float32 if device.type == "mps" else torch.float64


def similarity_of_scales(restored: Tensor, target: Tensor) -> Tensor:
    """Means of SSIM and of its factor cs, (scales, 2, N, C); one scale only for an image with a side below 161 pixels.

    Args:
        restored: (N, C, H, W) in [0, 1].
        target: (1, C, H, W) in [0, 1].
    """
    scales = [similarity(restored, target)]
    if min(target.shape[2:]) >= MIN_SIDE:
        for _ in SCALE_WEIGHTS[1:]:
            restored, target = _halved(restored), _halved(target)
            scales.append(similarity(restored, target))
    return torch.stack(scales)


def similarity(restored: Tensor, target: Tensor) -> Tensor:
    """Means over all window positions of SSIM and of its factor cs, (2, N, C)."""
    dtype = precise(target.device)
    rows, columns = (length - WINDOW + 1 for length in target.shape[2:])
    sums = torch.zeros(2, *restored.shape[:2], dtype=dtype, device=target.device)
    for top in range(0, rows, STRIP):
        strip = slice(top, top + STRIP + WINDOW - 1)
        luminance, cs = similarity_maps(restored[:, :, strip].to(dtype), target[:, :, strip].to(dtype))
        sums += torch.stack([(luminance * cs).sum(dim=(2, 3)), cs.sum(dim=(2, 3))])
    return sums / (rows * columns)


def similarity_maps(x: Tensor, y: Tensor, *, peak: float = 1.0) -> tuple[Tensor, Tensor]:
    """SSIM's factors l and cs at every window position, (..., H - 10, W - 10) each, of images in [0, peak].

    In terms of the difference d = x - y, so that equal images give exactly 1:
    l = 1 - μd² / (μx² + μy² + C1) and cs = 1 - σd² / (σx² + σy² + C2), where σx² = σy² + 2 σyd + σd².
    """

    def mean(image: Tensor) -> Tensor:
        return filtered(image, GAUSSIAN)

    d = x - y
    mu_y, mu_d = mean(y), mean(d)
    var_y, var_d = mean(y.square()) - mu_y.square(), mean(d.square()) - mu_d.square()
    cov_yd = mean(y * d) - mu_y * mu_d
    luminance = 1 - mu_d.square() / ((mu_y + mu_d).square() + mu_y.square() + (0.01 * peak) ** 2)
    cs = 1 - var_d / (2 * (var_y + cov_yd) + var_d + (0.03 * peak) ** 2)
    return luminance, cs


def _halved(images: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; an odd side is first mirrored at its end, which repeats the last row or column.

    As in Wang's code, where `imfilter` takes means of 2 x 2 pixels with a mirrored edge, and every second one is kept.
    """
    height, width = images.shape[2:]
    mirrored = functional.pad(images, (0, width % 2, 0, height % 2), mode="replicate")
    return functional.avg_pool2d(mirrored, 2)
