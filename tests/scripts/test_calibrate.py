"""make calibrate: weights that give each term its share of the gradient."""

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from restoration.errors import UserError
from restoration.losses import L1Loss, L2Loss
from restoration.training.calibration import gradient_norms, mean_shares, weights_for
from scripts.make import Refused, command
from tests.scripts.conftest import call


def test_known_weights():
    """Three times L1 has three times the gradient of L1, for every batch."""
    batches = [(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)) for _ in range(3)]
    norms = gradient_norms({"l1": L1Loss(), "l2": L2Loss()}, batches)
    torch.testing.assert_close(norms[:, 0], torch.full((3,), (2 * 3 * 64) ** -0.5, dtype=torch.float64))
    shares = {"l1": 0.2, "three": 0.8}
    weights = weights_for(shares, norms[:, :1] * torch.tensor([1.0, 3.0]))
    assert weights.tolist() == pytest.approx([1, 4 / 3])
    uneven = torch.tensor([[1.0, 1.0], [1.0, 10.0], [1.0, 100.0]], dtype=torch.float64)
    assert mean_shares(weights_for(shares, uneven), uneven).tolist() == pytest.approx([0.2, 0.8])
    with pytest.raises(UserError, match="the gradient of three is zero"):
        weights_for(shares, norms * torch.tensor([1.0, 0.0]))


def test_written_loss(tiny, tmp_path, refused):
    """The YAML builds the sum; an existing file is not overwritten."""
    words = [*tiny, "terms={l1:50,edge:30,ms_ssim:20}", "task=sr", "batches=16", f"written_to={tmp_path}"]
    assert "next: make train TASK=sr LOSS=l1_50_edge_30_ms_ssim_20" in call("calibrate", *words)
    path = tmp_path / "l1_50_edge_30_ms_ssim_20.yaml"
    config = OmegaConf.load(path)
    assert config.pop("about").title == "L1 50 % + Edges 30 % + MS-SSIM 20 %"
    loss = instantiate(config)
    assert isinstance(loss.losses, nn.ModuleDict)
    restored, target = torch.rand(2, 4, 3, 31, 31)
    assert loss(restored, target) == pytest.approx(sum(loss.terms(restored, target).values()).item())
    refused("calibrate", words, f"{path} exists")
    refused("calibrate", [*words, "terms=null"], "make calibrate LOSS=l1:80,edge:20")


def test_words_of_make():
    words = command("calibrate", {"LOSS": "l1:80,edge:2.5", "TASK": "sr"})
    assert words == ["-m", "scripts", "calibrate", "terms={l1:80,edge:2.5}", "task=sr"]
    for text, answer in (("", "needs its share"), ("l1,edge", "needs its share"), ("L1:1", "did you mean l1?")):
        with pytest.raises(Refused, match=answer):
            command("calibrate", {"LOSS": text})
