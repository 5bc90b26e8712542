"""Intervals of means by resampling photographs and, independently, seeds; `statistics` says what they are worth."""

from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
OUTSIDE = 0.05  # of the resampled means, half of it on either side


def seeded_interval(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """The interval of the mean of (images, seeds) over resampled images and seeds.

    Random numbers begin at `seed`: they are drawn once for all tables of one size.
    """
    images, seeds = _seeded_weights(values.shape, resamples, seed)
    means = ((images @ values) * seeds).sum(axis=1)
    low, high = np.quantile(means, [OUTSIDE / 2, 1 - OUTSIDE / 2])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _seeded_weights(shape: tuple[int, ...], resamples: int, seed: int) -> list[np.ndarray]:
    """Of images and of seeds, (resamples, count)."""
    rng = np.random.default_rng(seed)
    return [_weights(count, rng, resamples) for count in shape]


def _weights(count: int, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """How often each of `count` things is drawn in each resample of as many, as a fraction, (resamples, count)."""
    drawn = rng.integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count) / count
