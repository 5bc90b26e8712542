"""What test_distributed.py runs in each of two processes: python -m tests.distributed_cases CASE FOLDER"""

import math
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from restoration.losses import L1Loss, MixLoss
from restoration.networks.cnn import RestorationCNN
from restoration.training.budget import Budget
from restoration.training.distributed import World, joined
from restoration.training.train import Interrupted
from scripts.cli import clear_errors, end_at_once
from tests.conftest import crop
from tests.training.test_train import StopAfter, run, weights


def messages(world: World, folder: Path) -> None:
    """What the processes tell one another; the mean of their gradients is the gradient of the whole batch."""
    torch.manual_seed(0)
    model, loss = RestorationCNN().double(), MixLoss().double()
    degraded, target = torch.rand(2, 6, 3, 31, 31, dtype=torch.float64)

    def gradients(patches: slice) -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss(model(degraded[patches]), target[patches]), list(model.parameters())))

    own, whole = gradients(slice(3 * world.rank, 3 * world.rank + 3)), gradients(slice(None))
    assert not torch.allclose(own[0], whole[0], rtol=1e-3)
    world.average(own)
    for mean, expected in zip(own, whole, strict=True):
        torch.testing.assert_close(mean, expected, rtol=1e-10, atol=1e-14)

    assert world.gathered(f"rank {world.rank}") == ["rank 0", "rank 1"]
    got = world.from_first(lambda: {"rank": world.rank, "weights": torch.arange(3)})
    assert got["rank"] == 0
    assert got["weights"].tolist() == [0, 1, 2]
    seeds = world.gathered([world.seed(seed, step) for seed in (0, 1) for step in (0, 1)])
    assert len({seed for some in seeds for seed in some}) == 8
    with world.in_turn():
        seen = (folder / "made").exists()
        (folder / "made").touch()
    assert seen == (world.rank == 1)


def train(world: World, folder: Path) -> None:
    """A whole run; runs that a signal to the second process stops; one that goes on so, one that began alone."""
    messages(world, folder)
    budget = Budget(patches=480, batch=8, learning_rate=1e-3, validations=1)
    run(crop(), folder / "long", budget=budget, world=world)

    whole = weights(run(crop(), folder / "whole", world=world))
    for name in ("cut", "left"):
        with pytest.raises(Interrupted, match="SIGTERM"):
            run(crop(), folder / name, loss=StopAfter(3) if world.rank else L1Loss(), world=world)
    assert torch.load(folder / "cut" / "checkpoint.pt", weights_only=True)["step"] == 3
    resumed = weights(run(crop(), folder / "cut", world=world))
    assert torch.equal(resumed, whole)
    assert torch.equal(*world.gathered(resumed))

    run(crop(), folder / "alone", world=world)


class FailsInSecond(L1Loss):
    """Not finite at the 7th batch of the second process, which it keeps."""

    def __init__(self, world: World, folder: Path):
        super().__init__()
        self.rank = world.rank
        self.file = folder / "seen.safetensors"
        self.calls = 0

    def forward(self, restored, target):
        self.calls += 1
        value = super().forward(restored, target)
        if self.rank == 1 and self.calls == 7:
            save_file({"target": target.contiguous()}, self.file)
            return value * math.nan
        return value


def fail(world: World, folder: Path) -> None:
    run(crop(), folder, loss=FailsInSecond(world, folder), world=world, check_steps=4)


def refuse(world: World, folder: Path) -> None:
    """Only the second process finds a fault in what it is given."""
    if world.rank == 1:
        world.share(7)
    run(crop(), folder, world=world)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with clear_errors(), joined() as world:
        assert world.size == int(os.environ["WORLD_SIZE"])
        globals()[sys.argv[1]](world, Path(sys.argv[2]))
    end_at_once(0)
