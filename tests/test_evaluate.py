"""Whole photographs: tiles equal the whole, metrics equal other libraries', inputs are the same for every loss."""

import math

import numpy as np
import pytest
import skimage.data
import skimage.metrics
import torch
import torchmetrics.functional.image as torchmetrics_image

from restoration import metrics
from restoration.evaluate import INPUT, Validation, evaluate, restore
from restoration.metrics import METRICS, score
from restoration.network import RECEPTIVE_RADIUS, RestorationCNN
from restoration.protocol import Protocol
from restoration.tasks import JPEG, Demosaic
from tests.conftest import packed

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A photograph after JPEG and itself, (3, 300, 451)."""
    target = torch.from_numpy(skimage.data.chelsea().copy()).permute(2, 0, 1).float() / 255
    return JPEG().degrade(target, torch.Generator()), target


@pytest.fixture(scope="module")
def network() -> RestorationCNN:
    torch.manual_seed(0)
    return RestorationCNN(identity_start=False)


@pytest.mark.parametrize("tile", [40, 100, 299, 512])
def test_tiles_equal_the_whole(network, pair, tile):
    degraded, _ = pair
    with torch.inference_mode():
        whole = network(degraded[None])[0]
    assert torch.allclose(restore(network, degraded, tile=tile), whole, atol=1e-6)


def test_an_output_pixel_sees_what_the_network_says(network):
    image = torch.zeros(1, 3, 41, 41, requires_grad=True)
    network(image)[0, :, 20, 20].sum().backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.min(), rows.max()) == (20 - RECEPTIVE_RADIUS, 20 + RECEPTIVE_RADIUS)


def test_network_has_the_papers_size_and_starts_as_asked(pair):
    network = RestorationCNN()
    kernels = [weight.numel() for weight in network.parameters() if weight.ndim == 4]
    assert kernels == [64 * 3 * 9 * 9, 64 * 64 * 5 * 5, 3 * 64 * 5 * 5]  # 122.8 k, and about 0.3 k biases and slopes
    assert sum(weight.numel() for weight in network.parameters()) == 123_011
    degraded, _ = pair
    assert torch.equal(restore(network, degraded), degraded)
    assert not torch.equal(restore(RestorationCNN(identity_start=False), degraded), degraded)


def test_metrics_equal_other_libraries(pair):
    restored, target = (Protocol().prepare(image) for image in pair)
    values = score(restored, target)
    x, y = (image[0].permute(1, 2, 0).double().numpy() for image in (restored, target))
    assert values["l2"] == pytest.approx(np.mean((x - y) ** 2), rel=1e-5)
    assert values["l1"] == pytest.approx(np.mean(np.abs(x - y)), rel=1e-5)
    assert values["psnr"] == pytest.approx(skimage.metrics.peak_signal_noise_ratio(y, x, data_range=1), abs=1e-3)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1, "channel_axis": 2}
    _, ssim_map = skimage.metrics.structural_similarity(x, y, full=True, **wang)
    assert values["ssim"] == pytest.approx(ssim_map[5:-5, 5:-5].mean(), abs=1e-4)
    theirs = torchmetrics_image.multiscale_structural_similarity_index_measure(
        restored.double(), target.double(), data_range=1.0, gaussian_kernel=True, sigma=1.5, kernel_size=11
    )
    assert values["ms_ssim"] == pytest.approx(float(theirs), abs=2e-3)  # they pad, piq does not


def test_large_images_are_measured_channel_by_channel_with_the_same_result(pair, monkeypatch):
    restored, target = (Protocol().prepare(image) for image in pair)
    at_once = score(restored, target)
    monkeypatch.setattr(metrics, "LARGE", 1000)
    assert score(restored, target) == pytest.approx(at_once, abs=1e-6)


def test_metrics_of_known_differences():
    target = torch.full((1, 3, 200, 200), 0.5)
    values = score(target + 0.1, target)
    assert values["psnr"] == pytest.approx(20, abs=1e-4)
    assert values["l1"] == pytest.approx(0.1)
    # flat images: contrast and structure are 1, so that SSIM is the luminance term alone
    assert values["ssim"] == pytest.approx((2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4), abs=3e-4)  # in float32
    assert score(target, target)["psnr"] == math.inf
    small = torch.rand(1, 3, 160, 300)
    assert math.isnan(score(small, small)["ms_ssim"])


def test_protocol_clamps_rounds_crops_and_converts():
    image = torch.tensor([-0.2, 0.5, 1.3])[:, None, None].expand(3, 8, 10)
    assert Protocol().prepare(image)[0, :, 0, 0].tolist() == pytest.approx([0, 128 / 255, 1])
    assert Protocol(border=3).prepare(image).shape == (1, 3, 2, 4)
    luma = Protocol(colour="y").prepare(image)
    assert luma.shape == (1, 1, 8, 10)
    assert float(luma[0, 0, 0, 0]) == pytest.approx(0.587 * 128 / 255 + 0.114)
    assert "luma" in str(Protocol(colour="y"))
    assert "3 px border" in str(Protocol(border=3))
    with pytest.raises(ValueError, match="rgb or y"):
        Protocol(colour="lab")


def test_every_loss_meets_the_same_noisy_input(photo, network):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    identity = torch.nn.Identity()

    def scores(models):
        per_photo = evaluate(models, Demosaic(), photos, protocol=Protocol(), device=CPU)
        return {(s.loss, s.image, s.metric): s.value for row in per_photo for s in row}

    alone, together = scores({"same": identity}), scores({"other": network, "same": identity})
    assert len(alone) == 2 * 2 * len(METRICS)
    for (loss, image, metric), value in alone.items():
        assert together[loss, image, metric] == pytest.approx(value, nan_ok=True)
        assert value == pytest.approx(alone[INPUT, image, metric], nan_ok=True)
    assert alone[INPUT, "0.png", "psnr"] != alone[INPUT, "1.png", "psnr"]


def test_validation_is_the_mean_of_the_evaluation(photo, network):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    validation = Validation(Demosaic(), photos, protocol=Protocol(), device=CPU)
    per_photo = evaluate({"net": network}, Demosaic(), photos, protocol=Protocol(), device=CPU)
    values = [s.value for row in per_photo for s in row if (s.loss, s.metric) == ("net", "psnr")]
    assert validation.scores(network)["psnr"] == pytest.approx(np.mean(values))
    for crop in validation.crops(network, side=40):
        assert crop.shape == (3, 40, 120)
        assert crop.min() >= 0
        assert crop.max() <= 1
