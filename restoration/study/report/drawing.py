"""Test photographs in all versions (degraded, restored, true) for the viewer, the strips and the figure of crops."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.datasets.photos import PackedPhotos
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import degraded_photo
from restoration.scoring.protocol import Protocol
from restoration.study.report.crops import TRUTH
from restoration.study.report.photographs import Picture
from restoration.tasks import Task

LARGEST = 1000  # pixels a side of a picture: the page holds every version
SIDE = 96  # pixels a side of a crop in the figure of crops
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


def hardest_crops(
    task: Task, networks: Mapping[str, nn.Module], photos: PackedPhotos, *, input_title: str
) -> dict[str, np.ndarray]:
    """Crops of the last photograph, (h, w, 3) uint8 by title, at the window with the largest error of the input."""
    versions = _versions(task, networks, photos, len(photos) - 1, input_title)
    window = (..., *hardest_window(versions[input_title], versions[TRUTH]))
    return {title: pixels_of(image[window]) for title, image in versions.items()}


def hardest_window(degraded: Tensor, target: Tensor, *, side: int = SIDE) -> tuple[slice, slice]:
    """The side x side window in which the degraded image has the largest error, chosen by this rule, not by hand."""
    side = min(side, *target.shape[1:])
    errors = functional.avg_pool2d((degraded - target).square().mean(dim=0)[None], side, stride=4)[0]
    row, column = divmod(int(errors.argmax()), errors.shape[1])
    return slice(4 * row, 4 * row + side), slice(4 * column, 4 * column + side)


def _versions(
    task: Task, networks: Mapping[str, nn.Module], photos: PackedPhotos, index: int, input_title: str
) -> dict[str, Tensor]:
    degraded, target = degraded_photo(task, photos, index, CPU)
    restored = {title: restore_image(network, degraded) for title, network in networks.items()}
    return {input_title: degraded, **restored, TRUTH: target}
