"""Metrics: equal to brute-force formulas and to other libraries in float64, and properties of their definitions.

GMSD, FSIM, FSIMc and IW-SSIM have no second independent implementation here: their reference is piq.
"""

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
from restoration.scoring import artefacts, metrics
from restoration.tasks import JPEG, Demosaic
from tests.scoring.conftest import after, photograph, prepared, values_of

PIQ = {
    "iw_ssim": piq.information_weighted_ssim,
    "gmsd": piq.gmsd,
    "fsim": partial(piq.fsim, chromatic=False),
    "fsimc": partial(piq.fsim, chromatic=True),
}
SSIMS = ("ssim", "ms_ssim")


def as_array(image: Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).double().numpy()


def test_names():
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
    """Even sides at every scale, one odd side, and both; JPEG blocks reveal shifted pairs of pixels.

    In the white region of the target, float32 would be wrong by more than 1e-9.
    """
    restored, target = (prepared(image[:, : size[0], 40 : 40 + size[1]])[:, 1:2] for image in jpeg_pair)
    target[..., :60, :] = 1
    versions = torch.cat([restored, 1 - target, (target - 0.01).clamp_min(0)])
    values = values_of(versions, target, SSIMS)
    truth = target[0, 0].double().numpy()
    for index, image in enumerate(versions[:, 0].double().numpy()):
        assert values["ssim"][index] == pytest.approx(brute_force(image, truth)[0], abs=1e-9)
        assert values["ms_ssim"][index] == pytest.approx(wang_pyramid(image, truth), abs=1e-7)  # halved in float32


def test_errors_of_pixels(jpeg_pair):
    restored, target = (prepared(image) for image in jpeg_pair)
    values = values_of(restored, target, ("l2", "l1", "psnr"))
    x, y = as_array(restored), as_array(target)
    assert values["l2"] == pytest.approx([np.mean((x - y) ** 2)], rel=1e-6)
    assert values["l1"] == pytest.approx([np.mean(np.abs(x - y))], rel=1e-6)
    assert values["psnr"] == pytest.approx([skimage.metrics.peak_signal_noise_ratio(y, x, data_range=1)], abs=1e-5)


@pytest.mark.parametrize(("task", "height", "width"), [(JPEG(), 161, 162), (Demosaic(), 233, 301), (JPEG(), 385, 400)])
def test_piq(task, height, width):
    """Odd and even sides; more than 128 rows cross the strips of IW-SSIM; with 385 rows FSIM pools by two."""
    restored, target = after(task, photograph(height, width))
    values = values_of(restored, target, PIQ)
    for name, theirs in PIQ.items():
        assert values[name] == pytest.approx([float(theirs(restored.double(), target.double()))], abs=1e-10), name


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


def test_more_noise_is_worse():
    target = photograph(165, 170)
    versions = torch.cat([after(Demosaic(a=0, b=sigma**2), target)[0] for sigma in (0.01, 0.03, 0.1)])
    for name, column in values_of(versions, prepared(target)).items():
        assert column == sorted(column, reverse=METRICS[name].higher_is_better), name
        assert len(set(column)) == 3, name
