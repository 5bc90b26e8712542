"""The trial call: every mistake in a loss, network or task is named before the training."""

import functools
import re

import piq
import pytest
import torch
from torch import nn
from torch.nn import functional

import restoration.losses
from restoration.errors import UserError
from restoration.losses import Clamped, L1Loss, L2Loss, MixLoss, Sum, Switch
from restoration.networks import RestorationCNN
from restoration.tasks import JPEG, Demosaic, SuperResolution
from restoration.training.trial import try_parts

CPU = torch.device("cpu")


class Loss(nn.Module):
    """A loss of any function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, restored, target):
        return self.function(restored, target)


def squared(restored, target):
    return (restored - target).square().mean()


def numpy_l1(restored, target):
    return torch.as_tensor(abs(restored.detach().numpy() - target.numpy()).mean())


class Terms(L1Loss):
    """L1 with terms from a function."""

    def __init__(self, terms):
        super().__init__()
        self.make = terms

    def terms(self, restored, target):
        return self.make(restored, target)


def similarity(restored, target):
    return 1 - squared(restored, target)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.L1Loss(reduction="none"), r"shape \(4, 3, 31, 31\), not one number: set its reduction"),
        (Loss(lambda x, y: (squared(x, y), x)), "returns a tuple, not one number"),
        (Loss(lambda x, y: {"l2": squared(x, y)}), "returns a dict, not one number: .*terms"),
        (Loss(lambda x, y: squared(x, y).item()), "returns a float, not one number: .*gradient"),
        (Loss(lambda x, y: None), "returns a NoneType, not one number: forward has no return"),
        (Loss(lambda x, y: squared(x, y).detach()), r"Loss has no gradient: look for detach\(\)"),
        (Loss(numpy_l1), "Loss has no gradient"),
        (Loss(lambda x, y: squared(x, y).sqrt() * torch.inf), "of a noisy patch, or its gradient, is not finite"),
        (Loss(lambda x, y: squared(x, y) * 0), "gradient of the loss Loss is zero"),
        (Loss(lambda x, y: squared(x, y, 1)), "Loss fails on patches of 31 x 31 pixels: TypeError"),
        (piq.MultiScaleSSIMLoss(), "refuses patches of 31 x 31 pixels.*at least 161x161"),
        (piq.SSIMLoss(), r"(?s)refuses values outside \[0, 1\].*restoration\.losses\.Clamped"),
        (Loss(lambda x, y: (x.sqrt() - y.sqrt()).square().mean()), r"refuses values outside.*not finite"),
        (Switch(L1Loss(), nn.L1Loss(reduction="none")), "not one number"),
        (Terms(lambda x, y: {"l1": (x - y).abs()}), "terms.*l1 has the shape"),
        (Terms(lambda x, y: [1]), r"fails in terms\(\)"),
        (Loss(similarity), r"1 for an exact patch and .* for a noisy one(.|\n)*weights: {similarity: -1}"),
        (Switch(L1Loss(), Loss(similarity)), "1 for an exact patch"),
        (functools.partial(L1Loss), "_partial_: true"),
        ({"alpha": 0.84}, "add _target_: module.Class"),
        (L1Loss, "the loss is the class L1Loss"),
        (functional.l1_loss, r"a loss is a torch\.nn\.Module"),
    ],
)
def test_refused_losses(loss, message):
    with pytest.raises(UserError, match=message):
        try_parts(RestorationCNN(), loss, JPEG(), CPU)


@pytest.mark.parametrize(
    ("loss", "warning"),
    [
        (Loss(lambda x, y: squared(x, y).sqrt()), "not finite for an exact or flat patch"),
        (Clamped(piq.GMSDLoss()), "not finite for an exact or flat patch"),
        (Terms(lambda x, y: {"constant": torch.ones(()), "number": 0.5}), None),
        (Clamped(piq.HaarPSILoss()), None),
        (nn.SmoothL1Loss(beta=0.01), None),
        (Sum({"similarity": Loss(similarity)}, {"similarity": -1}), None),
    ],
)
def test_warnings(loss, warning):
    warnings = try_parts(RestorationCNN(), loss, JPEG(), CPU)
    assert len(warnings) == (warning is not None)
    assert all(re.search(warning, text) for text in warnings)


class Detached(RestorationCNN):
    def forward(self, degraded):
        return super().forward(degraded).detach()


class HalfSize(RestorationCNN):
    """Accepts even sides only, like most U-Nets."""

    def forward(self, degraded):
        return functional.interpolate(functional.avg_pool2d(super().forward(degraded), 2), scale_factor=2)


class OnlyPatches(RestorationCNN):
    def forward(self, degraded):
        return super().forward(degraded).view(-1, 3, 31, 31)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Conv2d(3, 3, 5), r"Conv2d returns the shape \(4, 3, 27, 27\), not \(4, 3, 31, 31\)"),
        (nn.Conv2d(3, 1, 5, padding=2), r"returns the shape \(4, 1, 31, 31\)"),
        (nn.Sequential(RestorationCNN(), nn.PixelShuffle(1), nn.Upsample(scale_factor=2)), r"\(4, 3, 62, 62\)"),
        (HalfSize(), r"\(4, 3, 30, 30\), not"),
        (OnlyPatches(), "fails on a photograph of 67 x 90 pixels; it must take any size"),
        (nn.Conv2d(1, 3, 5, padding=2), "Conv2d fails on patches of 31 x 31 pixels: RuntimeError"),
        (nn.Identity(), "Identity has no weights to train"),
        (RestorationCNN().requires_grad_(False), "has no weights to train"),
        (Detached(), "Detached.*gradient"),
        (RestorationCNN, "the network is the class RestorationCNN"),
        ({}, "add _target_"),
    ],
)
def test_refused_networks(network, message):
    with pytest.raises(UserError, match=message):
        try_parts(network, L1Loss(), JPEG(), CPU)


class Task(JPEG):
    """JPEG with one method replaced."""

    def __init__(self, **methods):
        super().__init__()
        for name, method in methods.items():
            object.__setattr__(self, name, method)


class Anonymous:
    margin = 0

    def degrade(self, image, generator):
        return image


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task(degrade=lambda image, generator: image[:, ::2, ::2]), r"degrade\(\) of the task Task returns the shape"),
        (Task(degrade=lambda image, generator: image * 255), r"values from .* not in \[0, 1\]"),
        (Task(degrade=lambda image, generator: image / 0 * 0), "not all finite"),
        (Task(degrade=lambda image: image), "fails to degrade a photograph: TypeError"),
        (
            Task(patches=lambda *args: (torch.zeros(4, 3, 29, 29), torch.zeros(4, 3, 31, 31))),
            r"patches\(\) of the task",
        ),
        (Task(patches=lambda *args: None), "fails to make training patches"),
        (object(), "fails to degrade a photograph: AttributeError"),
        (Task(margin=9), "margin of the task Task is 9 pixels"),
        (Anonymous(), "repr of the task Anonymous must name its settings"),
        ({}, "add _target_"),
    ],
)
def test_refused_tasks(task, message):
    with pytest.raises(UserError, match=message):
        try_parts(RestorationCNN(), L1Loss(), task, CPU)


@pytest.mark.parametrize(("task", "bf16"), [(Demosaic(), False), (SuperResolution(scale=3), True), (JPEG(), False)])
def test_own_parts(task, bf16):
    names = {name for name in restoration.losses.__all__ if name.endswith("Loss")}
    names -= {"LPIPSLoss", "VGGLoss", "PyramidMSSSIMLoss"}  # need weights, or large images
    losses = [getattr(restoration.losses, name)() for name in sorted(names)]
    for loss in [*losses, Switch(L1Loss(), L2Loss())]:
        assert try_parts(RestorationCNN(residual=True), loss, task, CPU, bf16=bf16) == []


def test_global_random_numbers():
    """The trial call draws no global random numbers."""
    state = torch.get_rng_state()
    model = RestorationCNN()
    torch.set_rng_state(state)
    try_parts(model, MixLoss(), Demosaic(), CPU)
    assert torch.equal(torch.get_rng_state(), state)
