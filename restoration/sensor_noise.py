"""How noisy a raw photograph is: a and b of the variance a y + b of its light, estimated from the photograph alone.

In 2 x 2 pixels of one colour, half the difference of the two diagonals' sums has the variance of one pixel's noise,
and no slope of the scene is in it. Its mean square over a block of 8 x 8 such pixels is that variance where the scene
is smooth, more where it is not. So, of blocks of about the same level, the quietest tell the noise: a low quantile,
over what that quantile is of pure noise. A line is laid through these points. Where the scene is nowhere smooth, the
estimate is too high.
"""

import numpy as np
from scipy import stats
from scipy.optimize import nnls
from torch import Tensor

SIDE = 8  # of a block, in differences of 2 x 2 pixels of one colour each
LEVELS = 16  # groups of blocks, of equal numbers
QUANTILE = 0.2  # within a group


def estimated_noise(light: Tensor) -> tuple[float, float]:
    """The (a, b) of a mosaic's light, (H, W) in [0, 1]; (0, 0) where too little of it is not clipped."""
    points = [_blocks(light[row::2, column::2].double().numpy()) for row in (0, 1) for column in (0, 1)]
    levels, variances = np.concatenate(points, axis=1)
    order = np.argsort(levels, kind="stable")
    groups = [group for group in np.array_split(order, LEVELS) if len(group)]
    if len(groups) < LEVELS:
        return 0.0, 0.0
    y = np.array([levels[group].mean() for group in groups])
    pure = stats.chi2.ppf(QUANTILE, SIDE**2) / SIDE**2
    v = np.array([np.quantile(variances[group], QUANTILE) for group in groups]) / pure
    weights = 1 / np.maximum(v, 1e-12)  # a variance's error is in proportion to it
    (a, b), _ = nnls(np.stack([y, np.ones_like(y)], axis=1) * weights[:, None], v * weights)
    return float(a), float(b)


def _blocks(plane: np.ndarray) -> np.ndarray:
    """Mean and noise variance of every block of a colour plane without clipped values, (2, blocks)."""
    rows, columns = (length // (2 * SIDE) for length in plane.shape)
    blocks = plane[: rows * 2 * SIDE, : columns * 2 * SIDE].reshape(rows, 2 * SIDE, columns, 2 * SIDE)
    blocks = blocks.transpose(0, 2, 1, 3).reshape(-1, 2 * SIDE, 2 * SIDE)
    blocks = blocks[(blocks.min(axis=(1, 2)) > 0) & (blocks.max(axis=(1, 2)) < 1)]  # clipping takes noise away
    half = (blocks[:, ::2, ::2] + blocks[:, 1::2, 1::2] - blocks[:, ::2, 1::2] - blocks[:, 1::2, ::2]) / 2
    return np.stack([blocks.mean(axis=(1, 2)), (half**2).mean(axis=(1, 2))])
