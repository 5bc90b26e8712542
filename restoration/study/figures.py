"""The paper's figures: crops side by side (degraded, every loss, truth), and curves."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from restoration.files import replacing
from restoration.scoring.protocol import Protocol
from restoration.study.report.contents import Curves

SIDE = 96
TRUTH = "truth"  # the title of its column
AMPLIFIED = 4  # how much errors are


def hardest_window(degraded: Tensor, target: Tensor, *, side: int = SIDE) -> tuple[slice, slice]:
    """The side x side window in which the degraded image errs most: a rule, so that nobody picks crops by hand."""
    side = min(side, *target.shape[1:])
    errors = functional.avg_pool2d((degraded - target).square().mean(dim=0)[None], side, stride=4)[0]
    row, column = divmod(int(errors.argmax()), errors.shape[1])
    return slice(4 * row, 4 * row + side), slice(4 * column, 4 * column + side)


def save_crops(rows: Mapping[str, Mapping[str, Tensor]], columns: Sequence[str], path: Path) -> None:
    """Draws crops (3, h, w) in [0, 1] into a PNG: a column for each title, a row for each task and, where it has a crop
    under TRUTH, one of what is wrong with the others.

    Args:
        rows: crops by column title, by task; a title that a task lacks stays empty.
    """
    lines = []
    for task, crops in rows.items():
        lines.append((task, crops))
        if TRUTH in crops:
            lines.append((f"error × {AMPLIFIED}", _errors(crops)))
    figure = Figure(figsize=(1.5 * len(columns), 1.62 * len(lines)), layout="constrained")
    grid = figure.subplots(len(lines), len(columns), squeeze=False)
    for places, (label, crops) in zip(grid, lines, strict=True):
        places[0].set_ylabel(label)
        for axes, title in zip(places, columns, strict=True):
            axes.set(xticks=[], yticks=[], frame_on=False)
            if title in crops:
                axes.set_title(title, fontsize=9)
                axes.imshow(crops[title].permute(1, 2, 0).numpy(), interpolation="nearest")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _errors(crops: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is wrong with every crop, around grey."""
    truth = crops[TRUTH]
    return {title: (0.5 + AMPLIFIED * (crop - truth)).clamp(0, 1) for title, crop in crops.items() if crop is not truth}


def save_curves(diagrams: Sequence[Curves], path: Path) -> None:
    """Draws diagrams into an SVG, two in a row."""
    height = -(-len(diagrams) // 2)
    figure = Figure(figsize=(9, 3.2 * height), layout="constrained")
    for number, curves in enumerate(diagrams, start=1):
        axes = figure.add_subplot(height, 2, number)
        for series in curves.series:
            axes.plot(series.x, series.y, marker=".", label=series.name)
        heights = cycle((0.02, 0.3))  # so that no name meets its neighbour's
        for height_of_name, (place, name) in zip(heights, sorted(curves.marks), strict=False):
            axes.axvline(place, color="0.6", linewidth=0.8, linestyle="--", zorder=1)
            across, behind = axes.get_xaxis_transform(), {"facecolor": "white", "edgecolor": "none", "pad": 1}
            style = {"rotation": 90, "fontsize": 7, "color": "0.4", "ha": "center", "bbox": behind, "zorder": 1}
            axes.text(place, height_of_name, name, transform=across, **style)
        axes.set_title(curves.title, fontsize=9)
        axes.set_xlabel(curves.x_label, fontsize=8)
        axes.set_ylabel(curves.y_label, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7)
    with mpl.rc_context({"svg.hashsalt": ""}), replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})  # the same bytes again


def pixels_of(image: Tensor) -> np.ndarray:
    """(3, H, W) -> what would be saved, (H, W, 3) uint8."""
    return (as_saved(image) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def as_saved(image: Tensor) -> Tensor:
    """What a viewer of the saved file would see: clamped and rounded to 8 bits."""
    with torch.inference_mode():
        return Protocol().prepare(image)[0]
