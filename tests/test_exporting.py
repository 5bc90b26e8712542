"""ONNX files give what PyTorch gives, for images of any size."""

import numpy as np
import pytest
import torch

import restoration
from restoration import exporting
from restoration.cli import main
from restoration.errors import UserError
from restoration.networks.cnn import RestorationCNN

onnxruntime = pytest.importorskip("onnxruntime")


def difference(path, network: torch.nn.Module, *shape: int) -> float:
    """The largest difference between onnxruntime and PyTorch."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    (restored,) = session.run(None, {"degraded": image.numpy()})
    with torch.no_grad():
        return float(np.abs(restored - network(image).numpy()).max())


def test_shipped_network(tmp_path, capsys):
    path = tmp_path / "jpeg.onnx"
    assert main(["export", "--task", "jpeg", "--loss", "l1", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    network = restoration.load("jpeg", "l1")
    for shape in ((1, 3, 1, 1), (1, 3, 97, 130), (3, 3, 31, 31)):
        assert difference(path, network, *shape) < 1e-4
    assert main(["export", "--task", "jpeg", str(path)]) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_trained_network(tmp_path):
    """BatchNorm is exported in eval mode; the network keeps its mode."""
    network = torch.nn.Sequential(RestorationCNN(residual=True), torch.nn.BatchNorm2d(3)).train()
    network(torch.rand(4, 3, 40, 40))
    restoration.export(network, tmp_path / "mine.onnx")
    assert network.training
    assert difference(tmp_path / "mine.onnx", network.eval(), 2, 3, 50, 60) < 1e-4


def test_missing_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PACKAGES", ("onnx", "absent"))
    with pytest.raises(UserError, match=r"absent must be installed: pip install 'restoration-losses\[export\]'"):
        restoration.export(RestorationCNN(), tmp_path / "a.onnx")
