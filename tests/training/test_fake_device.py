"""A training and a validation on a made-up device, which refuses to mix devices and to hand numbers to Python.

Fake tensors have shapes and devices, but no values: `float(tensor)` raises an error, as a GPU would have to be waited
for. The device is "meta", because PyTorch computes gradients on fake CUDA tensors only where it finds a GPU.
"""

import pytest
import torch
from pytorch_optimizer import SOAP
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from restoration.losses import Clamped, L1Loss, L2Loss, MixLoss, MSSSIML2Loss, MSSSIMLoss, SSIMLoss, Switch
from restoration.networks import RestorationCNN
from restoration.scoring.evaluate import Validation
from restoration.scoring.protocol import Protocol
from restoration.tasks import JPEG, Demosaic, SuperResolution
from restoration.training import checkpoint
from restoration.training import train as module
from restoration.training.budget import Budget
from restoration.training.patches import PatchSampler
from restoration.training.train import train
from tests.conftest import crop, packed
from tests.training.runs import NoValidation

DEVICE = torch.device("meta")
LOSSES = [
    *(L1Loss(), L2Loss(), SSIMLoss(), MSSSIMLoss(), MixLoss(), MixLoss(dense=True), MSSSIML2Loss()),
    *(Clamped(MixLoss()), Switch(L1Loss(), L2Loss(), at=0.5)),
]
TASKS = [Demosaic(), SuperResolution(scale=3), JPEG()]


@pytest.fixture
def photos():
    return packed(crop())


@pytest.fixture
def fake(photos, monkeypatch):
    """All tensors that are made from here on are fake."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # knows no meta device
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


@pytest.fixture
def checks(monkeypatch) -> list[int]:
    """Replaces checks and checkpoints by counters: the number of batches of each check; 0 for a checkpoint."""
    checks = []
    monkeypatch.setattr(module, "check_finite", lambda batches, *_: checks.append(len(batches)))
    monkeypatch.setattr(checkpoint, "write_checkpoint", lambda path, state: checks.append(0))
    return checks


def network() -> RestorationCNN:
    with DEVICE:  # fake weights cannot be moved
        return RestorationCNN()


@pytest.mark.parametrize(("loss", "task"), [*zip(LOSSES, 3 * TASKS, strict=True)], ids=lambda part: type(part).__name__)
def test_training_waits_only_to_check(photos, fake, checks, tmp_path, task, loss):
    photos = photos.to(DEVICE)
    model, loss = network(), loss.to(DEVICE)
    sampler = PatchSampler(task, photos, photos, 4, torch.Generator())
    budget = Budget(patches=24, batch=4, learning_rate=1e-3, validations=1)
    optimizer = SOAP(model.parameters(), precondition_frequency=2)
    options = {"folder": tmp_path, "identity": {}, "bf16": False, "check_steps": 3}
    train(model, loss, optimizer, sampler, NoValidation(), budget, **options)
    assert checks == [3, 3, 0]


def test_fake_device_can_fail(fake):
    with pytest.raises(DataDependentOutputException):
        float(torch.ones(1, device=DEVICE))
    with pytest.raises(RuntimeError, match="same device"):
        L1Loss()(torch.ones(1, 3, 31, 31, device=DEVICE), torch.ones(1, 3, 31, 31))


def test_validation_waits_only_for_scores(photos):
    """A validation waits for the device once, after all photographs are scored."""
    validation = Validation(Demosaic(), photos, protocol=Protocol(), device=torch.device("cpu"))
    with FakeTensorMode(allow_non_fake_inputs=True):
        validation.pairs = 2 * [tuple(image.to(DEVICE) for image in pair) for pair in validation.pairs]
        with pytest.raises(DataDependentOutputException) as caught:
            validation.scores(network())
    assert [frame.name for frame in caught.traceback if "restoration" in frame.path.parts[-3:]] == ["scores"]
