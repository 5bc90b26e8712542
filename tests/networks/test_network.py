"""The paper's network and its residual variant."""

import pytest
import torch

from restoration.networks.cnn import RestorationCNN


@pytest.mark.parametrize("residual", [False, True])
def test_it_has_the_papers_size_and_starts_as_the_identity(residual):
    network = RestorationCNN(residual=residual)
    assert sum(layer.weight.numel() for layer in network.layers[::2]) == 64 * 81 * 3 + 64 * 25 * 64 + 3 * 25 * 64
    degraded = torch.rand(2, 3, 33, 40)
    torch.testing.assert_close(network(degraded), degraded)


def test_a_residual_network_adds_to_its_input():
    network = RestorationCNN(residual=True, identity_start=False)
    degraded = torch.rand(1, 3, 31, 31)
    assert torch.equal(network(degraded), degraded + network.layers(degraded))
    assert not torch.allclose(network(degraded), degraded)
    assert not torch.allclose(RestorationCNN(identity_start=False)(degraded), degraded, atol=0.1)


def test_a_residual_network_learns_from_its_start():
    network = RestorationCNN(residual=True)
    optimizer = torch.optim.Adam(network.parameters())
    degraded, target = torch.rand(2, 1, 3, 31, 31).unbind()
    for _ in range(3):
        network.zero_grad()
        loss = (network(degraded) - target).abs().mean()
        loss.backward()
        optimizer.step()
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())
