"""Test photographs in all versions (degraded, restored, true) for the viewer and for crops."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from restoration.datasets.photos import PackedPhotos
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import degraded_photo
from restoration.scoring.protocol import Protocol
from restoration.study.report.crops import TRUTH
from restoration.study.report.photographs import Picture
from restoration.tasks import Task

LARGEST = 1000  # largest side of a picture in pixels: the page contains every version
CPU = torch.device("cpu")


def as_saved(image: Tensor) -> Tensor:
    """The image after saving and reading: clamped to [0, 1] and rounded to 8 bits."""
    with torch.inference_mode():
        return Protocol().prepare(image)[0]


def pixels_of(image: Tensor) -> np.ndarray:
    """(3, H, W) -> the pixels of the saved image, (H, W, 3) uint8."""
    return (as_saved(image) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def pictures(
    task_title: str,
    task: Task,
    networks: Mapping[str, nn.Module],
    tests: Mapping[str, PackedPhotos],
    *,
    count: int,
    input_title: str,
) -> Iterator[Picture]:
    """The first photographs of each test set; only the centre of large photographs.

    Args:
        networks: networks by the title of their version.
        tests: test sets by title.
        count: number of photographs of each test set.
    """
    for test, photos in tests.items():
        for index in range(min(count, len(photos))):
            versions = _versions(task, networks, photos, index, input_title)
            height, width = versions[TRUTH].shape[1:]
            top, left = max(height - LARGEST, 0) // 2, max(width - LARGEST, 0) // 2
            window = (..., slice(top, top + LARGEST), slice(left, left + LARGEST))
            name = f"{test}: {photos.names[index]}" + (", centre" if max(height, width) > LARGEST else "")
            yield Picture(task_title, name, {title: pixels_of(image[window]) for title, image in versions.items()})


def _versions(
    task: Task, networks: Mapping[str, nn.Module], photos: PackedPhotos, index: int, input_title: str
) -> dict[str, Tensor]:
    degraded, target = degraded_photo(task, photos, index, CPU)
    restored = {title: restore_image(network, degraded) for title, network in networks.items()}
    return {input_title: degraded, **restored, TRUTH: target}
