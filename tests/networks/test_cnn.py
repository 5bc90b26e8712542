"""The paper's network and its residual variant."""

import pytest
import torch

from restoration.networks import RestorationCNN


@pytest.mark.parametrize("residual", [False, True])
def test_size_and_identity_start(residual, device):
    network = RestorationCNN(residual=residual).to(device)
    assert sum(weight.numel() for weight in network.parameters()) == 9 * 9 * 3 * 64 + 5 * 5 * 64 * (64 + 3) + 259
    degraded = torch.rand(2, 3, 33, 40, device=device)
    torch.testing.assert_close(network(degraded), degraded)


def test_residual():
    network = RestorationCNN(residual=True, identity_start=False)
    degraded = torch.rand(1, 3, 31, 31)
    assert torch.equal(network(degraded), degraded + network.layers(degraded))
    assert torch.equal(network(degraded[0]), network(degraded)[0])
    assert not torch.allclose(network(degraded), degraded)


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_after_identity_start(residual, device):
    """Weights of 0 in the output do not stop the other weights from learning."""
    network = RestorationCNN(residual=residual).to(device)
    optimizer = torch.optim.Adam(network.parameters())
    degraded, target = torch.rand(2, 1, 3, 31, 31, device=device)
    for _ in range(2):
        network.zero_grad()
        (network(degraded) - target).abs().mean().backward()
        optimizer.step()
    assert all(weight.grad.any() for weight in network.parameters())
