"""Muon against torch.optim.Muon and torch.optim.Adam, on kernels as on matrices."""

import copy

import pytest
import torch
from torch import Tensor, nn

from restoration.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(64, 1600), (3, 1600), (64, 3), (5, 5)])
def test_orthogonal(shape, device):
    """The singular vectors stay, small and large singular values come near 1."""
    generator = torch.Generator().manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    s = torch.logspace(0, -2, len(s))
    singular = u.T @ orthogonal((u * s @ v).to(device)).cpu() @ v.T
    values = singular.diagonal()
    assert values.min() > 0.3
    assert values.max() < 1.25
    assert (singular - values.diag()).abs().max() < 1e-3


def test_orthogonal_of_zero():
    assert orthogonal(torch.zeros(3, 5)).equal(torch.zeros(3, 5))


def moved(weight: Tensor, optimizer: torch.optim.Optimizer, steps: int) -> Tensor:
    """The weight after steps along fixed random gradients."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()
    return weight.detach()


def test_matrix_as_torch():
    """torch.optim.Muon computes in bfloat16."""
    ours, theirs = nn.Parameter(torch.zeros(8, 20)), nn.Parameter(torch.zeros(8, 20))
    expected = moved(theirs, torch.optim.Muon([theirs], lr=0.02, weight_decay=0, momentum=0.9), 5)
    torch.testing.assert_close(moved(ours, Muon([ours], lr=1e-3, scale=20), 5), expected, rtol=0, atol=1e-3)


def test_vector_as_adam():
    ours, theirs = nn.Parameter(torch.ones(64)), nn.Parameter(torch.ones(64))
    expected = moved(theirs, torch.optim.Adam([theirs], lr=1e-3, betas=(0.9, 0.99)), 5)
    torch.testing.assert_close(moved(ours, Muon([ours], lr=1e-3), 5), expected)


def test_kernel_is_a_matrix():
    """A row for each output channel, in whatever order the kernel lies in memory."""
    matrix = nn.Parameter(torch.zeros(4, 27))
    kernel = nn.Parameter(torch.zeros(4, 3, 3, 3))
    last = nn.Parameter(torch.zeros(4, 3, 3, 3).to(memory_format=torch.channels_last))
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(4, 27, generator=generator)
    for weight in (matrix, kernel, last):
        weight.grad = gradient.view(weight.shape).clone(memory_format=torch.preserve_format)
        Muon([weight]).step()
    torch.testing.assert_close(kernel.detach().flatten(1), matrix.detach())
    torch.testing.assert_close(last.detach().flatten(1), matrix.detach())


def test_state():
    """Steps continue exactly from a copy of weights and state; parameters without a gradient stay."""
    model = nn.ParameterList([torch.randn(3, 4), torch.randn(5), torch.randn(2)])
    generator = torch.Generator().manual_seed(2)
    gradients = [[torch.randn(w.shape, generator=generator) for w in model[:2]] for _ in range(6)]

    def run(model: nn.ParameterList, optimizer: Muon, steps: list[list[Tensor]]) -> None:
        for step in steps:
            for weight, gradient in zip(model, step, strict=False):
                weight.grad = gradient.clone()
            optimizer.step()

    whole, first = copy.deepcopy(model), copy.deepcopy(model)
    run(whole, Muon(whole.parameters()), gradients)
    before = Muon(first.parameters())
    run(first, before, gradients[:3])
    second = copy.deepcopy(first)
    after = Muon(second.parameters())
    after.load_state_dict(before.state_dict())
    run(second, after, gradients[3:])
    assert all(torch.equal(a, b) for a, b in zip(whole, second, strict=True))
    assert torch.equal(second[2], model[2])
