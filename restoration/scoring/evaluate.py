"""Whole photographs of a task: degraded, restored and scored."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import isfinite, nan

import torch
from torch import Tensor, nn

from restoration.datasets.photos import PackedPhotos
from restoration.names import INPUT, QUICK
from restoration.networks.inference import restore_image
from restoration.progress import tracked
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score_versions
from restoration.tasks import Task


@dataclass(frozen=True)
class Score:
    """The value of one metric for one restored photograph; `loss` names the network."""

    loss: str
    image: str
    metric: str
    value: float


def degraded_photo(task: Task, photos: PackedPhotos, index: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A photograph's degraded version and the photograph, (3, H, W) each; the same noise at every call."""
    target = photos.image(index)
    degraded = task.degrade(target, noise_of(photos.names[index]))
    return degraded.to(device), target.to(device)


def noise_of(name: str) -> torch.Generator:
    """The generator of a photograph's noise, seeded by its name: all losses get the same input."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))


def evaluate(
    models: Mapping[str, nn.Module],
    task: Task,
    photos: PackedPhotos,
    *,
    protocol: Protocol,
    device: torch.device,
    metrics: Iterable[str] = ALL_METRICS,
) -> Iterator[list[Score]]:
    """The scores of the degraded input and of every model, one list for each photograph."""
    names = list(metrics)
    for index, image in enumerate(photos.names):
        degraded, target = degraded_photo(task, photos, index, device)
        versions = chain([degraded], (restore_image(model, degraded) for model in models.values()))
        values = score_versions(versions, target, metrics=names, protocol=protocol).T.tolist()
        yield [
            Score(loss, image, metric, value)
            for loss, row in zip([INPUT, *models], values, strict=True)
            for metric, value in zip(names, row, strict=True)
        ]


class Validation:
    """Whole photographs that are scored during training, always with the same degradation.

    Args:
        photos: the photographs; degraded once, kept on `device`.
    """

    def __init__(self, task: Task, photos: PackedPhotos, *, protocol: Protocol, device: torch.device):
        self.protocol = protocol
        self.pairs = [degraded_photo(task, photos, index, device) for index in range(len(photos))]

    def scores(self, model: nn.Module) -> dict[str, float]:
        """Means of the quick metrics over the photographs with a finite value; NaN if no value is finite."""
        values = [
            score_versions([restore_image(model, degraded)], target, metrics=QUICK, protocol=self.protocol)[:, 0]
            for degraded, target in tracked(self.pairs, "validating", len(self.pairs))
        ]
        return {metric: _finite_mean(row) for metric, row in zip(QUICK, torch.stack(values).T.tolist(), strict=True)}

    def crops(self, model: nn.Module, *, count: int = 2, side: int = 160) -> Iterator[Tensor]:
        """Degraded, restored and true centre of the first photographs, side by side, (3, side, 3 side) in [0, 1]."""
        for degraded, target in self.pairs[:count]:
            top, left = ((length - min(length, side)) // 2 for length in target.shape[1:])
            images = (degraded, restore_image(model, degraded).clamp(0, 1), target)
            yield torch.cat([image[:, top : top + side, left : left + side] for image in images], dim=2)


def _finite_mean(values: list[float]) -> float:
    finite = [value for value in values if isfinite(value)]
    return sum(finite) / len(finite) if finite else nan
