"""Whole photographs of a task: the same inputs for every loss, the same values as `score`, untouched networks."""

import math

import numpy as np
import pytest
import torch

from restoration.names import INPUT, QUICK
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import Validation, degraded_photo, evaluate
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score
from restoration.tasks import JPEG, Demosaic
from tests.conftest import packed

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> RestorationCNN:
    torch.manual_seed(0)
    return RestorationCNN(identity_start=False)


def values(models, task, photos, metrics=QUICK) -> dict[tuple[str, str, str], float]:
    per_photo = evaluate(models, task, photos, protocol=Protocol(), device=CPU, metrics=metrics)
    return {(s.loss, s.image, s.metric): s.value for scores in per_photo for s in scores}


def test_scores_of_a_task(photo, network):
    """The input and every network, with the values of `score`; other networks in the same call change nothing."""
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    together = values({"net": network, "same": torch.nn.Identity()}, Demosaic(), photos, ALL_METRICS)
    assert len(together) == 3 * 2 * len(ALL_METRICS)
    degraded, target = degraded_photo(Demosaic(), photos, 1, CPU)
    expected = score(restore_image(network, degraded), target)
    for metric in ALL_METRICS:
        assert together["net", "1.png", metric] == pytest.approx(float(expected[metric]), rel=1e-12, nan_ok=True)
        assert together["same", "1.png", metric] == pytest.approx(together[INPUT, "1.png", metric], nan_ok=True)
    alone = values({"net": network}, Demosaic(), photos)
    assert alone == {key: pytest.approx(together[key], rel=1e-12, nan_ok=True) for key in alone}
    assert alone[INPUT, "0.png", "psnr"] != alone[INPUT, "1.png", "psnr"]


def test_photographs_are_degraded_once(photo, network):
    class Counting(JPEG):
        calls = 0

        def degrade(self, image, generator):
            Counting.calls += 1
            return super().degrade(image, generator)

    values({"net": network, "same": torch.nn.Identity(), "again": network}, Counting(), packed(photo, photo))
    assert Counting.calls == 2


def test_networks_in_training_mode(photo):
    """Networks are scored and validated in eval mode, and keep their mode and buffers."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.2))
    photos = packed(photo)
    validation = Validation(JPEG(), photos, protocol=Protocol(), device=CPU)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, again = values({"net": network}, JPEG(), photos), values({"net": network}, JPEG(), photos)
    assert first == pytest.approx(again, nan_ok=True, abs=0)
    assert all(module.training for module in network.modules())
    validated, crops = validation.scores(network), list(validation.crops(network))
    network.eval()
    assert first == pytest.approx(values({"net": network}, JPEG(), photos), nan_ok=True, abs=0)
    assert validated == pytest.approx(validation.scores(network), nan_ok=True, abs=0)
    assert torch.equal(crops[0], next(validation.crops(network)))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_validation(photo, network):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    validation = Validation(Demosaic(), photos, protocol=Protocol(), device=CPU)
    psnr = [value for (loss, _, metric), value in values({"net": network}, Demosaic(), photos).items()
            if (loss, metric) == ("net", "psnr")]  # fmt: skip
    scores = validation.scores(network)
    assert list(scores) == list(QUICK)
    assert scores["psnr"] == pytest.approx(np.mean(psnr))
    assert math.isnan(scores["ms_ssim"])  # the photographs are too small
    for crop in validation.crops(network, side=40):
        assert crop.shape == (3, 40, 120)
        assert crop.min() >= 0
        assert crop.max() <= 1


def test_perfect_photographs_leave_the_mean(photo):
    """A black photograph has an infinite PSNR after JPEG, but the mean stays finite."""
    black = np.zeros_like(photo)
    model = torch.nn.Identity()
    both, alone = (
        Validation(JPEG(), packed(*photos), protocol=Protocol(), device=CPU).scores(model)
        for photos in ((photo, black), (photo,))
    )
    assert both["psnr"] == pytest.approx(alone["psnr"])
    assert both["l1"] == pytest.approx(alone["l1"] / 2)
