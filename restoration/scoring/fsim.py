"""FSIM and FSIMc (Zhang et al. 2011): similarity of phase congruency and gradients, and of colour.

piq 0.8's functions and constants, in float64: in float32 a flat photograph is wrong by 0.02. `piq.fsim` itself takes
three times as long, because it computes all features for each metric of each pair, and its checks wait for the GPU.
"""

from dataclasses import dataclass

import torch
from piq.fsim import _construct_filters, _phase_congruency  # private pieces of piq.fsim, which a test compares
from piq.functional import gradient_map, rgb2yiq, scharr_filter, similarity_map
from torch import Tensor
from torch.nn import functional

WORKING_SIDE = 256  # pixels: images are reduced by an integer so that the shorter side is near this size
CONGRUENCY, GRADIENT, COLOUR, COLOUR_EXPONENT = 0.85, 160, 200, 0.03  # T1, T2, T3 = T4 and lambda of the paper


@dataclass(frozen=True)
class Features:
    """Phase congruency and gradient, (1, 1, h, w) each, and the two colour planes, (1, 2, h, w)."""

    congruency: Tensor
    gradient: Tensor
    colours: Tensor
    filters: Tensor  # filters in frequency space: the same for all images of one size


def features(image: Tensor, *, like: Features | None = None) -> Features:
    """The features of (1, 3, H, W) in [0, 1], at reduced size; reuses the filters of `like`, an image of equal size."""
    pooled = functional.avg_pool2d(image * 255, max(1, round(min(image.shape[2:]) / WORKING_SIDE)))
    planes = rgb2yiq(pooled)
    luma = planes[:, :1]
    scharr = scharr_filter().to(luma)
    filters = like.filters if like else _construct_filters(luma)
    return Features(
        _phase_congruency(luma, filters),
        gradient_map(luma, torch.stack([scharr, scharr.mT])),
        planes[:, 1:],
        filters,
    )


def fsim(x: Features, y: Features) -> tuple[Tensor, Tensor]:
    """FSIM and FSIMc of a restored version and its photograph."""
    weight = torch.maximum(x.congruency, y.congruency)
    similarity = similarity_map(x.congruency, y.congruency, CONGRUENCY) * similarity_map(
        x.gradient, y.gradient, GRADIENT
    )
    plain = (similarity * weight).sum() / weight.sum()
    colour = similarity_map(x.colours, y.colours, COLOUR).prod(dim=1, keepdim=True).abs() ** COLOUR_EXPONENT
    return plain, (similarity * colour * weight).sum() / weight.sum()
