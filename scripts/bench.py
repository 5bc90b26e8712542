"""What a training step costs, split by its parts, for every task x loss: make bench

Each part is timed alone, step by step in turn with the others, so that a noisy machine disturbs all alike; medians.
"""

import statistics
from collections.abc import Callable
from itertools import product
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from restoration.datasets.pack import PackedSet, pack_set
from restoration.runs import hardware
from scripts.cli import chosen_bf16, chosen_device, clear_errors
from scripts.experiment import composed
from scripts.measure import timed_in_turn, write_benchmark
from scripts.train import training_sampler

OWN = ("tasks", "losses", "seconds", "report")
TITLES = ("task", "loss", "patches/s", "supply + degradation", "loss + gradient", "both", "network + optimizer")


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench")
def main(config: DictConfig) -> None:
    with clear_errors():
        device = chosen_device(config.device)
        bf16 = chosen_bf16(config.precision, device)
        photos = pack_set(instantiate(config.data), Path(config.packs))
        shared = [text for text in HydraConfig.get().overrides.task if text.split("=")[0] not in OWN]
        rows = []
        for task, loss in product(config.tasks, config.losses):
            pair = composed([*shared, f"task={task}", f"loss={loss}"])
            seconds = step_parts(pair, photos, device, bf16, config.seconds)
            whole, parts = seconds["step"], [seconds["supply"], seconds["loss"]]
            shares = [f"{100 * part / whole:.1f} %" for part in (*parts, sum(parts), whole - sum(parts))]
            rows.append((task, loss, f"{pair.budget.batch / whole:,.0f}", *shares))
        title = (
            f"One training step, batch {config.budget.batch}, {'bf16' if bf16 else 'fp32'}, on {hardware(device)}, "
            f"torch {torch.__version__}; medians of parts timed in turn for {config.seconds} s"
        )
        write_benchmark(title, TITLES, rows, Path(config.report), "make bench")


def step_parts(
    config: DictConfig, photos: PackedSet, device: torch.device, bf16: bool, seconds: float
) -> dict[str, float]:
    """Median seconds of the whole step, of the patch supply with the degradation, and of the loss with its gradient."""
    sampler = training_sampler(config, photos, device)
    loss = instantiate(config.loss).to(device)
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    optimizer = instantiate(config.optimizer)(model.parameters())
    degraded, target = sampler.sample()
    output = degraded.clone().requires_grad_()

    def step() -> None:
        degraded, target = sampler.sample()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            restored = model(degraded)
        optimizer.zero_grad()
        loss(restored.float(), target).backward()
        optimizer.step()

    parts: dict[str, Callable[[], object]] = {
        "step": step,
        "supply": sampler.sample,
        "loss": lambda: torch.autograd.grad(loss(output, target), output),
    }
    times = timed_in_turn(parts, seconds=seconds, device=device)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
