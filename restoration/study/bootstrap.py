"""Intervals of means by resampling photographs and drawing trainings; `statistics` says what they are worth."""

from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
OUTSIDE = 0.05  # of the resampled means, half of it on either side


def mean_interval(
    values: np.ndarray, *, error: float = 0.0, freedom: float = 0, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The interval of the mean of (images, seeds) over resampled images and, independently, drawn trainings.

    Of trainings there are too few to resample: the mean is moved by their standard error times a number drawn from
    Student's distribution. Random numbers begin at `seed`: they are drawn once for all tables of one size.

    Args:
        error: standard error that the choice of seeds gives the mean; 0: it gives none, or nothing is known of it.
        freedom: degrees of freedom with which the error is known.
    """
    drawn = _times_drawn(len(values), resamples, seed)
    means = (drawn @ values).sum(axis=1) / values.size  # of float32's precision sums are exact
    if error:
        means = means + error * _deviates(freedom, resamples, seed)
    low, high = np.quantile(means, [OUTSIDE / 2, 1 - OUTSIDE / 2])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _times_drawn(count: int, resamples: int, seed: int) -> np.ndarray:
    """How often each image is drawn in each resample of as many: whole numbers, (resamples, count)."""
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count).astype(float)


@lru_cache(maxsize=16)
def _deviates(freedom: float, resamples: int, seed: int) -> np.ndarray:
    """A number of Student's distribution for each resample."""
    return np.random.default_rng((seed, 1)).standard_t(freedom, resamples)
