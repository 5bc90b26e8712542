"""Crops chosen by a rule, maps of differences, and crops side by side as a figure."""

import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from restoration.files import replacing

TRUTH = "truth"  # the title of its version
AMPLIFIED = 4  # the errors in a figure are multiplied by this factor

COLOUR_MAP = "inferno"  # black where nothing differs; lightness rises evenly, so that no colour is needed to read it


def most_different_crops(
    versions: Sequence[np.ndarray], truth: np.ndarray, *, side: int, count: int
) -> list[tuple[slice, slice]]:
    """The windows in which the losses disagree most, chosen by a rule, not by hand.

    At each pixel, the mean squared error E of the versions is the squared error of their mean plus their variance V. A
    window scores ΣV / (ΣE + the average of ΣE over all windows): the share of its error that depends on the loss, where
    the second term keeps out windows in which all losses have small errors. The window with the highest score is taken,
    then the best window that overlaps none of those taken, and so on; among equals the topmost, then the leftmost.

    Args:
        versions: (H, W, 3) uint8, one photograph as restored by at least two losses.
        truth: (H, W, 3) uint8.
        side: side of a window in pixels; windows of a smaller photograph are smaller.
        count: number of windows; fewer are returned if no more fit.

    Returns:
        (rows, columns) of each window, the best first.
    """
    if len(versions) < 2:
        raise ValueError(f"losses can differ where there are two or more, got {len(versions)} versions")
    side = min(side, *truth.shape[:2])
    stack = np.stack(list(versions)).astype(np.int64)
    # n² V and n E summed over channels, in whole numbers: the choice depends on no rounding.
    variance = len(stack) * (stack**2).sum(axis=(0, 3)) - (stack.sum(axis=0) ** 2).sum(axis=2)
    error = ((stack - truth) ** 2).sum(axis=(0, 3))
    disagreement, errors = _window_sums(variance, side) / len(stack), _window_sums(error, side)
    scores = disagreement / np.maximum(errors + errors.mean(), 1)
    windows = []
    for _ in range(count):
        row, column = divmod(int(scores.argmax()), scores.shape[1])
        if scores[row, column] == -np.inf:
            break
        windows.append((slice(row, row + side), slice(column, column + side)))
        scores[max(row - side + 1, 0) : row + side, max(column - side + 1, 0) : column + side] = -np.inf
    return windows


def difference_map(version: np.ndarray, truth: np.ndarray, *, gain: int) -> np.ndarray:
    """Mean over colours of |version - truth|, `gain` times, rounded down, at most 255, as colours (H, W, 3) uint8."""
    levels = np.abs(version.astype(np.int64) - truth).sum(axis=2) * gain // 3
    return colour_table()[levels.clip(max=255)]


@cache
def colour_table() -> np.ndarray:
    """The colours of differences, (256, 3) uint8."""
    return colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]


def save_crops(rows: Mapping[str, Mapping[str, np.ndarray]], columns: Sequence[str], path: Path) -> None:
    """Draws crops into a PNG: a column for each title, a row for each task, below it the errors where TRUTH is known.

    Args:
        rows: crops (h, w, 3) uint8 by the title of their column, by task; a missing crop leaves an empty place.
    """
    lines = []
    for task, crops in rows.items():
        lines.append((task, crops))
        if TRUTH in crops:
            lines.append((f"error × {AMPLIFIED}", _errors(crops)))
    figure = Figure(figsize=(1.5 * len(columns), 1.62 * len(lines)), layout="constrained")
    grid = figure.subplots(len(lines), len(columns), squeeze=False)
    for places, (label, crops) in zip(grid, lines, strict=True):
        places[0].set_ylabel(textwrap.fill(label, 22), fontsize=9)
        for axes, title in zip(places, columns, strict=True):
            axes.set(xticks=[], yticks=[], frame_on=False)
            if title in crops:
                axes.set_title(title, fontsize=9)
                axes.imshow(crops[title], interpolation="nearest")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _errors(crops: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The difference of each crop to the truth, around grey."""
    truth = crops[TRUTH].astype(int)
    amplified = {title: 128 + AMPLIFIED * (crop - truth) for title, crop in crops.items() if title != TRUTH}
    return {title: error.clip(0, 255).astype(np.uint8) for title, error in amplified.items()}


def _window_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over every side x side window of (H, W) whole numbers, by its top left corner."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
