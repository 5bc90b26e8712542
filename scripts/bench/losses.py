"""Times of losses, forward and backward, compared with other libraries."""

import statistics
from collections.abc import Callable, Iterator, Mapping

import kornia
import piq
import pytorch_msssim
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from restoration.losses import L1Loss, MixLoss, SSIMLoss
from scripts.bench.measure import Measured, in_turn, ratio, timed

LIBRARIES = ("kornia", "piq", "pytorch-msssim")
Loss = Callable[[Tensor, Tensor], Tensor]
UNIT_ALPHA = 0.84 / (0.84 + 0.16 * 255)  # of the same mixture, with L1 in the unit range


def measure(config: DictConfig, device: torch.device) -> Iterator[Measured]:
    """A table for each kind of loss and of images. Losses that compute the same thing have the same value."""
    columns = ("ms, median", "ms, middle half", "times ours", "value")
    for name, losses in groups().items():
        count, side = config.patches if name.endswith("patches") else config.images
        rows = loss_rows(losses, (count, 3, side, side), config, device)
        title = f"{name}, {count}x3x{side}x{side}, forward and backward, float32"
        yield Measured(f"losses-{name.lower().replace(' ', '-')}", title, columns, list(rows))


def groups() -> dict[str, Mapping[str, Loss]]:
    """Losses that serve the same purpose; the first is ours."""
    kornia_mix = {
        "kornia MS_SSIMLoss, defaults": kornia.losses.MS_SSIMLoss(),
        "kornia, alpha and units as ours": kornia.losses.MS_SSIMLoss(alpha=UNIT_ALPHA, compensation=1.0),
    }
    similarity = pytorch_msssim.SSIM(data_range=1.0)
    ssim_peers = {
        "pytorch-msssim SSIM, defaults": lambda restored, target: 1 - similarity(restored, target),
        "piq SSIMLoss, defaults (downsamples)": piq.SSIMLoss(),
        "piq SSIMLoss, full resolution": piq.SSIMLoss(downsample=False),
        "kornia SSIMLoss, 11x11, valid": kornia.losses.SSIMLoss(11, padding="valid"),
    }
    mix, dense_mix = MixLoss(UNIT_ALPHA, 1.0), MixLoss(UNIT_ALPHA, 1.0, dense=True, window=33)
    dense_ssim = SSIMLoss(1.5, dense=True, window=11)
    return {
        "L1 on patches": {"ours": L1Loss(), "torch": nn.L1Loss()},
        "Mix on patches": {"ours, of the centres": mix, "plain L1": nn.L1Loss(), **kornia_mix},
        "Mix on images": {"ours, dense": dense_mix, "plain L1": nn.L1Loss(), **kornia_mix},
        "SSIM on patches": {"ours, of the centres": SSIMLoss(), "ours, dense": dense_ssim, **ssim_peers},
        "SSIM on images": {"ours, dense": dense_ssim, **ssim_peers},
    }


def loss_rows(
    losses: Mapping[str, Loss], shape: tuple[int, ...], config: DictConfig, device: torch.device
) -> Iterator[tuple[str, list[str]]]:
    """A row for each loss, on the same noisy images."""
    generator = torch.Generator(device).manual_seed(0)
    target = torch.rand(shape, generator=generator, device=device)
    restored = target + 0.1 * torch.randn(shape, generator=generator, device=device)
    restored = restored.clamp(0, 1).requires_grad_()
    losses = {name: loss.to(device) if isinstance(loss, nn.Module) else loss for name, loss in losses.items()}
    works = {
        name: timed(lambda loss=loss: torch.autograd.grad(loss(restored, target), restored), device, config.turn)
        for name, loss in losses.items()
    }
    times = in_turn(works, config.seconds)
    for name, loss in losses.items():
        low, median, high = (f"{1e3 * value:.2f}" for value in statistics.quantiles(times[name], n=4))
        value = f"{loss(restored, target).item():.5f}"
        yield name, [median, f"{low} to {high}", ratio(times, name, next(iter(losses))), value]
