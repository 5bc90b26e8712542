"""Our losses and other libraries', forward and backward, side by side: make bench BENCH=losses

Where two compute the same thing, the column "value" shows it; "times ours" compares medians of repetitions in turn.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import hydra
import kornia
import piq
import pytorch_msssim
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from restoration.losses import paper as losses
from restoration.study.runs import hardware
from scripts.cli import chosen_device, clear_errors
from scripts.measure import timed_in_turn, write_benchmark

Loss = Callable[[Tensor, Tensor], Tensor]
PATCHES, IMAGES = (64, 3, 31, 31), (8, 3, 256, 256)
PEERS = ("kornia", "piq", "pytorch-msssim")


@dataclass(frozen=True)
class Race:
    """Losses that serve the same purpose on images of one shape; the first is ours."""

    title: str
    shape: tuple[int, ...]
    entries: Mapping[str, Loss]


def races() -> list[Race]:
    kornia_mix = {
        "kornia MS_SSIMLoss, defaults": kornia.losses.MS_SSIMLoss(),
        "kornia, alpha and units as ours": kornia.losses.MS_SSIMLoss(
            alpha=0.84 / (0.84 + 0.16 * 255), compensation=1.0
        ),
    }
    ssim_peers = {
        "pytorch-msssim SSIM, defaults": _deficit(pytorch_msssim.SSIM(data_range=1.0)),
        "piq SSIMLoss, defaults (downsamples)": piq.SSIMLoss(),
        "piq SSIMLoss, full resolution": piq.SSIMLoss(downsample=False),
        "kornia SSIMLoss, 11x11, valid": kornia.losses.SSIMLoss(11, padding="valid"),
    }
    unit_mix = losses.MixLoss(0.84 / (0.84 + 0.16 * 255), 1.0)
    dense_mix = losses.MixLoss(0.84 / (0.84 + 0.16 * 255), 1.0, dense=True, window=33)
    dense_ssim = losses.SSIMLoss(1.5, dense=True, window=11)
    return [
        Race("Mix", PATCHES, {"ours, of the centres": unit_mix, "plain L1": nn.L1Loss(), **kornia_mix}),
        Race("Mix", IMAGES, {"ours, dense": dense_mix, "plain L1": nn.L1Loss(), **kornia_mix}),
        Race("SSIM", PATCHES, {"ours, of the centres": losses.SSIMLoss(), "ours, dense": dense_ssim, **ssim_peers}),
        Race("SSIM", IMAGES, {"ours, dense": dense_ssim, **ssim_peers}),
    ]


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench_losses")
def main(config: DictConfig) -> None:
    with clear_errors():
        device = chosen_device(config.device)
        rows = [row for race in races() for row in raced(race, device, config.seconds)]
        libraries = ", ".join(f"{name} {version(name)}" for name in (*PEERS, "torch"))
        write_benchmark(
            f"Losses, forward and backward, fp32, on {hardware(device)}; {libraries}",
            ("loss", "images", "whose", "ms, median", "ms, middle half", "times ours", "value"),
            rows,
            config.report,
            "make bench BENCH=losses",
        )


def raced(race: Race, device: torch.device, seconds: float) -> list[tuple[str, ...]]:
    """A row for each entry, on images that are alike but for some noise."""
    generator = torch.Generator(device).manual_seed(0)
    target = torch.rand(race.shape, generator=generator, device=device)
    restored = target + 0.1 * torch.randn(race.shape, generator=generator, device=device)
    restored = restored.clamp(0, 1).requires_grad_()
    entries = {name: loss.to(device) if isinstance(loss, nn.Module) else loss for name, loss in race.entries.items()}
    works = {
        name: lambda loss=loss: torch.autograd.grad(loss(restored, target), restored) for name, loss in entries.items()
    }
    times = timed_in_turn(works, seconds=seconds, turn=0.1, device=device)
    ours = statistics.median(next(iter(times.values())))
    rows = []
    for name, loss in entries.items():
        first, median, third = statistics.quantiles(times[name], n=4)
        cells = (f"{1e3 * median:.2f}", f"{1e3 * first:.2f} to {1e3 * third:.2f}", f"{median / ours:.3g}")
        rows.append((race.title, "x".join(map(str, race.shape)), name, *cells, f"{loss(restored, target).item():.5f}"))
    return rows


def _deficit(similarity: Loss) -> Loss:
    return lambda restored, target: 1 - similarity(restored, target)


if __name__ == "__main__":
    main()
