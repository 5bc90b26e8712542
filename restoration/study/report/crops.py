"""Crops chosen by a rule, not by hand; maps of differences; crops side by side as a figure."""

import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from restoration.files import replacing

TRUTH = "truth"  # the title of its version
FLAT, LOCAL = 3.0, 2.0  # levels a pixel, and σ of the Gaussian that makes a gradient local
CONTRAST = 4  # crops of flat areas are shown with this contrast

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


def flat_window(
    first: np.ndarray, second: np.ndarray, truth: np.ndarray, *, side: int
) -> tuple[float, tuple[slice, slice]]:
    """The window with the largest difference of two versions, among the windows with the most flat pixels.

    A pixel is flat as in `scoring.artefacts`: the local root mean square of the gradient is below 3 levels.

    Args:
        first, second, truth: (H, W, 3) uint8, one photograph.
        side: as in `most_different_crops`.

    Returns:
        The root mean square of the difference, in levels, and (rows, columns) of the window.
    """
    side = min(side, *truth.shape[:2])
    down, across = np.gradient(truth.astype(float), axis=(0, 1))
    energy = gaussian_filter((down**2 + across**2).mean(axis=2), LOCAL)
    flat = _window_sums((energy < FLAT**2).astype(np.int64), side)
    difference = _window_sums(((first.astype(np.int64) - second) ** 2).sum(axis=2), side)
    difference[flat < flat.max()] = -1
    row, column = divmod(int(difference.argmax()), difference.shape[1])
    level = float(np.sqrt(difference[row, column] / (3 * side**2)))
    return level, (slice(row, row + side), slice(column, column + side))


def contrasted(crop: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """A crop with CONTRAST times the differences to the truth's mean colour, which becomes grey; (h, w, 3) uint8."""
    mean = truth.mean(axis=(0, 1))
    return (128 + CONTRAST * (crop - mean)).clip(0, 255).astype(np.uint8)


def difference_map(version: np.ndarray, truth: np.ndarray, *, gain: int) -> np.ndarray:
    """Mean over colours of |version - truth|, `gain` times, rounded down, at most 255, as colours (H, W, 3) uint8."""
    levels = np.abs(version.astype(np.int64) - truth).sum(axis=2) * gain // 3
    return colour_table()[levels.clip(max=255)]


@cache
def colour_table() -> np.ndarray:
    """The colours of differences, (256, 3) uint8."""
    return colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]


def save_crops(rows: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Draws crops into a PNG: a row for each label, each crop under its title, in cells of 200 pixels or more.

    Args:
        rows: crops (h, w, 3) uint8 by title, by label.
    """
    columns = max(map(len, rows.values()))
    figure = Figure(figsize=(1.64 * columns + 0.25, 1.85 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for places, (label, crops) in zip(grid, rows.items(), strict=True):
        places[0].set_ylabel(textwrap.fill(label, 22), fontsize=9)
        for axes in places:
            axes.set(xticks=[], yticks=[], frame_on=False)
        for axes, (title, crop) in zip(places, crops.items(), strict=False):  # a row may have fewer crops
            axes.set_title(title, fontsize=9)
            axes.imshow(crop, interpolation="nearest")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _window_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over every side x side window of (H, W) whole numbers, by its top left corner."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
