"""95 % intervals of mean differences over photographs and trainings, computed without random numbers.

Photographs: the percentile bootstrap (Efron & Tibshirani 1993). The mean of n photographs, drawn with replacement from
the n differences x, has the characteristic function (Σ exp(iux/n) / n)ⁿ. For few photographs the percentiles are too
narrow, so all x − x̄ are multiplied by √(n/(n − 1)) · t/z: then normal differences have the interval of Student's t test
with n − 1 degrees of freedom (the expanded percentile interval, Hesterberg 2015). Simulated coverage with 6, 24 and 40
photographs: 95, 94 and 95 % of normal differences, 89, 93 and 94 % of exponential ones.

Trainings: another training moves the mean by a standard error times a number of Student's distribution, whose
characteristic function is known. The product of both functions is inverted to a distribution function (Gil-Pelaez
1951).

The bootstrap distribution of few photographs, or of many equal values, has steps. A narrow normal distribution smooths
the steps; the variance stays the same.
"""

import numpy as np
from scipy import special

LEVEL = 0.05  # share of the distribution outside the interval, half of this share on either side
NORMAL = special.ndtri(1 - LEVEL / 2)
SMOOTHING = 0.05  # standard deviation of the smoothing normal distribution, in scales
HIGHEST, NODES = 80.0, 96  # frequencies of the inversion: Gauss-Legendre nodes, denser near 0
REACH, STEP = 5.0, 0.02  # points, in scales, where the distribution function is computed
CHUNK = 256  # means at a time: limits the memory to about 20 MB


def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and weights of the integral over du / (π u)."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    root = (nodes + 1) / 2
    return HIGHEST * root**2, weights / root / np.pi


FREQUENCIES, WEIGHTS = _quadrature()
POINTS = np.arange(0, REACH + STEP / 2, STEP)
SINES, COSINES = np.sin(np.outer(FREQUENCIES, POINTS)), np.cos(np.outer(FREQUENCIES, POINTS))


def mean_intervals(values: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds, (N,) each, of N means, in the unit of the values.

    Args:
        values: (N, photographs), two photographs or more.
        error: (N,) standard error of the mean from training to training; 0: none.
        freedom: (N,) degrees of freedom of this standard error; ignored where the error is 0.
    """
    starts = range(0, len(values), CHUNK)
    chunks = [_intervals(*(array[start : start + CHUNK] for array in (values, error, freedom))) for start in starts]
    low, high = np.concatenate([np.empty((2, 0)), *chunks], axis=1)
    return low, high


def expansion(count: int) -> float:
    """The factor by which the deviations of this many photographs are widened."""
    return float(np.sqrt(count / (count - 1)) * special.stdtrit(count - 1, 1 - LEVEL / 2) / NORMAL)


def _intervals(values: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Lower and upper bounds, (2, N)."""
    moved = error > 0
    freedom = np.where(moved, freedom, 1.0)
    means, count = values.mean(axis=1), values.shape[1]
    deviations = expansion(count) * (values - means[:, None])
    of_photographs = deviations.std(axis=1) / np.sqrt(count)
    of_trainings = error * special.stdtrit(freedom, 1 - LEVEL / 2) / NORMAL
    scale = np.hypot(of_photographs, of_trainings)
    unit = np.where(scale > 0, scale, 1.0) / np.sqrt(1 - SMOOTHING**2)

    transform = _mean_transform(deviations / unit[:, None])
    transform[moved] *= _student_transform((error / unit)[moved, None] * FREQUENCIES, freedom[moved, None])
    weighted = transform * np.exp(-((SMOOTHING * FREQUENCIES) ** 2) / 2) * WEIGHTS
    odd, even = np.real(weighted) @ SINES, np.imag(weighted) @ COSINES
    return np.stack([means - scale * _quantile(odd + even), means + scale * _quantile(odd - even)])


def _mean_transform(deviations: np.ndarray) -> np.ndarray:
    """Characteristic functions, (N, frequencies), of the resampled means of (N, photographs)."""
    count = deviations.shape[1]
    angles = deviations[:, :, None] * (FREQUENCIES / count)
    return (np.cos(angles).mean(axis=1) + 1j * np.sin(angles).mean(axis=1)) ** count


def _student_transform(frequency: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Characteristic function of Student's distribution at positive frequencies (Hurst 1995)."""
    z, half = np.sqrt(freedom) * frequency, freedom / 2
    return np.exp(special.xlogy(half, z / 2) - special.gammaln(half) + np.log(2 * special.kve(half, z)) - z)


def _quantile(above_half: np.ndarray) -> np.ndarray:
    """The first point, interpolated, where a distribution function − 1/2, (N, points), reaches (1 - LEVEL) / 2."""
    excess = above_half - (1 - LEVEL) / 2
    index = np.maximum((excess >= 0).argmax(axis=1), 1)
    rows = np.arange(len(excess))
    before, after = excess[rows, index - 1], excess[rows, index]
    return POINTS[index] - STEP * after / (after - before)
