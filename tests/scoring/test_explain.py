"""`explain`: our values under other libraries' settings equal those of the libraries themselves."""

import io
import math

import kornia
import numpy as np
import piq
import pytest
import pytorch_msssim
import skimage.data
import skimage.metrics
import torch
import torchmetrics.functional.image as torchmetrics
from PIL import Image

from restoration.scoring.explain import LIBRARIES, OURS, explain
from restoration.scoring.score import score
from tests.scoring.conftest import as_image


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A photograph after JPEG of quality 20, and the photograph, (H, W, 3) uint8."""
    photo = np.ascontiguousarray(skimage.data.coffee()[:height, :width])
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=20)
    return np.array(Image.open(file)), photo


def studio_luma(pixels: np.ndarray) -> np.ndarray:
    return 16 + pixels @ [65.481, 128.553, 24.966] / 255


def by_libraries(restored: np.ndarray, photo: np.ndarray) -> dict[tuple[str, str], float]:
    """The values of the libraries at their defaults, in float64 if the library accepts it."""
    x, y = (as_image(pixels)[None].double() for pixels in (restored, photo))
    luma = studio_luma(restored), studio_luma(photo)
    cropped = tuple(image[4:-4, 4:-4] for image in luma)
    wang = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        ("scikit-image", "psnr"): skimage.metrics.peak_signal_noise_ratio(photo, restored),
        ("scikit-image", "ssim"): skimage.metrics.structural_similarity(photo, restored, channel_axis=-1),
        ("torchmetrics", "psnr"): float(torchmetrics.peak_signal_noise_ratio(x, y, data_range=1.0)),
        ("torchmetrics", "ssim"): float(torchmetrics.structural_similarity_index_measure(x, y)),
        ("torchmetrics", "ms_ssim"): float(torchmetrics.multiscale_structural_similarity_index_measure(x, y)),
        ("piq", "psnr"): float(piq.psnr(x, y)),
        ("piq", "ssim"): float(piq.ssim(x, y)),
        ("piq", "ms_ssim"): float(piq.multi_scale_ssim(x, y)),
        ("pytorch-msssim", "ssim"): float(pytorch_msssim.ssim(x, y)),
        ("pytorch-msssim", "ms_ssim"): float(pytorch_msssim.ms_ssim(x, y)),
        ("pytorch-msssim, 0 to 255", "ssim"): float(pytorch_msssim.ssim(255 * x, 255 * y)),
        ("pytorch-msssim, 0 to 255", "ms_ssim"): float(pytorch_msssim.ms_ssim(255 * x, 255 * y)),
        ("kornia, 11x11", "psnr"): float(kornia.metrics.psnr(x, y, 1.0)),
        ("kornia, 11x11", "ssim"): float(kornia.metrics.ssim(x, y, 11).mean()),
        ("MATLAB-like luma", "psnr"): skimage.metrics.peak_signal_noise_ratio(*luma, data_range=255),
        ("MATLAB-like luma", "ssim"): skimage.metrics.structural_similarity(*luma, **wang),
        ("MATLAB-like luma, border 4", "psnr"): skimage.metrics.peak_signal_noise_ratio(*cropped, data_range=255),
        ("MATLAB-like luma, border 4", "ssim"): skimage.metrics.structural_similarity(*cropped, **wang),
    }


@pytest.mark.parametrize(("height", "width"), [(400, 600), (301, 350), (189, 211)])
def test_values_of_libraries(height, width):
    """Even sides, odd sides and one of each, with and without piq's reduction."""
    restored, photo = pair(height, width)
    steps = explain(as_image(restored), as_image(photo))
    last = {(step.library, step.metric): step for step in steps}
    expected = by_libraries(restored, photo)
    assert set(expected) >= {key for key in last if "luma" not in key[0]}
    for key, value in expected.items():
        assert last[key].value == pytest.approx(value, abs=1e-4), key


def test_steps_lead_from_our_protocol():
    restored, photo = (as_image(pixels) for pixels in pair(301, 350))
    ours = {name: float(value) for name, value in score(restored, photo).items()}
    steps = explain(restored, photo)
    for library, metrics in LIBRARIES.items():
        for metric, theirs in metrics.items():
            path = [step for step in steps if (step.library, step.metric) == (library, metric)]
            assert path[0].value == pytest.approx(ours[metric], abs=1e-5)
            assert path[0].value + sum(step.difference for step in path) == pytest.approx(path[-1].value)
            assert (len(path) == 1) == (theirs == OURS)
    luma = {step.metric: step.value for step in steps if step.library == "MATLAB-like luma"}
    assert luma["psnr"] == pytest.approx(ours["psnr_y"], abs=1e-6)
    assert luma["ssim"] == pytest.approx(ours["ssim_y"], abs=1e-6)


def test_small_images():
    values = explain(torch.rand(3, 40, 50), torch.rand(3, 40, 50))
    assert all(math.isnan(step.value) == (step.metric == "ms_ssim") for step in values)
