"""Whole photographs -> restored -> one record per image and metric."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

import torch
from torch import Tensor, nn

from restoration.datasets.photos import PackedPhotos
from restoration.networks.inference import restore_image
from restoration.scoring.metrics import MEASURES, QUICK, score
from restoration.scoring.protocol import Protocol
from restoration.tasks import Task

INPUT = "input"  # stands for a loss in the records of the degraded input itself
AT_ONCE = 8_000_000  # pixels of restored photographs that are scored together


@dataclass(frozen=True)
class Score:
    """One value of a restored photograph under one metric; `loss` names the network."""

    loss: str
    image: str
    metric: str
    value: float


def degraded_photo(task: Task, photos: PackedPhotos, index: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A photograph degraded with noise seeded by its name, so that every loss meets the same input, and the truth."""
    target = photos.image(index)
    degraded = task.degrade(target, noise_of(photos.names[index]))
    return degraded.to(device), target.to(device)


def noise_of(name: str) -> torch.Generator:
    """The noise with which the photograph of this name is degraded whenever it is evaluated."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))


def evaluate(
    models: Mapping[str, nn.Module],
    task: Task,
    photos: PackedPhotos,
    *,
    protocol: Protocol,
    device: torch.device,
    metrics: Iterable[str] = MEASURES,
) -> Iterator[list[Score]]:
    """The scores of the degraded input and of every model, photograph by photograph.

    A photograph is degraded once for all models, and what the metrics need of the truth alone is computed once for as
    many of them as are scored together.
    """
    for index, name in enumerate(photos.names):
        degraded, target = degraded_photo(task, photos, index, device)
        target = protocol.prepare(target)
        images = chain([degraded], (restore_image(model, degraded) for model in models.values()))
        all_values = scores_of(images, target, protocol, metrics=metrics)
        yield [
            Score(loss, name, metric, value)
            for loss, values in zip([INPUT, *models], all_values, strict=True)
            for metric, value in values.items()
        ]


@torch.inference_mode()
def scores_of(
    images: Iterable[Tensor], target: Tensor, protocol: Protocol, *, metrics: Iterable[str] = MEASURES
) -> list[dict[str, float]]:
    """Metrics of versions of one photograph, (3, H, W) each; few of a large one at once, to bound the memory.

    Args:
        target: the photograph, prepared.
    """
    prepared = (protocol.prepare(image) for image in images)
    at_once = max(1, AT_ONCE // target[0, 0].numel())
    scores = []
    while group := list(islice(prepared, at_once)):
        scores += score(group[0] if len(group) == 1 else torch.cat(group), target, metrics=metrics)
    return scores


class Validation:
    """Whole photographs that are scored during training, always with the same degradation.

    Args:
        photos: the photographs; degraded once, kept on `device`.
    """

    def __init__(self, task: Task, photos: PackedPhotos, *, protocol: Protocol, device: torch.device):
        self.protocol = protocol
        self.pairs = [degraded_photo(task, photos, index, device) for index in range(len(photos))]

    def scores(self, model: nn.Module) -> dict[str, float]:
        """The mean of the quick metrics over the photographs."""
        values = [
            scores_of([restore_image(model, degraded)], self.protocol.prepare(target), self.protocol, metrics=QUICK)[0]
            for degraded, target in self.pairs
        ]
        return {metric: sum(value[metric] for value in values) / len(values) for metric in QUICK}

    def crops(self, model: nn.Module, *, count: int = 2, side: int = 160) -> Iterator[Tensor]:
        """Degraded, restored and true centre of the first photographs, side by side, (3, side, 3 side) in [0, 1]."""
        for degraded, target in self.pairs[:count]:
            top, left = ((length - min(length, side)) // 2 for length in target.shape[1:])
            images = (degraded, restore_image(model, degraded).clamp(0, 1), target)
            yield torch.cat([image[:, top : top + side, left : left + side] for image in images], dim=2)
