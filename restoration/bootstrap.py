"""Intervals of means by resampling photographs and, independently, seeds; `statistics` says what they are worth."""

from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
OUTSIDE = 0.05  # of the resampled means, half of it on either side


def interval(values: np.ndarray, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The interval of the mean of (images, seeds) over resampled images and seeds."""
    return _interval(values, *(_weights(count, rng, resamples) for count in values.shape))


def seeded_interval(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """The same with random numbers that begin at `seed`: drawn once for all tables of one size."""
    return _interval(values, *_seeded_weights(values.shape, resamples, seed))


@lru_cache(maxsize=16)
def _seeded_weights(shape: tuple[int, ...], resamples: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [_weights(count, rng, resamples) for count in shape]


def _interval(values: np.ndarray, images: np.ndarray, seeds: np.ndarray) -> tuple[float, float]:
    """Percentiles of the weighted means, `images` and `seeds` being the weights of (resamples, count)."""
    means = ((images @ values) * seeds).sum(axis=1)
    low, high = np.quantile(means, [OUTSIDE / 2, 1 - OUTSIDE / 2])
    return float(low), float(high)


def _weights(count: int, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """How often each of `count` things is drawn in each resample of as many, as a fraction, (resamples, count)."""
    drawn = rng.integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count) / count
