"""The paper's other rows, and luma: equal to independent formulas where these are short, else to piq's own functions.

FSIM, FSIMc and IW-SSIM have no independent implementation here: their values are piq's, and what must hold by
definition.
"""

import math
from functools import partial

import numpy as np
import piq
import pytest
import scipy.signal
import skimage.color
import skimage.data
import skimage.metrics
import torch

from restoration.scoring import iw_ssim
from restoration.scoring.metrics import METRICS, QUICK, score
from restoration.scoring.protocol import Protocol
from restoration.tasks import JPEG, Demosaic

PIQ = {
    "iw_ssim": piq.information_weighted_ssim,
    "gmsd": piq.gmsd,
    "fsim": partial(piq.fsim, chromatic=False),
    "fsimc": partial(piq.fsim, chromatic=True),
}
OTHERS = [name for name in METRICS if name not in QUICK]


def photograph(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(skimage.data.coffee()[:height, :width].copy()).permute(2, 0, 1).float() / 255


def pair(task, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    degraded = task.degrade(target, torch.Generator().manual_seed(0))
    return Protocol().prepare(degraded), Protocol().prepare(target)


def as_array(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).double().numpy()


def test_rows_stand_in_the_papers_order():
    names = ["l2", "psnr", "l1", "ssim", "ms_ssim", "iw_ssim", "gmsd", "fsim", "fsimc", "psnr_y", "ssim_y"]
    assert list(METRICS) == names
    assert [name for name in METRICS if not METRICS[name].higher_is_better] == ["l2", "l1", "gmsd"]


@pytest.mark.parametrize(("height", "width"), [(161, 161), (162, 301), (233, 170), (400, 401)])
@pytest.mark.parametrize("task", [JPEG(), Demosaic()], ids=["jpeg", "noise"])
def test_they_equal_piq_in_float64_for_odd_and_even_sizes(task, height, width):
    """400 rows make FSIM pool by two, 301 columns and more than 128 rows cross the strips of IW-SSIM."""
    restored, target = pair(task, photograph(height, width))
    (values,) = score(restored, target)
    for name, theirs in PIQ.items():
        assert values[name] == pytest.approx(float(theirs(restored.double(), target.double())), abs=1e-10), name


def test_a_white_sky_is_scored_as_by_piq_in_float64_which_float32_misses():
    target = torch.from_numpy(skimage.data.astronaut()[:400, :400].copy()).permute(2, 0, 1).float() / 255
    target[:, :200] = 1
    restored, target = pair(JPEG(), target)
    expected = float(piq.information_weighted_ssim(restored.double(), target.double()))
    (values,) = score(restored, target, metrics=["iw_ssim"])
    assert values["iw_ssim"] == pytest.approx(expected, abs=1e-9)
    assert abs(float(piq.information_weighted_ssim(restored, target)) - expected) > 1e-5


@pytest.mark.parametrize("strip", [1, 30, 1000])
def test_strips_of_iw_ssim_cover_each_row_once(monkeypatch, strip):
    restored, target = pair(Demosaic(), photograph(170, 190))
    (whole,) = score(restored, target, metrics=["iw_ssim"])
    monkeypatch.setattr(iw_ssim, "STRIP", strip)
    assert score(restored, target, metrics=["iw_ssim"])[0] == pytest.approx(whole, rel=1e-10)


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
def test_gmsd_is_the_papers_formula(task):
    restored, target = pair(task, photograph(120, 180))
    (values,) = score(restored, target, metrics=["gmsd"])
    assert values["gmsd"] == pytest.approx(gmsd(as_array(restored), as_array(target)), abs=1e-9)


@pytest.mark.parametrize("task", [JPEG(), Demosaic()], ids=["jpeg", "noise"])
def test_luma_rows_equal_scikit_images_on_its_ycbcr(task):
    restored, target = pair(task, photograph(121, 180))
    (values,) = score(restored, target, metrics=["psnr_y", "ssim_y"])
    x, y = (skimage.color.rgb2ycbcr(as_array(image))[..., 0] for image in (restored, target))
    # scikit-image's coefficients are those of MATLAB's rgb2ycbcr, rounded in the same digit
    expected = skimage.metrics.peak_signal_noise_ratio(y, x, data_range=255)
    assert values["psnr_y"] == pytest.approx(expected, abs=1e-6)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    _, ssim_map = skimage.metrics.structural_similarity(x, y, full=True, **wang)
    assert values["ssim_y"] == pytest.approx(ssim_map[5:-5, 5:-5].mean(), abs=1e-8)


def test_luma_runs_from_16_to_235_with_a_peak_of_255():
    """Black against white: the difference is 219 of 255 levels."""
    (values,) = score(torch.ones(1, 3, 20, 20), torch.zeros(1, 3, 20, 20), metrics=["psnr_y", "ssim_y"])
    assert values["psnr_y"] == pytest.approx(20 * math.log10(255 / 219), abs=1e-9)
    c1 = (0.01 * 255) ** 2
    assert values["ssim_y"] == pytest.approx((2 * 16 * 235 + c1) / (16**2 + 235**2 + c1), abs=1e-9)


def test_equal_photographs_are_perfect():
    target = Protocol().prepare(photograph(200, 210))
    (values,) = score(target, target, metrics=OTHERS)
    assert values.pop("gmsd") == 0
    assert values.pop("psnr_y") == math.inf
    assert values == pytest.approx(dict.fromkeys(values, 1), abs=1e-12)


def test_more_noise_is_worse_in_every_row():
    target = photograph(200, 210)
    versions = [pair(Demosaic(a=0, b=sigma**2), target)[0] for sigma in (0.01, 0.03, 0.1)]
    values = score(torch.cat(versions), Protocol().prepare(target))
    for name, metric in METRICS.items():
        column = [own[name] for own in values]
        assert column == sorted(column, reverse=metric.higher_is_better), name
        assert len(set(column)) == 3, name


def test_only_fsimc_of_the_papers_last_four_sees_a_change_of_colour_alone():
    target = photograph(200, 210).clamp(0.2, 0.8)
    shift = torch.tensor([0.1, -0.1 * (0.299 - 0.114) / 0.587, -0.1])[:, None, None]  # of the same luma
    (values,) = score((target + shift)[None], target[None], metrics=OTHERS)
    assert values["fsim"] == pytest.approx(1, abs=1e-6)
    assert values["iw_ssim"] == pytest.approx(1, abs=1e-6)
    assert values["gmsd"] == pytest.approx(0, abs=1e-6)
    assert values["fsimc"] < 0.9999


def test_what_is_not_defined_is_not_a_number():
    small = torch.rand(1, 3, 160, 200)
    assert math.isnan(score(small, small, metrics=["iw_ssim"])[0]["iw_ssim"])
    flat = torch.full((1, 3, 170, 170), 0.5)
    assert math.isnan(score(flat, flat, metrics=["iw_ssim"])[0]["iw_ssim"])
    grey = torch.rand(1, 1, 170, 170)
    (values,) = score(grey, grey, metrics=METRICS)
    assert {name for name, value in values.items() if math.isnan(value)} == {"fsimc", "psnr_y", "ssim_y"}


def test_versions_are_scored_alike_alone_and_together():
    target = photograph(180, 190)
    versions = torch.cat([pair(task, target)[0] for task in (JPEG(), Demosaic())])
    truth = Protocol().prepare(target)
    together = score(versions, truth, metrics=OTHERS)
    for values, version in zip(together, versions, strict=True):
        assert values == pytest.approx(score(version[None], truth, metrics=OTHERS)[0], rel=1e-12)
