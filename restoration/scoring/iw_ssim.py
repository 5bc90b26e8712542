"""IW-SSIM (Wang and Li 2011): SSIM on five scales, a mean over pixels with weights.

The weight of a pixel is the information that its neighbourhood carries.

The formula is that of piq 0.8. Values are float64, as in the authors' code. piq in float64 takes about
ten times as long and fails for flat photographs. The weights depend only on the true photograph, so all restored
versions share them. The image is processed in strips of rows to limit the memory.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.filters import filtered
from restoration.scoring.ssim import SCALE_WEIGHTS, WINDOW, similarity_maps

PEAK = 255  # values are 8-bit levels
NOISE = 0.4  # variance of the visual noise, in squared levels
STRIP = 128  # rows that are computed at once
BINOMIAL = [2**0.5 * weight / 16 for weight in (1, 4, 6, 4, 1)]
INSET = WINDOW // 2 - 1  # margin of the window minus the margin of a 3 x 3 block, in pixels


class InformationWeighted:
    """One true photograph, prepared once for all comparisons with it.

    Args:
        luma: (H, W) in [0, 1], at least 161 pixels a side.
    """

    def __init__(self, luma: Tensor):
        self.bands = _laplacian_pyramid(luma * PEAK)
        parents = [*self.bands[1:-1], None]  # the coarsest band has no parent
        self.contents = [_content(band, parent) for band, parent in zip(self.bands[:-1], parents, strict=True)]

    def value(self, luma: Tensor) -> Tensor:
        """IW-SSIM of a restored version, (H, W) in [0, 1]; NaN if the photograph is flat."""
        *bands, coarsest = _laplacian_pyramid(luma * PEAK)
        scales = [_weighted_cs(x, y, *content) for x, y, content in zip(bands, self.bands, self.contents, strict=False)]
        luminance, cs = similarity_maps(coarsest, self.bands[-1], peak=PEAK)
        values = torch.stack([*scales, (cs * luminance).mean()])
        weights = values.new_tensor(SCALE_WEIGHTS)
        return (values.abs() ** (weights / weights.sum())).prod()  # Wang's weights add up to 1.0001


def _weighted_cs(x: Tensor, y: Tensor, activity: Tensor, eigenvalues: Tensor) -> Tensor:
    """Mean of cs over a band, weighted by information."""
    total = weight = x.new_zeros(())
    activity = activity[INSET : len(activity) - INSET, INSET : activity.shape[1] - INSET]
    for first, last in _strips(len(activity)):
        rows = slice(first, last + WINDOW - 1)
        _, cs = similarity_maps(x[rows], y[rows], peak=PEAK)
        blocks = (slice(first + INSET, last + INSET + 2), slice(INSET, x.shape[1] - INSET))
        information = _information(x[blocks], y[blocks], activity[first:last], eigenvalues)
        total = total + (cs * information).sum()
        weight = weight + information.sum()
    return total / weight


def _information(x: Tensor, y: Tensor, activity: Tensor, eigenvalues: Tensor) -> Tensor:
    """Mutual information of image and percept, in bits, at every pixel except the outermost.

    Model: a restored block is `gain` times the true block plus noise of `variance`.
    """
    smallest = torch.finfo(x.dtype).eps
    mu_x, mu_y = _box(x), _box(y)
    var_x = (_box(x.square()) - mu_x.square()).clamp_min(0)
    var_y = (_box(y.square()) - mu_y.square()).clamp_min(0)
    cov = _box(x * y) - mu_x * mu_y
    gain = cov / (var_y + smallest)
    variance = torch.where(var_y < smallest, var_x, var_x - gain * cov).masked_fill(var_x < smallest, 0)
    gain = gain.masked_fill((var_y < smallest) | (var_x < smallest), 0)
    signal = (variance + (1 + gain.square()) * NOISE) * activity / NOISE**2
    bits = torch.zeros_like(signal)
    for eigenvalue in eigenvalues:
        bits += torch.log2(1 + variance / NOISE + signal * eigenvalue)
    return torch.where(bits < smallest, 0, bits)


def _content(y: Tensor, parent: Tensor | None) -> tuple[Tensor, Tensor]:
    """The part of the weights that depends on a band of the true photograph alone.

    A block is a pixel's 3 x 3 neighbourhood and, if the band has a parent, the parent's pixel.

    Returns:
        The squared Mahalanobis length of every block, per coefficient, (H - 2, W - 2), NaN if the blocks'
        covariance has no inverse; and the eigenvalues of this covariance.
    """
    enlarged = None if parent is None else _enlarged(_enlarged(parent).T).T[: y.shape[0], : y.shape[1]]
    count = (y.shape[0] - 2) * (y.shape[1] - 2)
    covariance = sum((blocks @ blocks.T for blocks in _blocks(y, enlarged)), start=y.new_zeros(())) / count
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    total, positive = eigenvalues.sum(), eigenvalues.clamp_min(0)
    eigenvalues = positive * total / positive.sum()
    invertible = eigenvalues[0] > torch.finfo(y.dtype).eps * eigenvalues[-1]
    whitening = torch.where(invertible, vectors / eigenvalues.sqrt(), torch.nan)
    activity = torch.cat([(whitening.T @ blocks).square().mean(dim=0) for blocks in _blocks(y, enlarged)])
    return activity.view(y.shape[0] - 2, y.shape[1] - 2), eigenvalues


def _blocks(y: Tensor, enlarged: Tensor | None) -> Iterator[Tensor]:
    """The coefficients of the blocks in each strip of rows, (9 or 10, pixels)."""
    width = y.shape[1] - 2
    for first, last in _strips(len(y) - 2):
        parts = [y[first + i : last + i, j : j + width] for i in range(3) for j in range(3)]
        if enlarged is not None:
            parts.append(enlarged[first + 1 : last + 1, 1:-1])
        yield torch.stack(parts).flatten(1)


def _laplacian_pyramid(image: Tensor) -> list[Tensor]:
    """Four bands of differences, finest first, and the remaining low-pass image."""
    bands = []
    for _ in SCALE_WEIGHTS[1:]:
        low = filtered(_mirrored(image), BINOMIAL, step=2)
        spread = image.new_zeros(2 * low.shape[0], 2 * low.shape[1])
        spread[::2, ::2] = low
        bands.append(image - filtered(_mirrored(spread), BINOMIAL)[: image.shape[0], : image.shape[1]])
        image = low
    return [*bands, image]


def _mirrored(image: Tensor) -> Tensor:
    """Adds two mirrored pixels at each edge."""
    return functional.pad(image[None], (2, 2, 2, 2), mode="reflect")[0]


def _enlarged(image: Tensor) -> Tensor:
    """Doubles the columns like the authors' code: a fourfold interpolation, of which every second column is kept."""
    finer = functional.interpolate(image[None], size=4 * image.shape[1] - 3, mode="linear")[0]
    left, right = 2 * finer[:, :1] - finer[:, 1:2], 2 * finer[:, -1:] - finer[:, -2:-1]
    return torch.cat([left, finer[:, 1::2], right], dim=1)


def _box(image: Tensor) -> Tensor:
    """Means of 3 x 3 pixels."""
    return functional.avg_pool2d(image[None], 3, stride=1)[0]


def _strips(rows: int) -> Iterator[tuple[int, int]]:
    for first in range(0, rows, STRIP):
        yield first, min(first + STRIP, rows)
