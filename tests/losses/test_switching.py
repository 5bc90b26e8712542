"""One loss first, then another."""

import pytest
import torch

from restoration.losses import L1Loss, L2Loss
from restoration.losses.switching import SwitchedLoss


@pytest.mark.parametrize(("progress", "now"), [(0.0, L1Loss()), (0.299, L1Loss()), (0.3, L2Loss()), (0.999, L2Loss())])
def test_the_share_of_the_training_decides(progress, now):
    loss = SwitchedLoss(L1Loss(), L2Loss(), at=0.3)
    loss.progress = progress
    restored, target = torch.rand(2, 4, 3, 31, 31).unbind()
    assert loss(restored, target) == now(restored, target)


@pytest.mark.parametrize("at", [0.0, 1.0, -0.5, 50])
def test_a_switch_that_never_comes_is_refused(at):
    with pytest.raises(ValueError, match=rf"lies in \(0, 1\), got {at}"):
        SwitchedLoss(L1Loss(), L2Loss(), at=at)
