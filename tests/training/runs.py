"""Small trainings: a network of 84 weights, two crops of a photograph, twelve steps of four patches."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from restoration.losses import L1Loss
from restoration.names import curve_tag
from restoration.scoring.evaluate import Validation
from restoration.scoring.protocol import Protocol
from restoration.tasks import Demosaic
from restoration.training.budget import Budget
from restoration.training.distributed import ALONE, World
from restoration.training.patches import PatchSampler
from restoration.training.train import train
from tests.conftest import crop, packed

BUDGET = Budget(patches=48, batch=4, learning_rate=1e-3, validations=3)
LONG = Budget(patches=800, batch=8, learning_rate=1e-2, validations=1)  # gains 0.9 dB
PSNR, LOSS = curve_tag("psnr"), "loss, each in its own unit/loss"  # tags
CPU = torch.device("cpu")


class Tiny(nn.Sequential):
    """Starts as the identity map."""

    def __init__(self, *more: nn.Module):
        convolution = nn.Conv2d(3, 3, 3, padding=1)
        nn.init.dirac_(convolution.weight)
        nn.init.constant_(convolution.bias, 0)  # pyright: ignore[reportArgumentType]
        super().__init__(convolution, *more)


class NoValidation(Validation):
    """Scores nothing."""

    def __init__(self):
        self.protocol, self.pairs = Protocol(), []

    def scores(self, model: nn.Module) -> dict[str, float]:
        return {}


class StopAfter(L1Loss):
    """Sends a signal to its process at the n-th call."""

    def __init__(self, calls: int, number: signal.Signals = signal.SIGTERM):
        super().__init__()
        self.calls = calls
        self.number = number

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), self.number)
        return super().forward(restored, target)


def sampler(batch: int = BUDGET.batch, device: torch.device = CPU, seed: int = 0) -> PatchSampler:
    """Noisy patches, so that every batch needs random numbers for positions and noise."""
    photos = packed(crop(), np.ascontiguousarray(crop()[::-1, :-1])).to(device)
    return PatchSampler(Demosaic(), photos, photos, batch, torch.Generator(device).manual_seed(seed))


def run(
    folder: Path,
    *,
    model: nn.Module | None = None,
    loss: nn.Module | None = None,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    budget: Budget = BUDGET,
    validated: bool = False,
    device: torch.device = CPU,
    world: World = ALONE,
    **options: Any,
) -> Tensor:
    """Trains, and returns the weights."""
    torch.manual_seed(0)
    model = (model or Tiny()).to(device)
    train(
        model,
        (loss or L1Loss()).to(device),
        optimizer(model.parameters()),
        sampler(world.share(budget.batch), device),
        Validation(Demosaic(), packed(crop()), protocol=Protocol(), device=device) if validated else NoValidation(),
        budget,
        world=world,
        **{"folder": folder, "identity": {"seed": 0}, "bf16": False, "log_steps": 4, "check_steps": 1, **options},
    )
    return torch.cat([weight.flatten() for weight in model.state_dict().values()])


def scalars(folder: Path, tag: str) -> dict[int, float]:
    """The logged values of a tag, by patches seen."""
    return {event.step: event.value for event in events(folder).Scalars(tag)}


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator
