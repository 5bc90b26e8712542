"""Intervals of means by resampling photographs and, independently, seeds; `statistics` says what they are worth."""

from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
OUTSIDE = 0.05  # of the resampled means, half of it on either side


def seeded_interval(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """The interval of the mean of (images, seeds) over resampled images and seeds.

    Random numbers begin at `seed`: they are drawn once for all tables of one size.
    """
    images, seeds = _times_drawn(values.shape, resamples, seed)
    means = ((images @ values) * seeds).sum(axis=1) / values.size  # of float32's precision sums are exact
    low, high = np.quantile(means, [OUTSIDE / 2, 1 - OUTSIDE / 2])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _times_drawn(shape: tuple[int, ...], resamples: int, seed: int) -> list[np.ndarray]:
    """How often each image, and each seed, is drawn in each resample of as many: whole numbers, (resamples, count)."""
    rng = np.random.default_rng(seed)
    times = []
    for count in shape:
        drawn = rng.integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
        times.append(np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count).astype(float))
    return times
