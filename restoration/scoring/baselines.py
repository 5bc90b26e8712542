"""What photographs are restored with where no network is: the columns that the paper compares its networks with.

A baseline gets a photograph and the generator of its noise, (3, H, W) in [0, 1], degrades it as the task does, to the
very same low-resolution file or noisy mosaic that the network's input is interpolated from, and restores that.

- bicubic: enlargement of the low-resolution file, with Pillow's kernel (a = -0.5).
- malvar, menon: demosaicking of the noisy mosaic (Malvar et al. 2004, Menon et al. 2007), no denoising.
- bm3d: generalised Anscombe transform, BM3D on each of the four half-size colour planes of the mosaic, exact unbiased
  inverse, then menon.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from restoration.datasets.photos import PackedSet
from restoration.errors import UserError
from restoration.scoring.anscombe import Anscombe
from restoration.scoring.evaluate import Score, noise_of
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score_versions
from restoration.study.runs import Run, baseline_run, read_own_scores, write_scores
from restoration.tasks import Demosaic, SuperResolution, Task

Baseline = Callable[[Tensor, torch.Generator], Tensor]
DENOISING = 2  # counts the ways in which `denoised` has worked, so that nothing made by an earlier one is kept
MENON = "demosaicing_CFA_Bayer_Menon2007"
Denoiser = Callable[[np.ndarray, float], np.ndarray]  # a plane, its noise's standard deviation


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


def score_baselines(
    like: Run, task: Task, photos: PackedSet, scoring: dict[str, Any], *, protocol: Protocol, device: torch.device
) -> Iterator[str]:
    """Scores what is not scored yet of a task's baselines on the test sets; yields after every photograph.

    What has been scored is written at once and kept for all runs that are scored in the same way.

    Args:
        like: one of these runs.
        scoring: all that its scores depend on, but for the network.
    """
    for name, baseline in baselines_for(task).items():
        run = baseline_run(like, name, scoring)
        scores = {test_set: [] for test_set in photos.test} | read_own_scores(run)
        for test_set, test in photos.test.items():
            scored = {score.image for score in scores[test_set]}
            for index, image in enumerate(test.names):
                if image not in scored:
                    truth = test.image(index)
                    restored = baseline(truth, noise_of(image)).to(device)
                    values = score_versions([restored], truth.to(device), protocol=protocol)[:, 0].tolist()
                    scores[test_set] += [
                        Score(name, image, metric, value) for metric, value in zip(ALL_METRICS, values, strict=True)
                    ]
                    write_scores(run, scores, scoring)
                yield f"{name} on {test_set}"


def _bicubic(task: SuperResolution, image: Tensor, generator: torch.Generator) -> Tensor:
    height, width = image.shape[1:]
    small = task.reduced(image * 255)[None]
    size = (task.scale * small.shape[2], task.scale * small.shape[3])
    # When enlarging, antialiasing blurs nothing: it only selects Pillow's kernel instead of OpenCV's (a = -0.75).
    enlarged = functional.interpolate(small, size, mode="bicubic", antialias=True)[0]
    return enlarged[:, :height, :width].clamp(0, 255) / 255


def _demosaicked(task: Demosaic, method: str, image: Tensor, generator: torch.Generator) -> Tensor:
    return _coloured(task.mosaic(image, generator).numpy(), method)


def _denoised(task: Demosaic, image: Tensor, generator: torch.Generator) -> Tensor:
    return menon(denoised(task.mosaic(image, generator).double().numpy(), task, bm3d()))


def bm3d() -> Denoiser:
    """BM3D, of an optional package."""
    return _imported("bm3d", "bm3d")


def menon(raw: np.ndarray) -> Tensor:
    """(H, W) mosaic of pattern RGGB -> (3, H, W) in [0, 1], by Menon's method."""
    return _coloured(raw, MENON)


def denoised(raw: np.ndarray, task: Demosaic, denoise: Denoiser) -> np.ndarray:
    """A noisy mosaic, (H, W) in [0, 1], of any size -> the same without its noise; without noise, itself."""
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


def _coloured(raw: np.ndarray, method: str) -> Tensor:
    """(H, W) mosaic of pattern RGGB -> (3, H, W) in [0, 1]."""
    colours = _imported("colour_demosaicing", method)(raw, "RGGB")
    return torch.from_numpy(colours).float().permute(2, 0, 1).clamp(0, 1)


def _imported(module: str, name: str) -> Callable[..., np.ndarray]:
    """A function of an optional package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how colour-demosaicing imports SciPy
            return getattr(import_module(module), name)
    except ImportError as error:
        raise UserError(
            f"this baseline needs {module}, which is not installed: .venv/bin/python -m pip install -e '.[baselines]' "
            "(bm3d is free for non-commercial use only)"
        ) from error
