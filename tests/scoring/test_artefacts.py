"""Each measure gives the level of its artefact, and little for other artefacts; formulas equal float64 loops."""

import math

import numpy as np
import pytest
import skimage.data
import torch
from scipy.signal import fftconvolve
from torch import Tensor

from restoration.scoring import artefacts
from restoration.scoring.artefacts import (
    FUNCTIONS,
    block_step,
    colour_shift,
    edge_residual,
    flat_residual,
    grating,
    luminance_shift,
)
from restoration.tasks import JPEG
from tests.scoring.conftest import as_image, prepared


@pytest.fixture(scope="module")
def target() -> Tensor:
    return as_image(skimage.data.astronaut())


def grey(height: int, width: int) -> Tensor:
    return torch.full((1, 3, height, width), 0.5)


def noise(shape: tuple[int, ...], sigma: float = 0) -> Tensor:
    """Noise of standard deviation 1, white or smoothed by a Gaussian."""
    values = np.random.default_rng(0).standard_normal(shape)
    if sigma:
        values = np.stack([fftconvolve(plane, kernel(sigma), mode="same") for plane in values])
    return torch.from_numpy(values / values.std()).float()


def kernel(sigma: float) -> np.ndarray:
    offset = np.arange(-round(3 * sigma), round(3 * sigma) + 1)
    weights = np.exp(-(offset**2) / (2 * sigma**2))
    return np.outer(weights, weights) / weights.sum() ** 2


def blocks(shape: tuple[int, ...], origin: int = 0) -> Tensor:
    """A chequerboard of +-1/2 on a lattice of 8 pixels: every step is 1."""
    rows, columns = (((torch.arange(length) - origin) // 8) % 2 for length in shape[1:])
    return (rows[:, None] ^ columns).float().expand(shape) - 0.5


def edge_noise(image: Tensor) -> Tensor:
    """White noise in the surroundings of strong edges only."""
    levels = image.double().numpy() * 255
    strong = np.mean([np.sum(np.square(np.gradient(plane)), axis=0) for plane in levels], axis=0) > 20**2
    near = fftconvolve(strong.astype(float), np.ones((21, 21)), mode="same") > 0.5
    return noise(image.shape) * torch.from_numpy(near)


@pytest.fixture(scope="module")
def patterns(target) -> dict[str, Tensor]:
    """Patterns of one level; each of the first six is the artefact of the measure with the same name."""
    odd_column = (-1.0) ** torch.arange(target.shape[2])
    return {
        "flat_residual": noise(target.shape, sigma=3),
        "edge_residual": edge_noise(target),
        "grating": odd_column.expand(target.shape),
        "block_step": blocks(target.shape),
        "luminance_shift": torch.ones(target.shape),
        "colour_shift": torch.tensor([0, 0, 1.772])[:, None, None].expand(target.shape),
        "noise": noise(target.shape),
    }


OVERLAPS = {  # other patterns to which a measure responds by definition
    "flat_residual": {"block_step"},
    "edge_residual": {"flat_residual", "block_step", "grating", "noise"},
    "colour_shift": {"luminance_shift"},  # where a bright colour is clipped
    "luminance_shift": {"colour_shift"},  # blue is 11 % of luma
}


def measured(measure, image: Tensor, target: Tensor) -> float:
    return measure(prepared(image), prepared(target)).item()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_patterns(target, patterns, name):
    """A measure is proportional to the level of its pattern, also under white noise, and small for other patterns."""

    def value(pattern: str, levels: float, *, white: float = 0) -> float:
        image = target + (levels * patterns[pattern] + white * patterns["noise"].flip(2)) / 255
        return measured(FUNCTIONS[name], image, target)

    four = value(name, 4)
    assert 0.45 < four / 4 < 1.2  # below 1 for a band of the spectrum, or where black is clipped
    assert value(name, 2) / 2 == pytest.approx(four / 4, rel=0.2)
    if name != "edge_residual":  # edge_residual measures white noise
        assert value(name, 4, white=3) == pytest.approx(four, rel=0.1)
    for other in patterns.keys() - {name} - OVERLAPS.get(name, set()):
        assert abs(value(other, 4)) < four / 3, other


def test_blocks_of_jpeg_files(target):
    """Block steps grow as the quality falls, and vanish if the lattice is shifted."""
    ten, twenty_five, ninety = (JPEG(quality=quality).degrade(target, torch.Generator()) for quality in (10, 25, 90))
    steps = [measured(block_step, image, target) for image in (ten, twenty_five, ninety)]
    assert steps[0] > 1.5
    assert steps[0] > steps[1] > 2 * abs(steps[2])
    assert measured(block_step, ten.roll((3, 3), dims=(1, 2)), target.roll((3, 3), dims=(1, 2))) < 0.2


def test_block_steps_by_hand():
    """Only 4 of the 28 lines off the lattice are steps: the measure is negative."""
    expected = pytest.approx(-7 * (4 / 28) ** 0.5, rel=1e-5)
    assert block_step(grey(32, 32) + 7 / 255 * blocks((3, 32, 32), 3), grey(32, 32)).item() == expected


def test_shifts_by_hand():
    shift = torch.tensor([[4.0, 4, 4], [0, 0, 10], [-10, 0, 0], [3, -1, 5]])[:, :, None, None] / 255
    restored = grey(5, 7) + shift
    luma = [4, 1.14, 2.99, 0.299 * 3 - 0.587 + 0.114 * 5]
    assert luminance_shift(restored, grey(5, 7)).tolist() == pytest.approx(luma, rel=1e-4)
    cb_cr = [(0, 0), (5, -1.14 / 1.402), (2.99 / 1.772, -5), ((5 - luma[3]) / 1.772, (3 - luma[3]) / 1.402)]
    lengths = [math.hypot(*c) for c in cb_cr]
    assert colour_shift(restored, grey(5, 7)).tolist() == pytest.approx(lengths, rel=1e-4, abs=1e-4)


def test_small_regions():
    """A value is NaN if the region has less than 1 % of the pixels."""
    rough = torch.rand((1, 3, 160, 160), generator=torch.Generator().manual_seed(0))
    for side, enough in ((20, False), (60, True)):
        rough[..., :side, :side] = 0.5
        assert artefacts._flat(artefacts._gradient_energy(rough)).sum() > 0
        for measure in (flat_residual, edge_residual, block_step):
            assert measure(rough / 2, rough).isfinite() == enough, measure
    assert edge_residual(grey(64, 64) + 0.1, grey(64, 64)).isnan().all()  # flat, without an edge
    assert grating(grey(31, 64), grey(31, 64)).isnan().all()
    assert not grating(grey(32, 32), grey(32, 32)).isnan()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_versions_alone_and_together(target, name):
    images = torch.cat([prepared(target + amount / 255 * noise(target.shape)) for amount in (0, 1, 5)])
    together = FUNCTIONS[name](images, prepared(target)).tolist()
    assert together == [FUNCTIONS[name](image[None], prepared(target)).item() for image in images]
    assert together[0] == 0  # equal images


def weighted_mean(plane: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian means over the pixels of `mask`, by loops; NaN outside the mask."""
    radius = round(3 * sigma)
    means = np.full(plane.shape, np.nan)
    for row, column in zip(*np.nonzero(mask), strict=True):
        top, left = max(row - radius, 0), max(column - radius, 0)
        window = (slice(top, row + radius + 1), slice(left, column + radius + 1))
        rows, columns = np.mgrid[window][:, : plane.shape[0] - top, : plane.shape[1] - left]
        weights = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2)) * mask[window]
        means[row, column] = (weights * plane[window]).sum() / weights.sum()
    return means


@pytest.fixture(scope="module")
def by_loops() -> tuple[Tensor, Tensor, np.ndarray, np.ndarray, np.ndarray]:
    """A JPEG, its photograph, the residual in levels, and the masks of flat pixels and of pixels beside an edge."""
    target = prepared(as_image(skimage.data.coffee()[20:91, 60:140]))
    restored = prepared(JPEG(quality=10).degrade(target[0], torch.Generator()))
    y = target[0].double().numpy() * 255
    energy = np.mean([np.sum(np.square(np.gradient(plane)), axis=0) for plane in y], axis=0)
    flat = np.sqrt(weighted_mean(energy, np.ones(energy.shape), 2)) < 3
    strong = np.argwhere(np.sqrt(energy) > 20)
    beside = np.zeros_like(flat)
    for row, column in strong:
        beside[max(row - 10, 0) : row + 11, max(column - 10, 0) : column + 11] = True
    return restored, target, restored[0].double().numpy() * 255 - y, flat, beside & flat


def test_region_measures_equal_loops(by_loops):
    restored, target, residual, flat, beside = by_loops
    assert np.array_equal(artefacts._flat(artefacts._gradient_energy(target)).numpy(), flat)
    assert 0.1 < flat.mean() < 0.9
    assert 0.02 < beside.mean() < 0.7 * flat.mean()
    fine, coarse = ([weighted_mean(plane, flat, sigma) for plane in residual] for sigma in (2, 8))
    splotches = np.subtract(fine, coarse)[:, flat]
    assert flat_residual(restored, target).item() == pytest.approx(np.sqrt(np.mean(splotches**2)), rel=1e-5)
    kept = (residual - np.array(fine))[:, beside]
    assert edge_residual(restored, target).item() == pytest.approx(np.sqrt(np.mean(kept**2)), rel=1e-5)


def test_block_step_equals_loops(by_loops):
    restored, target, residual, flat, _ = by_loops
    height, width = flat.shape
    changes = {(axis, on): [] for axis in (0, 1) for on in (True, False)}
    for row in range(height):
        for column in range(width):
            for axis, (next_row, next_column) in enumerate([(row + 1, column), (row, column + 1)]):
                if next_row < height and next_column < width and flat[row, column] and flat[next_row, next_column]:
                    change = (residual[:, next_row, next_column] - residual[:, row, column]) ** 2
                    changes[axis, (next_row, next_column)[axis] % 8 == 0].append(change.mean())
    expected = np.mean([np.mean(changes[axis, True]) - np.mean(changes[axis, False]) for axis in (0, 1)])
    assert block_step(restored, target).item() == pytest.approx(math.copysign(abs(expected) ** 0.5, expected), rel=1e-4)


def test_grating_equals_sums_of_cosines(by_loops):
    restored, target, residual, _, _ = by_loops
    rows, columns = ((-1.0) ** np.arange(length) for length in residual.shape[1:])
    pattern = 3 * columns + 2 * rows[:, None] + 4 * rows[:, None] * columns
    residual = residual + pattern
    position = np.arange(32)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * position / 32)
    total = 0.0
    for across, down in ((1, 0), (0, 1), (1, 1)):
        power = {}
        for bin_ in (16, 14, 13):
            wave = np.exp(-2j * np.pi * bin_ / 32 * (down * position[:, None] + across * position))
            weights = np.outer(hann, hann) * wave / hann.sum() ** 2
            tiles = [residual[:, row : row + 32, left : left + 32] for row in (0, 32) for left in (0, 32)]
            power[bin_] = np.stack([np.abs((tile * weights).sum(axis=(1, 2))) ** 2 for tile in tiles])
        excess = power[16] - (power[14] + power[13]) / 2
        total += np.maximum(excess.mean(axis=0) - 3 * excess.std(axis=0) / len(excess) ** 0.5, 0).mean()
    restored = restored + torch.from_numpy(pattern / 255).float()
    assert grating(restored, target).item() == pytest.approx(math.sqrt(total), rel=1e-4)
