"""Generalised Anscombe transform of noise of variance a y + b, and its exact unbiased inverse.

The transform makes the variance nearly 1 at every level, so that a denoiser for constant noise can be used. A denoiser
gives the mean of what is transformed, not the transform of the mean: its result is therefore looked up in a table of
E[f(z) | y] (Mäkitalo and Foi 2013). Theirs is for Poisson plus Gaussian noise and has a closed form that comes near;
ours is integrated numerically for the noise of this study, Gaussian with that variance, then clipped to [0, 1]. Without
the clipping in the table white would come out seven 8-bit levels too dark (a = 0.005).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr

LEVELS = 2049  # of the table, from 0 to 1; between them it is linear
POINTS = 513  # of the integral, over 8 standard deviations to both sides


@dataclass(frozen=True)
class Anscombe:
    """The transform for noise of variance a y + b, y in [0, 1]; one of a and b is positive."""

    a: float
    b: float

    def __post_init__(self) -> None:
        if min(self.a, self.b) < 0 or self.a + self.b == 0:
            raise ValueError(f"the transform needs noise of a variance a y + b > 0, got a={self.a}, b={self.b}")

    def forward(self, noisy: np.ndarray) -> np.ndarray:
        """f(z) = 2/a sqrt(a z + 3/8 a² + b), of standard deviation about 1; for a = 0, z / sqrt(b)."""
        if self.a == 0:
            return noisy / self.b**0.5
        return 2 / self.a * np.sqrt(np.maximum(self.a * noisy + 0.375 * self.a**2 + self.b, 0))

    def inverse(self, mean: np.ndarray) -> np.ndarray:
        """The level in [0, 1] whose transformed noisy values, clipped to [0, 1], have this mean."""
        levels, means = self._table
        return np.interp(mean, means, levels)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Levels, and E[f(z)] where z has the mean y and the variance a y + b before it is clipped."""
        y = np.linspace(0, 1, LEVELS)
        sigma = np.maximum(np.sqrt(self.a * y + self.b), 1e-9)
        first, last = (np.clip(y + side * 8 * sigma, 0, 1) for side in (-1, 1))
        z = np.linspace(first, last, POINTS)
        density = np.exp(-(((z - y) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
        black, white = self.forward(np.array([0.0, 1.0]))
        clipped = black * ndtr(-y / sigma) + white * ndtr((y - 1) / sigma)
        return y, clipped + np.trapezoid(self.forward(z) * density, z, axis=0)
