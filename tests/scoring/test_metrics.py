"""Metrics: equal to brute-force formulas and to other libraries in float64, and properties of their definitions.

FSIM, FSIMc and IW-SSIM have no second independent implementation here: their reference is piq.
"""

import math
from functools import partial

import numpy as np
import piq
import pytest
import scipy.ndimage
import scipy.signal
import skimage.color
import skimage.data
import skimage.metrics
import torch
from torch import Tensor

from restoration.names import ARTEFACTS, METRICS
from restoration.scoring import artefacts, iw_ssim, metrics, ssim
from restoration.scoring.score import score
from restoration.tasks import JPEG, Demosaic
from tests.scoring.conftest import after, as_image, photograph, prepared, values_of

PIQ = {
    "iw_ssim": piq.information_weighted_ssim,
    "gmsd": piq.gmsd,
    "fsim": partial(piq.fsim, chromatic=False),
    "fsimc": partial(piq.fsim, chromatic=True),
}
SSIMS = ("ssim", "ms_ssim")


def as_array(image: Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).double().numpy()


def noisy(target: Tensor, amount: float, seed: int = 0) -> Tensor:
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed))
    return prepared(target[0] + amount * noise[0])


def test_every_metric_has_facts_and_a_function():
    assert list(metrics.FUNCTIONS) == list(METRICS)
    assert list(artefacts.FUNCTIONS) == list(ARTEFACTS)


def brute_force(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """SSIM and its factor cs of one channel, from the weighted sums over every 11 x 11 window."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = (np.lib.stride_tricks.sliding_window_view(image, (11, 11)) for image in (x, y))

    def mean(values: np.ndarray) -> np.ndarray:
        return (weights * values).sum(axis=(2, 3))

    mu_x, mu_y = mean(x), mean(y)
    centred_x, centred_y = x - mu_x[..., None, None], y - mu_y[..., None, None]
    variances = mean(centred_x**2) + mean(centred_y**2)
    luminance = (2 * mu_x * mu_y + 0.01**2) / (mu_x**2 + mu_y**2 + 0.01**2)
    cs = (2 * mean(centred_x * centred_y) + 0.03**2) / (variances + 0.03**2)
    return float((luminance * cs).mean()), float(cs.mean())


def wang_pyramid(x: np.ndarray, y: np.ndarray) -> float:
    """MS-SSIM of one channel, halved as Wang's code does it.

    That is imfilter(image, ones(2) / 4, 'symmetric') and every second sample from the first on. MATLAB's origin of a
    kernel of 2 is its first element: a sample is the mean of a pixel and the next one, mirrored at the end.
    """
    value = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale > 0:
            x, y = (
                scipy.ndimage.correlate(image, np.full((2, 2), 0.25), mode="reflect", origin=(-1, -1))[::2, ::2]
                for image in (x, y)
            )
        ssim, cs = brute_force(x, y)
        value *= max(ssim if scale == 4 else cs, 0) ** weight
    return value


@pytest.mark.parametrize("size", [(176, 176), (161, 176), (176, 163), (167, 161)], ids=str)
def test_wangs_pyramid(jpeg_pair, size):
    """Even sides at every scale, one odd side, and both; the blocks of a JPEG show if pairs of pixels are shifted."""
    restored, target = (prepared(image[:, : size[0], 40 : 40 + size[1]])[:, 1:2] for image in jpeg_pair)
    versions = torch.cat([restored, 1 - target])
    values = values_of(versions, target, SSIMS)
    truth = target[0, 0].double().numpy()
    for index, image in enumerate(versions[:, 0].double().numpy()):
        assert values["ssim"][index] == pytest.approx(brute_force(image, truth)[0], abs=1e-9)
        assert values["ms_ssim"][index] == pytest.approx(wang_pyramid(image, truth), abs=1e-7)  # halved in float32


def test_ssim_equals_piq(jpeg_pair):
    """Sides that are even at every scale, where piq halves as Wang does; flat and white images among them."""
    degraded, target = (prepared(image[:, :176, :192])[:, 1:2] for image in jpeg_pair)
    flat, white = torch.full_like(target, 0.5), target.clone()
    white[..., :100, :] = 1
    cases = [
        (degraded, target),
        (noisy(white, 0.01), white),
        (flat + 0.2, flat),
        (torch.ones_like(flat), torch.zeros_like(flat)),
        (noisy(flat + 0.5, 0.003, seed=1), noisy(flat + 0.5, 0.003, seed=2)),
    ]
    for restored, truth in cases:
        values = values_of(restored, truth, SSIMS)
        doubles = (restored.double(), truth.double())
        assert values["ssim"] == pytest.approx([float(piq.ssim(*doubles, downsample=False))], abs=1e-7)
        assert values["ms_ssim"] == pytest.approx([float(piq.multi_scale_ssim(*doubles))], abs=1e-6)


def test_other_libraries(jpeg_pair):
    restored, target = (prepared(image) for image in jpeg_pair)
    values = values_of(restored, target, ("l2", "l1", "psnr", "ssim"))
    x, y = as_array(restored), as_array(target)
    assert values["l2"] == pytest.approx([np.mean((x - y) ** 2)], rel=1e-6)
    assert values["l1"] == pytest.approx([np.mean(np.abs(x - y))], rel=1e-6)
    assert values["psnr"] == pytest.approx([skimage.metrics.peak_signal_noise_ratio(y, x, data_range=1)], abs=1e-5)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1, "channel_axis": 2}
    _, ssim_map = skimage.metrics.structural_similarity(x, y, full=True, **wang)
    assert values["ssim"] == pytest.approx([ssim_map[5:-5, 5:-5].mean()], abs=1e-9)


@pytest.mark.parametrize(("task", "height", "width"), [(JPEG(), 161, 162), (Demosaic(), 233, 301), (JPEG(), 385, 400)])
def test_piq(task, height, width):
    """Odd and even sides; more than 128 rows cross the strips of IW-SSIM; with 385 rows FSIM pools by two."""
    restored, target = after(task, photograph(height, width))
    values = values_of(restored, target, PIQ)
    for name, theirs in PIQ.items():
        assert values[name] == pytest.approx([float(theirs(restored.double(), target.double()))], abs=1e-10), name


def test_white_sky():
    """IW-SSIM in float64; in float32 it would be off by more than 1e-6."""
    target = as_image(skimage.data.astronaut()[:200, 150:350])
    target[:, :100] = 1
    restored, target = after(JPEG(), target)
    expected = float(piq.information_weighted_ssim(restored.double(), target.double()))
    assert values_of(restored, target, ["iw_ssim"])["iw_ssim"] == pytest.approx([expected], abs=1e-9)


def gmsd(x: np.ndarray, y: np.ndarray) -> float:
    """Xue et al. 2014, section II, of even sizes: 2 x 2 means, Prewitt with zeros outside, T = 170 in 8-bit levels."""
    prewitt = np.array([[1, 0, -1]] * 3) / 3

    def gradient(image: np.ndarray) -> np.ndarray:
        luma = 255 * image @ [0.299, 0.587, 0.114]
        half = (luma[::2, ::2] + luma[1::2, ::2] + luma[::2, 1::2] + luma[1::2, 1::2]) / 4
        return np.hypot(*(scipy.signal.convolve2d(half, kernel, mode="same") for kernel in (prewitt, prewitt.T)))

    x, y = gradient(x), gradient(y)
    return float(((2 * x * y + 170) / (x**2 + y**2 + 170)).std())


@pytest.mark.parametrize("task", [JPEG(), Demosaic()], ids=["jpeg", "noise"])
def test_gmsd_formula(task):
    restored, target = after(task, photograph(120, 180))
    expected = gmsd(as_array(restored), as_array(target))
    assert values_of(restored, target, ["gmsd"])["gmsd"] == pytest.approx([expected], abs=1e-9)


@pytest.mark.parametrize("task", [JPEG(), Demosaic()], ids=["jpeg", "noise"])
def test_luma_of_scikit_image(task):
    """scikit-image's coefficients are those of MATLAB's rgb2ycbcr, rounded in the same digit."""
    restored, target = after(task, photograph(121, 180))
    values = values_of(restored, target, ["psnr_y", "ssim_y"])
    x, y = (skimage.color.rgb2ycbcr(as_array(image))[..., 0] for image in (restored, target))
    expected = skimage.metrics.peak_signal_noise_ratio(y, x, data_range=255)
    assert values["psnr_y"] == pytest.approx([expected], abs=1e-6)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    _, ssim_map = skimage.metrics.structural_similarity(x, y, full=True, **wang)
    assert values["ssim_y"] == pytest.approx([ssim_map[5:-5, 5:-5].mean()], abs=1e-8)


def test_known_differences():
    """Of flat images, contrast and structure are 1; luma of black and white differs by 219 of 255 levels."""
    target = torch.full((1, 3, 20, 20), 0.5)
    values = values_of(target + 0.1, target, ("psnr", "l1", "ssim"))
    assert values["psnr"] == pytest.approx([20], abs=1e-4)
    assert values["l1"] == pytest.approx([0.1])
    assert values["ssim"] == pytest.approx([(2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4)], abs=1e-7)
    values = values_of(torch.ones(1, 3, 20, 20), torch.zeros(1, 3, 20, 20), ("psnr_y", "ssim_y"))
    assert values["psnr_y"] == pytest.approx([20 * math.log10(255 / 219)], abs=1e-9)
    c1 = (0.01 * 255) ** 2
    assert values["ssim_y"] == pytest.approx([(2 * 16 * 235 + c1) / (16**2 + 235**2 + c1)], abs=1e-9)


def test_symmetry_and_company():
    """All but IW-SSIM are symmetric; a version's value does not depend on the other versions."""
    target = photograph(165, 170)
    versions = torch.cat([after(task, target)[0] for task in (JPEG(), Demosaic())])
    truth = prepared(target)
    together, alone = values_of(versions, truth), values_of(versions[:1], truth)
    back = values_of(truth, versions[:1])
    for name in METRICS:
        assert together[name][0] == pytest.approx(alone[name][0], rel=1e-12), name
        if name != "iw_ssim":
            assert back[name] == pytest.approx(alone[name], rel=1e-9), name


def test_more_noise_is_worse():
    target = photograph(165, 170)
    versions = torch.cat([after(Demosaic(a=0, b=sigma**2), target)[0] for sigma in (0.01, 0.03, 0.1)])
    for name, column in values_of(versions, prepared(target)).items():
        assert column == sorted(column, reverse=METRICS[name].higher_is_better), name
        assert len(set(column)) == 3, name


def test_colour_alone():
    """A shift of colour that keeps the luma: of IW-SSIM, GMSD, FSIM and FSIMc, only FSIMc sees it."""
    target = photograph(165, 170).clamp(0.2, 0.8)
    shift = torch.tensor([0.1, -0.1 * (0.299 - 0.114) / 0.587, -0.1])[:, None, None]
    values = values_of((target + shift)[None], target[None], PIQ)
    assert values["fsim"] == pytest.approx([1], abs=1e-6)
    assert values["iw_ssim"] == pytest.approx([1], abs=1e-6)
    assert values["gmsd"] == pytest.approx([0], abs=1e-6)
    assert values["fsimc"][0] < 0.9999


@pytest.mark.parametrize(
    ("module", "name", "size"),
    [(ssim, "TILE", 1), (ssim, "TILE", 7), (ssim, "TILE", 500), (iw_ssim, "STRIP", 30), (iw_ssim, "STRIP", 1000)],
)
def test_tiles_and_strips(monkeypatch, module, name, size):
    """Each window position counts once, whatever the size of the pieces."""
    metric, rows = ("iw_ssim", 165) if module is iw_ssim else ("ssim", 30)
    restored, target = (image[0] for image in after(JPEG(), photograph(rows, 166)))
    whole = score(restored, target, metrics=metric)[metric]
    monkeypatch.setattr(module, name, size)
    assert float(score(restored, target, metrics=metric)[metric]) == pytest.approx(float(whole), rel=1e-10)
