"""Use of networks: tiles equal the whole image; eval mode inside; the network is not changed."""

import pytest
import torch
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import restore_image


class BatchNormalised(nn.Sequential):
    """Convolution, BatchNorm, Dropout, and a frozen BatchNorm: all that behaves differently in training."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.BatchNorm2d(3))
        self[3].eval()
        nn.init.constant_(self[1].running_mean, 0.3)
        nn.init.constant_(self[3].running_var, 4.0)


class Counting(nn.Module):
    """Changes its buffers also in eval mode, and keeps a tensor of its first call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", torch.zeros(()))
        self.weight = nn.Parameter(torch.ones(()))
        self.kept: Tensor | None = None

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        self.last = image.mean()
        self.kept = image.new_ones(()) if self.kept is None else self.kept
        return self.weight * self.kept * image


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 50, 70, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("tile", [17, 50, 512])
@pytest.mark.parametrize("network", [RestorationCNN(identity_start=False), nn.Conv2d(3, 3, 41, padding=20)])
def test_tiles_equal_the_whole(image, network, tile, device):
    """Networks without `receptive_radius` get the whole image."""
    network, image = network.to(device), image.to(device)
    assert torch.allclose(restore_image(network, image, tile=tile), network(image[None])[0], atol=1e-6)


def test_receptive_radius():
    network = RestorationCNN(identity_start=False)
    image = torch.zeros(1, 3, 41, 41, requires_grad=True)
    network(image)[0, :, 20, 20].sum().backward()
    assert image.grad is not None
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.min(), rows.max()) == (20 - network.receptive_radius, 20 + network.receptive_radius)


def test_eval_mode(image, device):
    """Eval mode inside; modes and buffers are restored afterwards."""
    network, image = BatchNormalised().to(device), image.to(device)
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    restored = restore_image(network, image)
    expected = network[3]((network[0](image[None]) - 0.3) / (1 + 1e-5) ** 0.5)[0]
    assert torch.allclose(restored, expected, atol=1e-6)
    assert [module.training for module in network.modules()] == modes == [True, True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not restored.requires_grad


def test_buffers_and_kept_tensors(image, device):
    """Buffers are restored; a tensor that the network kept while it was scored can be used in training."""
    network, image = Counting().to(device), image.to(device)
    restore_image(network, image)
    assert (network.calls, network.last) == (0, 0)
    network(image[None]).sum().backward()
    assert network.weight.grad is not None


def test_mode_after_an_error():
    network = nn.Conv2d(1, 3, 3)
    with pytest.raises(RuntimeError, match="channels"):
        restore_image(network, torch.rand(3, 8, 8))
    assert network.training


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Conv2d(3, 1, 3, padding=1), r"three channels .* \(1, 3, 50, 70\) it returned \(1, 1, 50, 70\)"),
        (nn.Conv2d(3, 3, 3), r"it returned \(1, 3, 48, 68\)"),
        (nn.Flatten(0, 1), r"it returned \(3, 50, 70\)"),
        (nn.MaxPool2d(1, return_indices=True), "one tensor, got tuple"),
    ],
)
def test_refused_outputs(image, network, message):
    with pytest.raises(UserError, match=message):
        restore_image(network, image)
