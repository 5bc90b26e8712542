"""Crops side by side, as in the paper's figures: degraded, every loss, truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from restoration.files import replacing
from restoration.protocol import Protocol

SIDE = 96


def hardest_window(degraded: Tensor, target: Tensor, *, side: int = SIDE) -> tuple[slice, slice]:
    """The side x side window in which the degraded image errs most: a rule, so that nobody picks crops by hand."""
    side = min(side, *target.shape[1:])
    errors = functional.avg_pool2d((degraded - target).square().mean(dim=0)[None], side, stride=4)[0]
    row, column = divmod(int(errors.argmax()), errors.shape[1])
    return slice(4 * row, 4 * row + side), slice(4 * column, 4 * column + side)


def save_crops(rows: Mapping[str, Mapping[str, Tensor]], columns: Sequence[str], path: Path) -> None:
    """Draws one row for each task and one column for each title, crops (3, h, w) in [0, 1], into a PNG.

    Args:
        rows: crops by column title, by task; a title that a task lacks stays empty.
    """
    figure = Figure(figsize=(1.5 * len(columns), 1.62 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (task, crops) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(task)
        for axes, title in zip(line, columns, strict=True):
            axes.set(xticks=[], yticks=[], frame_on=False)
            if title in crops:
                axes.set_title(title, fontsize=9)
                axes.imshow(crops[title].permute(1, 2, 0).numpy(), interpolation="nearest")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)


def as_saved(image: Tensor) -> Tensor:
    """What a viewer of the saved file would see: clamped and rounded to 8 bits."""
    with torch.inference_mode():
        return Protocol().prepare(image)[0]
