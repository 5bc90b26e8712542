"""Baselines: restoration without a trained network, for comparison with the networks, as in the paper.

A baseline gets a photograph and the generator of its noise, (3, H, W) in [0, 1], degrades it as the task does, and
restores the low-resolution file or the noisy mosaic. The network's input is an interpolation of the same data.

- bicubic: enlargement of the low-resolution file, with Pillow's kernel (a = -0.5).
- malvar, menon: demosaicking of the noisy mosaic (Malvar et al. 2004, Menon et al. 2007), without denoising.
- bm3d: variance-stabilising transform, BM3D on each of the four half-size colour planes of the mosaic, exact unbiased
  inverse, then menon.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor
from torch.nn import functional

from restoration.errors import UserError
from restoration.tasks import Demosaic, SuperResolution, Task

Baseline = Callable[[Tensor, torch.Generator], Tensor]
Denoiser = Callable[[np.ndarray, float], np.ndarray]  # a plane, the deviation of its noise -> the plane without noise
DENOISING = 2  # version of `denoised`: stored results of other versions are not used
MENON = "demosaicing_CFA_Bayer_Menon2007"
LEVELS = 2049  # rows of the inverse transform's table, from 0 to 1; interpolated linearly
POINTS = 513  # points of the table's integral, over 8 standard deviations to both sides


def baselines_for(task: Task) -> Mapping[str, Baseline]:
    """The baselines of a task by name; JPEG has none."""
    if isinstance(task, SuperResolution):
        return {"bicubic": partial(_bicubic, task)}
    if isinstance(task, Demosaic):
        return {
            "malvar": partial(_demosaicked, task, "demosaicing_CFA_Bayer_Malvar2004"),
            "menon": partial(_demosaicked, task, MENON),
            "bm3d": partial(_denoised, task),
        }
    return {}


def bm3d() -> Denoiser:
    """BM3D, from an optional package."""
    return _imported("bm3d", "bm3d")


def menon(raw: np.ndarray) -> Tensor:
    """(H, W) mosaic of pattern RGGB -> (3, H, W) in [0, 1], by Menon's method."""
    return _coloured(raw, MENON)


def denoised(raw: np.ndarray, task: Demosaic, denoise: Denoiser) -> np.ndarray:
    """A noisy mosaic, (H, W) in [0, 1], of any size -> the denoised mosaic; `raw` itself if the task has no noise."""
    if task.a == task.b == 0:
        return raw
    transform = Anscombe(task.a, task.b)
    lowest, highest = transform.forward(np.array([0.0, 1.0]))
    clean = np.empty_like(raw)
    for plane in ((slice(row, None, 2), slice(column, None, 2)) for row in range(2) for column in range(2)):
        # BM3D's thresholds for the similarity of blocks are for values in about [0, 1]
        stabilised = (transform.forward(raw[plane]) - lowest) / (highest - lowest)
        mean = denoise(stabilised, float(1 / (highest - lowest)))
        clean[plane] = transform.inverse(mean * (highest - lowest) + lowest)
    return clean


@dataclass(frozen=True)
class Anscombe:
    """Generalised Anscombe transform of noise of variance a y + b, y in [0, 1], and its exact unbiased inverse.

    The transform f makes the variance nearly 1 at every level y, for a denoiser of constant noise. The denoiser returns
    the mean E[f(z) | y] of noisy values z, not f(y): the inverse looks it up in a table (Mäkitalo and Foi 2013). Their
    closed form approximates Poisson plus Gaussian noise; this table is integrated for the noise of this study, Gaussian
    of variance a y + b, then clipped to [0, 1]. A table without the clipping would make white seven 8-bit levels too
    dark (a = 0.005).
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if min(self.a, self.b) < 0 or self.a + self.b == 0:
            raise ValueError(f"the transform needs noise of a variance a y + b > 0, got a={self.a}, b={self.b}")

    def forward(self, noisy: np.ndarray) -> np.ndarray:
        """f(z) = 2/a sqrt(a z + 3/8 a² + b), of standard deviation about 1; for a = 0, z / sqrt(b)."""
        if self.a == 0:
            return noisy / self.b**0.5
        return 2 / self.a * np.sqrt(np.maximum(self.a * noisy + 0.375 * self.a**2 + self.b, 0))

    def inverse(self, mean: np.ndarray) -> np.ndarray:
        """The level y in [0, 1] with E[f(z) | y] = mean."""
        levels, means = self._table
        return np.interp(mean, means, levels)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Levels y, and E[f(z) | y]."""
        y = np.linspace(0, 1, LEVELS)
        sigma = np.maximum(np.sqrt(self.a * y + self.b), 1e-9)
        first, last = (np.clip(y + side * 8 * sigma, 0, 1) for side in (-1, 1))
        z = np.linspace(first, last, POINTS)
        density = np.exp(-(((z - y) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
        black, white = self.forward(np.array([0.0, 1.0]))
        clipped = black * ndtr(-y / sigma) + white * ndtr((y - 1) / sigma)
        return y, clipped + np.trapezoid(self.forward(z) * density, z, axis=0)


def _bicubic(task: SuperResolution, image: Tensor, generator: torch.Generator) -> Tensor:
    height, width = image.shape[1:]
    small = task.reduced(image * 255)[None]
    size = (task.scale * small.shape[2], task.scale * small.shape[3])
    # In an enlargement, antialias=True only selects Pillow's kernel (a = -0.5) instead of OpenCV's (a = -0.75).
    enlarged = functional.interpolate(small, size, mode="bicubic", antialias=True)[0]
    return enlarged[:, :height, :width].clamp(0, 255) / 255


def _demosaicked(task: Demosaic, method: str, image: Tensor, generator: torch.Generator) -> Tensor:
    return _coloured(task.mosaic(image, generator).numpy(), method)


def _denoised(task: Demosaic, image: Tensor, generator: torch.Generator) -> Tensor:
    return menon(denoised(task.mosaic(image, generator).double().numpy(), task, bm3d()))


def _coloured(raw: np.ndarray, method: str) -> Tensor:
    """(H, W) mosaic of pattern RGGB -> (3, H, W) in [0, 1]."""
    colours = _imported("colour_demosaicing", method)(raw, "RGGB")
    return torch.from_numpy(colours).float().permute(2, 0, 1).clamp(0, 1)


def _imported(module: str, name: str) -> Callable[..., np.ndarray]:
    """A function from an optional package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # colour-demosaicing imports SciPy in a deprecated way
            return getattr(import_module(module), name)
    except ImportError as error:
        raise UserError(
            f"this baseline needs {module}, which is not installed: .venv/bin/python -m pip install -e '.[baselines]' "
            "(bm3d is free for non-commercial use only)"
        ) from error
