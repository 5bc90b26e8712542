"""95 % intervals of mean differences: photographs are resampled, trainings are drawn; computed without random numbers.

The mean of n resampled photographs (percentile bootstrap) has the characteristic function (Σ exp(iu x_j / n) / n)ⁿ.
Other trainings change the mean by its standard error times a number of Student's distribution, whose characteristic
function is known as well. The product of both functions is inverted (Gil-Pelaez 1951), without random numbers.
The bootstrap distribution of few photographs, or of many equal values, has steps. A narrow normal distribution smooths
the steps; the variance stays the same.
"""

import numpy as np
from scipy import special

LEVEL = 0.05  # share of the distribution outside the interval, half of this share on either side
NORMAL = special.ndtri(1 - LEVEL / 2)
SMOOTHING = 0.05  # standard deviation of the smoothing normal distribution, in scales
HIGHEST, NODES = 80.0, 96  # frequencies of the inversion: Gauss-Legendre nodes, denser near 0
REACH, STEP = 5.0, 0.02  # places, in scales, where the distribution function is computed
CHUNK = 256  # cells at a time: bounds the memory to some 20 MB


def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and weights of the integral over du / (π u)."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    root = (nodes + 1) / 2
    return HIGHEST * root**2, weights / root / np.pi


FREQUENCIES, WEIGHTS = _quadrature()
PLACES = np.arange(0, REACH + STEP / 2, STEP)
SINES, COSINES = np.sin(np.outer(FREQUENCIES, PLACES)), np.cos(np.outer(FREQUENCIES, PLACES))


def mean_intervals(values: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds, (cells,) each, of the means of (cells, photographs), in the unit of the values.

    Args:
        error: (cells,) standard error that the choice of trainings gives the mean; 0: none.
        freedom: (cells,) degrees of freedom with which the error is known; ignored where the error is 0.
    """
    starts = range(0, len(values), CHUNK)
    chunks = [_intervals(*(each[start : start + CHUNK] for each in (values, error, freedom))) for start in starts]
    low, high = np.concatenate([np.empty((2, 0)), *chunks], axis=1)
    return low, high


def _intervals(values: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """(2, cells)."""
    moved = error > 0
    freedom = np.where(moved, freedom, 1.0)
    means = values.mean(axis=1)
    of_photographs = values.std(axis=1) / np.sqrt(values.shape[1])
    of_trainings = error * special.stdtrit(freedom, 1 - LEVEL / 2) / NORMAL
    scale = np.hypot(of_photographs, of_trainings)
    unit = np.where(scale > 0, scale, 1.0) / np.sqrt(1 - SMOOTHING**2)

    transform = _mean_transform((values - means[:, None]) / unit[:, None])
    transform[moved] *= _student_transform((error / unit)[moved, None] * FREQUENCIES, freedom[moved, None])
    weighted = transform * np.exp(-((SMOOTHING * FREQUENCIES) ** 2) / 2) * WEIGHTS
    odd, even = np.real(weighted) @ SINES, np.imag(weighted) @ COSINES
    below, above = _first_place(odd + even), _first_place(odd - even)
    return np.stack([means - scale * below, means + scale * above])


def _mean_transform(deviations: np.ndarray) -> np.ndarray:
    """Characteristic functions, (cells, frequencies), of the resampled means of (cells, photographs)."""
    count = deviations.shape[1]
    angles = deviations[:, :, None] * (FREQUENCIES / count)
    return (np.cos(angles).mean(axis=1) + 1j * np.sin(angles).mean(axis=1)) ** count


def _student_transform(frequency: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Characteristic function of Student's distribution at positive frequencies."""
    z, half = np.sqrt(freedom) * frequency, freedom / 2
    return np.exp(special.xlogy(half, z / 2) - special.gammaln(half) + np.log(2 * special.kve(half, z)) - z)


def _first_place(above_half: np.ndarray) -> np.ndarray:
    """The first place, interpolated, at which (cells, places) reach (1 - LEVEL) / 2; (cells,)."""
    excess = above_half - (1 - LEVEL) / 2
    index = np.maximum((excess >= 0).argmax(axis=1), 1)
    rows = np.arange(len(excess))
    before, after = excess[rows, index - 1], excess[rows, index]
    return PLACES[index] - STEP * after / (after - before)
