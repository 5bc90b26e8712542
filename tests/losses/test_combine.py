"""Losses made of other losses."""

import piq
import pytest
import torch
from torch import Tensor, nn

from restoration.losses import Clamped, L1Loss, L2Loss, MixLoss, Sum, Switch
from restoration.losses.combine import set_progress, terms_of


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """Restored, partly above 1, and target."""
    restored, target = torch.rand(2, 2, 3, 31, 31, generator=torch.Generator().manual_seed(0))
    return 1.2 * restored, target


def test_sum(pair):
    loss = Sum({"l1": L1Loss(), "inner": Sum({"l2": L2Loss()}, {"l2": 2})}, {"l1": 0.5, "inner": 3})
    assert loss.terms(*pair) == {"l1": 0.5 * L1Loss()(*pair), "inner": 6 * L2Loss()(*pair)}
    assert loss(*pair) == 0.5 * L1Loss()(*pair) + 6 * L2Loss()(*pair)


@pytest.mark.parametrize(
    ("progress", "now"), [(0.0, MixLoss()), (0.299, MixLoss()), (0.3, L2Loss()), (0.999, L2Loss())]
)
def test_switch(pair, progress, now):
    """Progress reaches a switch inside other losses."""
    loss = Switch(MixLoss(), L2Loss(), at=0.3)
    set_progress(Sum({"inner": Clamped(loss)}, {"inner": 1}), progress)
    assert loss(*pair) == now(*pair)
    assert terms_of(loss, *pair) == terms_of(now, *pair)


def test_compiled_switch(pair):
    """The number of compilations does not grow with the steps: one for a constant progress, one for each loss."""
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    loss = Switch(L1Loss(), L2Loss())
    compiled = torch.compile(loss, backend=backend, fullgraph=True)
    for step in range(20):
        set_progress(loss, step / 20)
        assert compiled(*pair) == (L1Loss() if step < 10 else L2Loss())(*pair)
    assert len(graphs) <= 3


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda weights=weights: Sum({"l1": L1Loss()}, weights), "each loss needs one weight")
     for weights in ({}, {"l2": 1}, {"l1": 1, "l2": 1})]
    + [(lambda at=at: Switch(L1Loss(), L2Loss(), at=at), rf"before the switch, in \(0, 1\), got {at}")
       for at in (0.0, 1.0, -0.5, 50)],
)  # fmt: skip
def test_refused_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_clamped(pair):
    restored, target = pair
    peer = piq.SSIMLoss(data_range=1.0)
    with pytest.raises(AssertionError):
        peer(restored, target)
    restored.requires_grad_()
    value = Clamped(peer)(restored, target)
    assert value == peer(restored.clamp(0, 1), target)
    (gradient,) = torch.autograd.grad(value, restored)
    assert not gradient[restored > 1].any()
    assert gradient[restored < 1].any()
    assert Clamped(MixLoss()).terms(restored, target) == MixLoss().terms(restored.clamp(0, 1), target)
    assert terms_of(Clamped(nn.L1Loss()), restored, target) == {}
