"""Baselines: the networks' own degraded photographs, and an unbiased inverse transform."""

import sys

import numpy as np
import pytest
import scipy.integrate
import skimage.data
import torch
from PIL import Image

from restoration.errors import UserError
from restoration.scoring.baselines import Anscombe, baselines_for, denoised
from restoration.scoring.evaluate import degraded_photo, noise_of
from restoration.tasks import JPEG, Demosaic, SuperResolution
from tests.conftest import packed
from tests.scoring.conftest import as_image

A, B = 0.005, 0.0001


def psnr(restored: torch.Tensor, image: torch.Tensor) -> float:
    return float(-10 * (restored.clamp(0, 1) - image).square().mean().log10())


def test_names():
    assert list(baselines_for(Demosaic())) == ["malvar", "menon", "bm3d"]
    assert list(baselines_for(SuperResolution())) == ["bicubic"]
    assert baselines_for(JPEG()) == {}


@pytest.mark.parametrize("scale", [2, 3])
def test_bicubic_equals_pillow(photo, scale):
    """Sides that the scale does not divide (97 x 82): the enlarged image is cut to the original size."""
    task = SuperResolution(scale=scale)
    restored = baselines_for(task)["bicubic"](as_image(photo), torch.Generator())
    small = task.store(photo)
    size = (scale * small.shape[1], scale * small.shape[0])
    planes = (Image.fromarray(small[..., channel].astype(np.float32)) for channel in range(3))
    theirs = np.stack([np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes])[:, :97, :82]
    assert restored.numpy() == pytest.approx(theirs.clip(0, 255) / 255, abs=1e-5)


@pytest.mark.parametrize(("name", "module", "noise", "gain"),
    [("malvar", "colour", 0, 1), ("menon", "colour", 0, 1), ("bm3d", "bm3d", 1, 2)])  # fmt: skip
def test_gain(name, module, noise, gain):
    """A baseline is better than the bilinear input by more than `gain` dB, for odd sides."""
    pytest.importorskip(module)
    image, task = as_image(skimage.data.astronaut()[60:157, 180:261]), Demosaic(a=noise * A, b=noise * B)
    restored = baselines_for(task)[name](image, noise_of("a"))
    assert restored.shape == image.shape
    assert psnr(restored, image) > psnr(task.degrade(image, noise_of("a")), image) + gain


def test_same_noise_as_the_input(photo):
    """Malvar's method keeps measured values, and so does the bilinear interpolation of the input."""
    pytest.importorskip("colour")
    degraded, target = degraded_photo(Demosaic(), packed(photo), 0, torch.device("cpu"))
    restored = baselines_for(Demosaic())["malvar"](target, noise_of("0.png"))
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        site = (channel, slice(row, None, 2), slice(column, None, 2))
        assert torch.allclose(restored[site], degraded[site], atol=1e-7)
        assert not torch.equal(degraded[site], target[site])


@pytest.mark.parametrize("noise", [(A, B), (0.02, 1e-5), (0, 0.01)])
def test_unbiased_inverse(noise):
    """The mean of f over clipped Gaussian noise, by SciPy's adaptive quadrature of the definition."""
    transform = Anscombe(*noise)
    a, b = noise
    for y in (0.0, 0.003, 0.02, 0.1, 0.5, 0.9, 1.0):
        sigma = (a * y + b) ** 0.5

        def weighted(n: float, y: float = y, sigma: float = sigma) -> float:
            noisy = np.array(min(max(y + sigma * n, 0), 1))
            return float(transform.forward(noisy)) * np.exp(-(n**2) / 2) / (2 * np.pi) ** 0.5

        kinks = [n for n in (-y / sigma, (1 - y) / sigma) if abs(n) < 9]
        mean, _ = scipy.integrate.quad(weighted, -9, 9, limit=200, epsabs=1e-10, points=kinks)
        assert float(transform.inverse(np.array(mean))) == pytest.approx(y, abs=1e-4)
        algebraic = (mean * a / 2) ** 2 / a - 0.375 * a - b / a if a else mean * b**0.5
        if a and y == 0.5:  # (E f)² = E f² - var f with var f about 1: the bias that the table removes
            assert algebraic - y == pytest.approx(-a / 4, rel=0.1)
        if y == 1:  # half of the noise is clipped
            assert algebraic - y == pytest.approx(-sigma * 0.4, rel=0.1)


def test_transformed_noise_is_one():
    transform = Anscombe(A, B)
    normal = np.random.default_rng(0).standard_normal(100_000)
    for y, tolerance in ((0.0, 0.1), (0.05, 0.03), (0.3, 0.015), (1.0, 0.015)):
        noisy = y + (A * y + B) ** 0.5 * normal
        assert transform.forward(noisy).std() == pytest.approx(1, abs=tolerance)
    constant = Anscombe(0, 0.0004)
    assert constant.forward(0.3 + 0.02 * normal).std() == pytest.approx(1, abs=0.015)
    assert constant.inverse(constant.forward(np.array([0.3]))) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="variance a y \\+ b > 0"):
        Anscombe(0, 0)


def test_planes_are_denoised_apart():
    """A denoiser that averages a plane restores four flat planes of different levels, of odd sizes."""
    levels = np.empty((101, 121))
    for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        levels[row::2, column::2] = 0.15 + 0.2 * number
    noise = np.random.default_rng(0).standard_normal(levels.shape)
    noisy = levels + (A * levels + B) ** 0.5 * noise
    planes = []

    def average(plane: np.ndarray, sigma: float) -> np.ndarray:
        planes.append((plane.shape, float(plane.std() / sigma)))
        return np.full_like(plane, plane.mean())

    clean = denoised(noisy, Demosaic(a=A, b=B), average)
    assert clean == pytest.approx(levels, abs=0.004)  # 3000 pixels: the standard error is 0.001
    assert [shape for shape, _ in planes] == [(51, 61), (51, 60), (50, 61), (50, 60)]
    assert [ratio for _, ratio in planes] == pytest.approx([1] * 4, abs=0.05)
    assert denoised(levels, Demosaic(a=0, b=0), average) is levels


@pytest.mark.parametrize(("name", "module"), [("menon", "colour_demosaicing"), ("bm3d", "bm3d")])
def test_missing_package(photo, monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"needs {module}, .*pip install -e '\.\[baselines\]'"):
        baselines_for(Demosaic())[name](as_image(photo), torch.Generator())
