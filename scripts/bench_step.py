"""How near training comes to what the machine can do, and what a step is spent on: make bench BENCH=step

Ceilings first: matrix products, copies, the network alone. Then the real training loop for every task x loss, where
between steps the network alone and the parts of a step are timed in turn: noise disturbs all alike. Medians.
"""

import io
import statistics
from collections.abc import Callable
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from restoration.datasets.pack import pack_set
from restoration.datasets.photos import PackedSet
from restoration.study.runs import hardware
from restoration.training.budget import Budget
from restoration.training.patches import AT_ONCE, PATCH, PatchSampler
from restoration.training.train import train
from scripts.cli import chosen_bf16, chosen_device, clear_errors
from scripts.experiment import composed, of_training
from scripts.measure import LoopClock, timed, timed_in_turn, write_benchmark
from scripts.train import training_sampler
from scripts.trained import built_loss

ROUND = 50  # steps: each round of them logs once
STEP_TITLES = (
    *("task", "loss", "patches/s", "of the network alone"),
    *("sampling", "degradation", "network", "loss", "optimizer", "logging and rest"),
)


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench_step")
def main(config: DictConfig) -> None:
    with clear_errors():
        device = chosen_device(config.device)
        bf16 = chosen_bf16(config.precision, device)
        where = f"{'bf16' if bf16 else 'fp32'}, on {hardware(device)}, torch {torch.__version__}"
        rows = ceiling_rows(config, device, bf16)
        title = f"What this machine can do, batch {config.budget.batch}, {where}; medians in turn"
        titles = ("", "rate", "patches/s", "of matrix products")
        write_benchmark(title, titles, rows, Path(config.reports) / "ceilings.md", "make bench BENCH=step")

        photos = pack_set(instantiate(config.data), Path(config.packs))
        shared = of_training(HydraConfig.get().overrides.task)
        rows = []
        for task, loss in product(config.tasks, config.losses):
            pair = composed([*shared, f"task={task}", f"loss={loss}"])
            rows.append((task, loss, *step_cells(pair, photos, device, bf16, config.steps)))
        title = (
            f"One step of the training loop, batch {config.budget.batch}, {where}; medians of {config.steps} in turn"
        )
        write_benchmark(title, STEP_TITLES, rows, Path(config.reports) / "training_step.md", "make bench BENCH=step")


def ceiling_rows(config: DictConfig, device: torch.device, bf16: bool) -> list[tuple[str, ...]]:
    """Rates of matrix products, of copies, and of the network alone in the ways one could choose."""
    dtype = torch.bfloat16 if bf16 else torch.float32
    one, other = torch.randn(2, 2048, 2048, device=device).to(dtype)
    source = torch.randn(32 * 2**20, device=device)
    target = torch.empty_like(source)
    batch = config.budget.batch
    networks = {
        "network alone, as trained": NetworkAlone(config, device, batch, bf16=bf16),
        "network alone, not channels_last": NetworkAlone(
            config, device, batch, bf16=bf16, layout=torch.contiguous_format
        ),
        "network alone, fp32": NetworkAlone(config, device, batch, bf16=False),
        f"network alone, batch {8 * batch}": NetworkAlone(config, device, 8 * batch, bf16=bf16),
    }
    if config.compiled:
        networks["network alone, torch.compile"] = NetworkAlone(config, device, batch, bf16=bf16, compiled=True)
    works = {"products": lambda: one @ other, "copies": lambda: target.copy_(source), **networks}
    times = timed_in_turn(works, seconds=config.seconds, turn=0.1, device=device)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    rate = 2 * 2048**3 / seconds["products"]
    rows = [
        (f"matrix products, 2048 x 2048, {str(dtype).split('.')[1]}", f"{rate / 1e9:,.0f} GFLOP/s", "", "100 %"),
        ("copies of 128 MB", f"{2 * source.nbytes / seconds['copies'] / 1e9:,.1f} GB/s read and written", "", ""),
    ]
    flops = training_flops(config)
    for name, network in networks.items():
        patches = network.batch / seconds[name]
        cells = (f"{patches * flops / 1e9:,.0f} GFLOP/s", f"{patches:,.0f}", f"{100 * patches * flops / rate:.0f} %")
        rows.append((name, *cells))
    return rows


class NetworkAlone:
    """Forward, backward from a given gradient, and optimizer, always of the same batch and with the same weights.

    What a network has learnt changes its speed by some hundredths, so that it is compared with a training by `follow`.
    """

    def __init__(
        self,
        config: DictConfig,
        device: torch.device,
        batch: int,
        *,
        bf16: bool,
        layout: torch.memory_format = torch.channels_last,
        compiled: bool = False,
    ):
        self.model = instantiate(config.model).to(device, memory_format=layout)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.optimizer = instantiate(config.optimizer)(self.model.parameters(), lr=0.0)
        self.batch = batch
        self.bf16 = bf16
        self.degraded, self.grad = torch.rand(2, batch, 3, PATCH, PATCH, device=device)

    def follow(self, model: nn.Module, degraded: Tensor) -> None:
        """Takes another network's weights and input."""
        self.model.load_state_dict(model.state_dict())
        self.degraded = degraded

    def __call__(self) -> None:
        with torch.autocast(self.degraded.device.type, torch.bfloat16, enabled=self.bf16):
            restored = self.forward(self.degraded)
        self.model.zero_grad()
        restored.backward(self.grad.to(restored.dtype))
        self.optimizer.step()


def training_flops(config: DictConfig) -> float:
    """Floating-point operations of the network's forward and backward pass for one patch."""
    with FlopCounterMode(display=False) as counter:
        instantiate(config.model)(torch.rand(1, 3, PATCH, PATCH)).sum().backward()
    return counter.get_total_flops()


class Observed(PatchSampler):
    """Notes when the training loop asks for a batch, and between its steps times other works in turn."""

    works: dict[str, Callable[[], object]]
    times: dict[str, list[float]]
    prepare: Callable[[], None]
    since: float | None

    def observe(self, works: dict[str, Callable[[], object]], prepare: Callable[[], None]) -> None:
        self.works, self.times, self.since = works, {name: [] for name in ("step", *works)}, None
        self.prepare = prepare

    def sample(self) -> tuple[Tensor, Tensor]:
        device = self.clean.pixels.device
        timed(lambda: None, device)
        if self.since is not None:
            self.times["step"].append(perf_counter() - self.since)
        self.prepare()
        for name, work in self.works.items():
            self.times[name].append(timed(work, device))
        self.since = perf_counter()
        return super().sample()


def step_cells(config: DictConfig, photos: PackedSet, device: torch.device, bf16: bool, steps: int) -> tuple[str, ...]:
    """Patches a second, their ratio to the network alone's, and the shares of a step."""
    batch = config.budget.batch
    sampler, supply = (training_sampler(config, photos, device) for _ in range(2))
    sampler = Observed(sampler.task, sampler.clean, sampler.recorded, batch, sampler.generator)
    loss = built_loss(config).to(device)
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    alone = NetworkAlone(config, device, batch, bf16=bf16)
    degraded, target = supply.sample()
    output = degraded.clone().requires_grad_()
    at_once = max(batch, AT_ONCE)
    sampler.observe(
        {
            "alone": alone,
            "optimizer": alone.optimizer.step,
            "supply": supply.sample,
            "sampling": lambda: supply.clean.crop(supply.places(at_once), PATCH),
            "loss": lambda: torch.autograd.grad(loss(output, target), output),
        },
        prepare=lambda: alone.follow(model, degraded),
    )
    budget = Budget(patches=steps * batch, batch=batch, learning_rate=1e-3, validations=1)
    parts = (model, loss, instantiate(config.optimizer)(model.parameters()), sampler, LoopClock(device), budget)
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        train(*parts, folder=Path(folder), identity={}, bf16=bf16, checkpoint_seconds=1e9)
    seconds = {name: typical(values) for name, values in sampler.times.items()}
    seconds["sampling"] *= batch / at_once
    step = seconds["step"]
    parts = (
        seconds["sampling"],
        seconds["supply"] - seconds["sampling"],
        seconds["alone"] - seconds["optimizer"],
        seconds["loss"],
        seconds["optimizer"],
        step - seconds["alone"] - seconds["supply"] - seconds["loss"],
    )
    return (
        f"{batch / step:,.0f}",
        f"{100 * seconds['alone'] / step:.1f} %",
        *(f"{100 * part / step:.1f} %" for part in parts),
    )


def typical(times: list[float]) -> float:
    """The median of means over so many steps that each has its share of rare works: drawing patches, logging."""
    groups = [times[start : start + ROUND] for start in range(ROUND // 2, len(times), ROUND)]
    return statistics.median(statistics.mean(group) for group in groups if len(group) == ROUND)


if __name__ == "__main__":
    main()
