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
    """The values of `score`, of the input and of each network; each photograph is degraded once, for all networks."""

    class Counting(Demosaic):
        calls = 0

        def degrade(self, image, generator):
            Counting.calls += 1
            return super().degrade(image, generator)

    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    together = values({"net": network, "same": torch.nn.Identity()}, Counting(), photos, ALL_METRICS)
    assert Counting.calls == 2
    assert len(together) == 3 * 2 * len(ALL_METRICS)
    degraded, target = degraded_photo(Demosaic(), photos, 1, CPU)
    for loss, image in {INPUT: degraded, "same": degraded, "net": restore_image(network, degraded)}.items():
        for metric, value in score(image.clamp(-1, 2), target).items():
            assert together[loss, "1.png", metric] == pytest.approx(float(value), rel=1e-12, nan_ok=True)
    assert together[INPUT, "0.png", "psnr"] != together[INPUT, "1.png", "psnr"]


def test_networks_in_training_mode(photo):
    """Networks are scored and validated in eval mode, and keep their mode and buffers."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.2))
    photos = packed(photo)
    validation = Validation(JPEG(), photos, protocol=Protocol(), device=CPU)

    def scored() -> list[float]:
        crop = next(validation.crops(network)).mean().item()
        return [*values({"net": network}, JPEG(), photos).values(), *validation.scores(network).values(), crop]

    before = {name: value.clone() for name, value in network.state_dict().items()}
    in_training_mode = scored()
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()
    assert in_training_mode == pytest.approx(scored(), nan_ok=True, abs=0)


def test_validation(photo, network):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    validation = Validation(Demosaic(), photos, protocol=Protocol(), device=CPU)
    scores, per_photo = validation.scores(network), values({"net": network}, Demosaic(), photos)
    assert list(scores) == list(QUICK)
    assert scores["psnr"] == pytest.approx(np.mean([per_photo["net", f"{index}.png", "psnr"] for index in (0, 1)]))
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
