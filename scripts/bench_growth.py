"""How time and memory grow with what they are spent on: make bench BENCH=growth [ARGS="megapixels=[1,24]"]

Every measurement is made in a process of its own. The exponent of y between two sizes is log(y2 / y1) / log(x2 / x1):
1 is growth in proportion, and more than SUPERLINEAR is marked. Seconds are of the work alone, after a little of it to
warm up. Memory counts beyond what the process had when all was imported; fixed needs make its exponent smaller.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.progress import track

from restoration.datasets.pack import pack, pack_set
from restoration.datasets.photos import PackedPhotos
from restoration.scoring.evaluate import evaluate
from restoration.scoring.protocol import Protocol
from restoration.study.runs import hardware
from scripts.bench_data import LARGE, made
from scripts.cli import chosen_bf16, chosen_device, clear_errors
from scripts.measure import in_fresh_process, loop_seconds, peak_megabytes, timed, write_benchmark
from scripts.train import training_sampler
from scripts.trained import built_loss

SUPERLINEAR = 1.1  # neighbours that are measured on a noisy machine differ by a few hundredths
WARM_UP = 0.05  # megapixels
INTERVAL = 16  # steps
MARK = "SUPERLINEAR"
PHOTOGRAPHS = "photographs"


class Cost(NamedTuple):
    """Seconds of the work, peak memory in MB before and after it, seconds of the process from its start to its end."""

    seconds: float
    before: float
    peak: float
    whole: float = math.nan


@dataclass(frozen=True)
class Growth:
    """One thing that becomes larger: `work(config, size)` runs in a process of its own."""

    title: str
    unit: str
    sizes: Sequence[float]
    work: Callable[[DictConfig, float], Cost]


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench_growth")
def main(config: DictConfig) -> None:
    with clear_errors(), TemporaryDirectory(dir=config.scratch) as scratch:
        pack_set(instantiate(config.data), Path(config.packs))
        config.scratch = scratch
        made(max(config.photographs), LARGE, Path(scratch) / PHOTOGRAPHS)
        rows = []
        for growth in growths(config):
            sizes = track(growth.sizes, growth.title, transient=True)
            rows += growth_rows(growth, [measured(growth, config, size) for size in sizes])
        processor = hardware(chosen_device("cpu"))
        title = (
            f"Growth of time and memory, each in a process of its own, on {processor}, torch {torch.__version__}; "
            f"exponents above {SUPERLINEAR} are marked"
        )
        columns = ("", "size", "seconds", "of the whole process", "a second", "peak MB", "beyond the start")
        write_benchmark(title, columns, rows, config.report, "make bench BENCH=growth")
        count = sum(cell.endswith(MARK) for row in rows for cell in row)
        print(f"{count} exponents are above {SUPERLINEAR}" if count else "nothing is superlinear")


def growths(config: DictConfig) -> list[Growth]:
    return [
        Growth("one network evaluated on a photograph", "MP", config.megapixels, evaluation),
        Growth("training, by its length", "patches", config.patches, training),
        Growth("a training step, by its batch", "patches", config.batches, training_step),
        Growth(f"packing photographs of {LARGE[0]}x{LARGE[1]}", "photographs", config.photographs, packing),
    ]


def measured(growth: Growth, config: DictConfig, size: float) -> Cost:
    start = time.perf_counter()
    cost = in_fresh_process(growth.work, config, size)
    return cost._replace(whole=time.perf_counter() - start)


def evaluation(config: DictConfig, megapixels: float) -> Cost:
    """Degrades, restores and scores one photograph in float32; a small one several times, the median."""
    before, device = peak_megabytes(), chosen_device("cpu")
    model = instantiate(config.model).to(memory_format=torch.channels_last)
    task = instantiate(config.task)

    def work(megapixels: float) -> None:
        list(evaluate({"network": model}, task, noise(megapixels), protocol=Protocol(), device=device))

    work(WARM_UP)
    times: list[float] = []
    while not times or (sum(times) < config.seconds and len(times) < 5):
        times.append(timed(lambda: work(megapixels)))
    return Cost(statistics.median(times), before, peak_megabytes())


def training(config: DictConfig, patches: float) -> Cost:
    """The real training loop, without validation."""
    before = peak_megabytes()
    intervals = max(1, int(patches) // (INTERVAL * config.budget.batch))
    seconds = training_seconds(config, steps=INTERVAL, intervals=intervals)
    return Cost(sum(seconds), before, peak_megabytes())


def training_step(config: DictConfig, batch: float) -> Cost:
    """One step of that loop."""
    before = peak_megabytes()
    config.budget.batch = int(batch)
    steps = max(2, 256 // int(batch))
    seconds = training_seconds(config, steps=steps, intervals=3)
    return Cost(statistics.median(seconds) / steps, before, peak_megabytes())


def training_seconds(config: DictConfig, *, steps: int, intervals: int) -> list[float]:
    device = chosen_device("cpu")
    sampler = training_sampler(config, pack_set(instantiate(config.data), Path(config.packs)), device)
    model = instantiate(config.model).to(memory_format=torch.channels_last)
    parts = (model, built_loss(config), instantiate(config.optimizer)(model.parameters()), sampler)
    return loop_seconds(*parts, bf16=chosen_bf16(config.precision, device), steps=steps, intervals=intervals)


def packing(config: DictConfig, count: float) -> Cost:
    """JPEG files decoded into one packed file."""
    before = peak_megabytes()
    photos = sorted((Path(config.scratch) / PHOTOGRAPHS).iterdir())
    packs = Path(config.scratch) / f"packs of {count}"
    pack(photos[:2], packs, title="photographs")
    return Cost(timed(lambda: pack(photos[: int(count)], packs, title="photographs")), before, peak_megabytes())


def noise(megapixels: float) -> PackedPhotos:
    """A photograph of so many pixels, 3:2."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    size = torch.tensor([[height, round(1.5 * height)]])
    pixels = torch.randint(256, (int(size.prod()) * 3,), dtype=torch.uint8)
    return PackedPhotos(pixels, size, ["photograph"], torch.empty(0), key="")


def growth_rows(growth: Growth, costs: Sequence[Cost]) -> list[tuple[str, ...]]:
    """A row for each size, then the exponents."""
    rows = [
        (
            f"{size:g} {growth.unit}",
            f"{cost.seconds:.3g}",
            f"{cost.whole:.1f}",
            f"{size / cost.seconds:.3g}",
            f"{cost.peak:,.0f}",
            f"{cost.peak - cost.before:,.0f}",
        )
        for size, cost in zip(growth.sizes, costs, strict=True)
    ]
    seconds = [cost.seconds for cost in costs]
    memory = [max(1.0, cost.peak - cost.before) for cost in costs]
    ends = [marked(exponent((growth.sizes[0], growth.sizes[-1]), (y[0], y[-1]))) for y in (seconds, memory)]
    steepest = [marked(max(map(exponent, pairwise(growth.sizes), pairwise(y)))) for y in (seconds, memory)]
    for name, (of_time, of_memory) in {"first to last": ends, "steepest": steepest}.items():
        rows.append((f"exponent, {name}", of_time, "", "", "", of_memory))
    return [(title, *row) for title, row in zip_longest([growth.title], rows, fillvalue="")]


def exponent(sizes: tuple[float, float], values: tuple[float, float]) -> float:
    """How `values` grow between two sizes."""
    return math.log(values[1] / values[0]) / math.log(sizes[1] / sizes[0])


def marked(exponent: float) -> str:
    return f"{exponent:z.2f}" + (f" {MARK}" if exponent > SUPERLINEAR else "")


if __name__ == "__main__":
    main()
