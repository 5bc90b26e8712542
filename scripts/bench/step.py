"""Training steps: speed by batch size, and the parts of a step's time in the training loop."""

import io
import statistics
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from restoration.datasets.pack import pack_set
from restoration.datasets.photos import PackedSet
from restoration.scoring.evaluate import Validation
from restoration.training.budget import Budget
from restoration.training.patches import PATCH
from restoration.training.train import train
from scripts.bench.measure import Measured, in_turn, timed
from scripts.cli import chosen_bf16
from scripts.train import training_sampler
from scripts.trained import built_loss, built_optimizer

LIBRARIES = ()
SIDE = 2048  # side of the matrices whose product gives the highest rate of the machine
EAGER, COMPILED, GRAPH = "eager", "torch.compile", "CUDA graph"


def measure(config: DictConfig, device: torch.device) -> Iterator[Measured]:
    """Two tables: steps on one batch by its size, and the training loop."""
    bf16 = chosen_bf16(config.precision, device)
    what = f"{config.names.task} with {config.names.loss}, {'bf16' if bf16 else 'fp32'}"
    columns = ("patches/s", "GFLOP/s", "of matrix products")
    yield Measured("steps", f"Training steps on one batch, {what}", columns, step_rows(config, device, bf16))
    title = f"The training loop, {what}, batch {config.budget.batch}"
    yield Measured("training", title, ("patches/s", "of a step"), loop_rows(config, device, bf16))


def step_rows(config: DictConfig, device: torch.device, bf16: bool) -> list[tuple[str, list[str]]]:
    """Rows of steps run in several ways, compared with the rate of matrix products."""
    one, other = torch.randn(2, SIDE, SIDE, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    clocks, failures, batches = {"matrix products": timed(lambda: one @ other, device, config.turn)}, [], {}
    on_gpu = device.type == "cuda"
    ways = [EAGER, *([COMPILED] if on_gpu or config.compile else []), *([GRAPH] if on_gpu else [])]
    for batch in config.batches:
        for way in ways:
            name = f"batch {batch}, {way}"
            try:
                clocks[name] = timed(step(config, device, batch, bf16=bf16, way=way), device, config.turn)
                batches[name] = batch
            except RuntimeError as error:  # out of memory, or a loss that a CUDA graph cannot contain
                failures.append((name, [str(error).splitlines()[0], "", ""]))
    times = {name: statistics.median(values) for name, values in in_turn(clocks, config.seconds).items()}
    ceiling = 2 * SIDE**3 / times["matrix products"]
    rows = [("matrix products", ["", f"{ceiling / 1e9:,.0f}", "100 %"])]
    for name, batch in batches.items():
        patches = batch / times[name]
        rate = patches * training_flops(config)
        rows.append((name, [f"{patches:,.0f}", f"{rate / 1e9:,.0f}", f"{100 * rate / ceiling:.0f} %"]))
    return rows + failures


def step(config: DictConfig, device: torch.device, batch: int, *, bf16: bool, way: str) -> Callable[[], object]:
    """One training step, always on the same batch."""
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    loss = built_loss(config).to(device)
    degraded, target = torch.rand(2, batch, 3, PATCH, PATCH, device=device)
    optimizer = built_optimizer(config, model)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        if way == GRAPH and "capturable" in group:  # Adam counts its steps on the GPU then
            group["capturable"] = True

    def objective(degraded: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            restored = model(degraded)
        return loss(restored.float().contiguous(), target)

    forward = torch.compile(objective) if way == COMPILED else objective

    def work() -> None:
        model.zero_grad()
        forward(degraded, target).backward()
        optimizer.step()

    return captured(work) if way == GRAPH else work


def captured(work: Callable[[], object]) -> Callable[[], object]:
    """The same work as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # the first calls allocate memory, which a graph must not
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def training_flops(config: DictConfig) -> int:
    """Floating-point operations of the network's forward and backward pass for one patch."""
    with FlopCounterMode(display=False) as counter:
        instantiate(config.model)(torch.rand(1, 3, PATCH, PATCH)).sum().backward()
    return counter.get_total_flops()


def loop_rows(config: DictConfig, device: torch.device, bf16: bool) -> list[tuple[str, list[str]]]:
    """Rows of the training loop and its parts."""
    photos = pack_set(instantiate(config.data), Path(config.packs))
    supply, loss, batch = training_sampler(config, photos, device), built_loss(config).to(device), config.budget.batch
    degraded, target = supply.sample()
    output = degraded.clone().requires_grad_()
    works = {
        "its step on one batch": step(config, device, batch, bf16=bf16, way=EAGER),
        "of which the loss": lambda: torch.autograd.grad(loss(output, target), output),
        "sampling and degrading patches": supply.sample,
    }
    clocks = {name: timed(work, device, 10 * config.turn) for name, work in works.items()}
    loop = "the training loop"
    times = in_turn({loop: lambda: loop_seconds(config, photos, device, bf16), **clocks}, config.seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return [
        (name, [f"{batch / seconds:,.0f}", f"{100 * seconds / medians[loop]:.0f} %"])
        for name, seconds in medians.items()
    ]


def loop_seconds(config: DictConfig, photos: PackedSet, device: torch.device, bf16: bool) -> float:
    """Mean time of a step of `restoration.training.train`, over `config.steps` steps after as many to warm up."""
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    sampler, asked = training_sampler(config, photos, device), []
    draw = sampler.sample

    def sample() -> tuple[Tensor, Tensor]:
        asked.append(perf_counter())
        return draw()

    sampler.sample = sample
    validation = Validation(sampler.task, photos.val, protocol=instantiate(config.protocol), device=device)
    patches = (2 * config.steps + 1) * sampler.batch
    budget = Budget(patches=patches, batch=sampler.batch, learning_rate=1e-3, validations=1)
    parts = (model, built_loss(config).to(device), built_optimizer(config, model))
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        train(*parts, sampler, validation, budget, folder=Path(folder), identity={}, bf16=bf16)
    (_, first), (_, last) = pairwise(asked[:: config.steps])
    return (last - first) / config.steps
