"""The cases of test_distributed.py, in each of two processes: python -m tests.training.distributed_cases CASE FOLDER"""

import math
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from restoration.losses import L1Loss, MixLoss
from restoration.training.distributed import World, joined
from restoration.training.train import Interrupted
from scripts.cli import clear_errors, end_at_once
from tests.training.runs import LONG, StopAfter, Tiny, run


def messages(world: World, folder: Path) -> None:
    """The mean of the gradients of two halves is the gradient of the whole batch; values arrive by rank."""
    torch.manual_seed(0)
    model, loss = Tiny().double(), MixLoss().double()
    degraded, target = torch.rand(2, 6, 3, 31, 31, dtype=torch.float64)

    def gradients(patches: slice) -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss(model(degraded[patches]), target[patches]), list(model.parameters())))

    half, whole = gradients(slice(3 * world.rank, 3 * world.rank + 3)), gradients(slice(None))
    assert not torch.allclose(half[0], whole[0], rtol=1e-3)
    world.average(half)
    for mean, expected in zip(half, whole, strict=True):
        torch.testing.assert_close(mean, expected, rtol=1e-10, atol=1e-14)

    assert world.gathered(f"rank {world.rank}") == ["rank 0", "rank 1"]
    sent = world.from_first(lambda: {"rank": world.rank, "weights": torch.arange(3)})
    assert (sent["rank"], sent["weights"].tolist()) == (0, [0, 1, 2])
    seeds = world.gathered([world.seed(seed, step) for seed in (0, 1) for step in (0, 1)])
    assert len({seed for some in seeds for seed in some}) == 8
    with world.in_turn():
        seen = (folder / "made").exists()
        (folder / "made").touch()
    assert seen == (world.rank == 1)


def train(world: World, folder: Path) -> None:
    """A long training; one that a signal to the second process stops twice, then continues; one that began alone."""
    messages(world, folder)
    run(folder / "long", budget=LONG, validated=True, world=world)
    whole = run(folder / "whole", world=world)
    for name in ("cut", "left"):
        with pytest.raises(Interrupted, match="SIGTERM"):
            run(folder / name, loss=StopAfter(3) if world.rank else L1Loss(), world=world)
    assert torch.load(folder / "cut" / "checkpoint.pt", weights_only=True)["step"] == 3
    resumed = run(folder / "cut", world=world)
    assert torch.equal(resumed, whole)
    assert torch.equal(*world.gathered(resumed))
    run(folder / "alone", world=world)


class FailsInSecond(L1Loss):
    """Not finite at the 7th batch of the second process, which saves that batch."""

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
    """The second process alone has a bad batch; both have bad weights before the next check."""
    run(folder, loss=FailsInSecond(world, folder), world=world, check_steps=4)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with clear_errors(), joined() as world:
        assert world.size == int(os.environ["WORLD_SIZE"])
        globals()[sys.argv[1]](world, Path(sys.argv[2]))
    end_at_once(0)
