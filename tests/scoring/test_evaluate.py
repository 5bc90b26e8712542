"""Whole photographs: tiles equal the whole, metrics equal other libraries', inputs are the same for every loss."""

import math

import numpy as np
import pandas
import piq
import pytest
import skimage.data
import skimage.metrics
import torch
import torchmetrics.functional.image as torchmetrics_image

from restoration.datasets.photos import PackedSet
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import restore_image
from restoration.scoring import evaluate as evaluation
from restoration.scoring import metrics
from restoration.scoring.evaluate import INPUT, Validation, evaluate, scores_of
from restoration.scoring.metrics import MEASURES, QUICK, score
from restoration.scoring.protocol import Protocol
from restoration.study.runs import Run, read_scores
from restoration.tasks import JPEG, Demosaic
from scripts.train import score_runs
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


def prepared(image: torch.Tensor) -> torch.Tensor:
    return Protocol().prepare(image)


def noisy(target: torch.Tensor, amount: float, seed: int = 0) -> torch.Tensor:
    """The same rounded to 8 bits after noise, in the form that metrics take."""
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed))
    return prepared(target[0] + amount * noise[0])


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


def brute_force_pyramid(x: np.ndarray, y: np.ndarray) -> float:
    """MS-SSIM of one channel; an odd side lets both images begin with their first row and column twice, as in piq."""
    value = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale > 0:
            odd = max(length % 2 for length in x.shape)
            x, y = (np.pad(image, ((odd, 0), (odd, 0)), mode="edge") for image in (x, y))
            height, width = (length // 2 * 2 for length in x.shape)
            x, y = (image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) for image in (x, y))
        ssim, cs = brute_force(x, y)
        value *= max(ssim if scale == 4 else cs, 0) ** weight
    return value


def test_ssim_and_ms_ssim_equal_the_sums_over_every_window(pair):
    target = prepared(pair[1][:, 20:184, 30:205])  # 164 x 175
    restored = torch.cat([prepared(pair[0][:, 20:184, 30:205]), noisy(target, 0.1), 1 - target])
    for image, values in zip(restored, score(restored, target), strict=True):
        channels = list(zip(image.double().numpy(), target[0].double().numpy(), strict=True))
        assert values["ssim"] == pytest.approx(np.mean([brute_force(x, y)[0] for x, y in channels]), abs=1e-9)
        expected = np.mean([brute_force_pyramid(x, y) for x, y in channels])
        assert values["ms_ssim"] == pytest.approx(expected, abs=1e-7)  # halved in float32


def white(target: torch.Tensor) -> torch.Tensor:
    """White above, the picture below."""
    image = target.clone()
    image[..., :100, :] = 1
    return image


@pytest.mark.parametrize(("height", "width"), [(161, 161), (162, 300), (163, 290), (200, 301)])
def test_ssim_and_ms_ssim_equal_piq_in_float64(pair, height, width):
    degraded, target = (prepared(image[:, :height, :width])[:, 1:2] for image in pair)
    flat = torch.full_like(target, 0.5)
    cases = [
        (degraded, target),
        (1 - target, target),
        (noisy(target, 0.02), target),
        (noisy(white(target), 0.01), white(target)),
        (flat + 0.2, flat),
        (torch.ones_like(flat), torch.zeros_like(flat)),
        (torch.ones_like(flat), flat + 0.49),
        (noisy(flat + 0.5, 0.003, seed=1), noisy(flat + 0.5, 0.003, seed=2)),
    ]
    for restored, truth in cases:
        (values,) = score(restored, truth, metrics=QUICK)
        doubles = (restored.double(), truth.double())
        assert values["ssim"] == pytest.approx(float(piq.ssim(*doubles, downsample=False)), abs=1e-7)
        assert values["ms_ssim"] == pytest.approx(float(piq.multi_scale_ssim(*doubles)), abs=1e-6)


def test_metrics_equal_other_libraries(pair):
    restored, target = (prepared(image) for image in pair)
    (values,) = score(restored, target, metrics=QUICK)
    x, y = (image[0].permute(1, 2, 0).double().numpy() for image in (restored, target))
    assert values["l2"] == pytest.approx(np.mean((x - y) ** 2), rel=1e-6)
    assert values["l1"] == pytest.approx(np.mean(np.abs(x - y)), rel=1e-6)
    assert values["psnr"] == pytest.approx(skimage.metrics.peak_signal_noise_ratio(y, x, data_range=1), abs=1e-5)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1, "channel_axis": 2}
    _, ssim_map = skimage.metrics.structural_similarity(x, y, full=True, **wang)
    assert values["ssim"] == pytest.approx(ssim_map[5:-5, 5:-5].mean(), abs=1e-9)
    settings = {"data_range": 1.0, "gaussian_kernel": True, "sigma": 1.5, "kernel_size": 11}
    even = (restored[..., :288, :448].double(), target[..., :288, :448].double())  # odd sides they drop, piq repeats
    theirs = torchmetrics_image.multiscale_structural_similarity_index_measure(*even, **settings)
    (values,) = score(*(image.float() for image in even), metrics=QUICK)
    assert values["ms_ssim"] == pytest.approx(float(theirs), abs=2e-3)  # they extend the image by reflection


def test_equal_images_are_perfect(pair):
    for target in (prepared(pair[1]), torch.ones(1, 3, 170, 170), torch.zeros(1, 1, 161, 200)):
        (values,) = score(target, target, metrics=QUICK)
        assert values == {"l2": 0, "psnr": math.inf, "l1": 0, "ssim": 1, "ms_ssim": 1}


def test_metrics_are_symmetric_and_below_one(pair):
    degraded, target = (prepared(image) for image in pair)
    (there,), (back,) = (score(*pair, metrics=QUICK) for pair in ((degraded, target), (target, degraded)))
    assert there == pytest.approx(back, rel=1e-9)
    assert there["ssim"] < 1
    assert there["ms_ssim"] < 1


def test_images_are_scored_alike_alone_and_together(pair):
    degraded, target = (prepared(image) for image in pair)
    restored = torch.cat([degraded, noisy(target, 0.1), target])
    together = score(restored, target, metrics=QUICK)
    assert len(together) == 3
    for values, image in zip(together, restored, strict=True):
        assert values == pytest.approx(score(image[None], target, metrics=QUICK)[0], rel=1e-12)


@pytest.mark.parametrize("tile", [1, 7, 50, 128, 500])
def test_tiles_of_the_window_positions_cover_each_once(pair, monkeypatch, tile):
    restored, target = (prepared(image[:, :45, :38]) for image in pair)
    (whole,) = score(restored, target)
    monkeypatch.setattr(metrics, "TILE", tile)
    assert score(restored, target)[0] == pytest.approx(whole, rel=1e-12, nan_ok=True)


def test_a_channel_alone_counts_as_one_of_three(pair):
    restored, target = (prepared(image) for image in pair)
    alone = [score(restored[:, c : c + 1], target[:, c : c + 1], metrics=QUICK)[0] for c in range(3)]
    (together,) = score(restored, target, metrics=QUICK)
    for metric in ("l2", "l1", "ssim", "ms_ssim"):
        assert together[metric] == pytest.approx(np.mean([values[metric] for values in alone]), rel=1e-6)


def test_metrics_of_known_differences():
    target = torch.full((1, 3, 200, 200), 0.5)
    (values,) = score(target + 0.1, target)
    assert values["psnr"] == pytest.approx(20, abs=1e-4)
    assert values["l1"] == pytest.approx(0.1)
    # flat images: contrast and structure are 1, so that SSIM is the luminance term alone
    assert values["ssim"] == pytest.approx((2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4), abs=1e-7)


def test_small_images_have_no_ms_ssim_and_tiny_ones_are_refused():
    small = torch.rand(1, 3, 160, 300)
    (values,) = score(small, small)
    assert math.isnan(values["ms_ssim"])
    assert values["ssim"] == 1
    assert score(small[..., :11, :11], small[..., :11, :11])[0]["ssim"] == 1
    with pytest.raises(ValueError, match=r"11x11 pixels or more, got 10x300.*border"):
        score(small[..., :10, :], small[..., :10, :])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_metrics_on_a_gpu_equal_those_on_the_cpu(pair):
    restored, target = (prepared(image) for image in pair)
    (there,) = score(restored.cuda(), target.cuda())
    assert there == pytest.approx(score(restored, target)[0], rel=1e-5)


def test_few_large_images_at_once_score_alike(pair, network, monkeypatch):
    degraded, target = pair
    images = [degraded, target, restore_image(network, degraded)]
    together = scores_of(images, prepared(target), Protocol(), metrics=QUICK)
    monkeypatch.setattr(evaluation, "AT_ONCE", 1000)
    assert scores_of(iter(images), prepared(target), Protocol(), metrics=QUICK) == [
        pytest.approx(values, rel=1e-12) for values in together
    ]


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
    assert len(alone) == 2 * 2 * len(MEASURES)
    for (loss, image, metric), value in alone.items():
        assert together[loss, image, metric] == pytest.approx(value, nan_ok=True)
        assert value == pytest.approx(alone[INPUT, image, metric], nan_ok=True)
    assert alone[INPUT, "0.png", "psnr"] != alone[INPUT, "1.png", "psnr"]


def test_a_photograph_is_degraded_once_for_all_models(photo, network):
    class Counting(JPEG):
        calls = 0

        def degrade(self, image, generator):
            Counting.calls += 1
            return super().degrade(image, generator)

    models = {"net": network, "same": torch.nn.Identity(), "again": network}
    list(evaluate(models, Counting(), packed(photo, photo), protocol=Protocol(), device=CPU))
    assert Counting.calls == 2


def test_runs_scored_together_leave_what_each_would_leave_alone(photo, network, tmp_path):
    photos = packed(photo)
    photo_set = PackedSet(photos, photos, {"one": photos, "two": packed(photo[::-1], photo[:, ::-1])})
    runs = [Run(tmp_path, "data", "quick", "demosaic", *name) for name in (("l1", 0), ("l1", 1), ("mix", 0))]
    models = dict(zip(runs, (network, torch.nn.Identity(), network), strict=True))
    score_runs(models, Demosaic(), photo_set, Protocol(), CPU)
    together = [read_scores([run]) for run in runs]
    for run, rows in zip(runs, together, strict=True):
        score_runs({run: models[run]}, Demosaic(), photo_set, Protocol(), CPU)
        pandas.testing.assert_frame_equal(rows, read_scores([run]))
        assert set(rows["loss"]) == {INPUT, run.loss}
        assert set(rows["seed"]) == {run.seed}
        assert len(rows) == 3 * 2 * len(MEASURES)


def test_validation_is_the_mean_of_the_evaluation(photo, network):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    validation = Validation(Demosaic(), photos, protocol=Protocol(), device=CPU)
    per_photo = evaluate({"net": network}, Demosaic(), photos, protocol=Protocol(), device=CPU)
    values = [s.value for row in per_photo for s in row if (s.loss, s.metric) == ("net", "psnr")]
    assert validation.scores(network)["psnr"] == pytest.approx(np.mean(values))
    assert list(validation.scores(network)) == list(QUICK)  # the others would cost more than the training between
    for crop in validation.crops(network, side=40):
        assert crop.shape == (3, 40, 120)
        assert crop.min() >= 0
        assert crop.max() <= 1
