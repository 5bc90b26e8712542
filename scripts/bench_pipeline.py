"""Our trainer beside the usual pipeline of image restoration: make bench BENCH=pipeline [ARGS="photos=DIR"]

The same network, task and batch. Usual: a DataLoader whose workers decode an image file for each patch, crop it and
degrade the crop; kornia's Mix; float32. Between the two, one difference at a time. kornia's loss is at its defaults:
channels_last, torch.jit.trace and torch.compile changed its time by less than a tenth.

A turn of the usual pipeline starts its workers, trains until the batches that they had prepared are used up, and is
timed from there; they end with the turn, so that none works while another way is timed. Ours is
`restoration.training.train`, with its checks and logging.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import hydra
import kornia
import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from restoration.datasets.decode import decode
from restoration.datasets.folder import photographs_in
from restoration.datasets.pack import in_parallel, pack
from restoration.datasets.photos import PackedSet
from restoration.study.runs import hardware
from restoration.tasks import Task
from restoration.training.patches import PATCH
from scripts.bench_data import LARGE, made
from scripts.cli import chosen_bf16, chosen_device, clear_errors
from scripts.measure import loop_seconds, timed, write_benchmark
from scripts.train import training_sampler
from scripts.trained import built_loss

ALIGNED = 16  # pixels: a block of 4:2:0 JPEG; no degradation of a patch sees further than the next block
PREFETCHED = 2  # batches a worker, DataLoader's default
OURS = "ours"


@dataclass(frozen=True, kw_only=True)
class Usual:
    """A way to train through a DataLoader.

    Attributes:
        suffix: of the files that are decoded.
        ours: whether the loss is ours, not kornia's.
        fast: the network in bfloat16, where the hardware has it, and channels_last.
        threads: of the training process; None: PyTorch's choice.
    """

    workers: int
    suffix: str = ".png"
    ours: bool = False
    fast: bool = False
    threads: int | None = None


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench_pipeline")
def main(config: DictConfig) -> None:
    with clear_errors(), TemporaryDirectory(dir=config.scratch) as scratch:
        device = chosen_device(config.device)
        files = written(config, Path(scratch))
        config.packs = f"{scratch}/packs"
        turns = ways(config, files, device)
        rates: dict[str, list[float]] = {name: [] for name in turns}
        end = time.perf_counter() + config.seconds
        while len(rates[OURS]) < 2 or time.perf_counter() < end:
            for name, turn in turns.items():
                rates[name].append(config.steps * config.budget.batch / turn())
        pngs, task = files[".png"], type(instantiate(config.task)).__name__
        pixels = statistics.mean(Image.open(path).size[0] * Image.open(path).size[1] for path in pngs)
        versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "kornia", "pillow"))
        title = (
            f"Training ({task}, Mix, batch {config.budget.batch}) from {len(pngs)} photographs of "
            f"{pixels / 1e6:.2f} MP, on {hardware(device)}; {versions}; {len(rates[OURS])} turns of "
            f"{config.steps} steps, of ours five times as many"
        )
        columns = ("", "patches/s, median", "least and most", "ours is faster by", "least and most")
        write_benchmark(title, columns, rate_rows(rates), config.report, "make bench BENCH=pipeline")


def ways(config: DictConfig, files: dict[str, list[Path]], device: torch.device) -> dict[str, Callable[[], float]]:
    """By name, what trains `config.steps` steps in one way and returns their seconds."""
    cores = os.cpu_count() or 1
    usual = {
        "the usual pipeline": Usual(workers=cores),
        "its network in bf16, channels_last": Usual(workers=cores, fast=True),
        "its network on one core less": Usual(workers=cores, threads=max(1, cores - 1)),
        "with our Mix": Usual(workers=cores, ours=True),
        "with our Mix, bf16, channels_last": Usual(workers=cores, ours=True, fast=True),
        "from JPEG files": Usual(workers=cores, suffix=".jpg"),
        "without workers": Usual(workers=0),
    }
    bf16 = chosen_bf16(config.precision, device)
    packed = pack(files[".png"], Path(config.packs), title="photographs")
    sampler = training_sampler(config, PackedSet(packed, packed, {}), device)

    def ours(loss: nn.Module, rounds: int) -> Callable[[], float]:
        model = instantiate(config.model).to(device, memory_format=torch.channels_last)
        optimizer = instantiate(config.optimizer)(model.parameters())
        parts = (model, loss.to(device), optimizer, sampler)
        return lambda: statistics.mean(loop_seconds(*parts, bf16=bf16, steps=config.steps, intervals=rounds))

    return {
        OURS: ours(built_loss(config), 5),  # a turn as long as the others'
        "ours with kornia's Mix": ours(kornia.losses.MS_SSIMLoss(), 1),
        **{name: partial(usual_turn, config, way, files[way.suffix], device, bf16) for name, way in usual.items()},
    }


def usual_turn(config: DictConfig, way: Usual, files: list[Path], device: torch.device, bf16: bool) -> float:
    """Seconds of `config.steps` steps through a DataLoader in its steady state."""
    model = instantiate(config.model).to(device)
    if way.fast:
        model = model.to(memory_format=torch.channels_last)
    loss = (built_loss(config) if way.ours else kornia.losses.MS_SSIMLoss()).to(device)
    optimizer = torch.optim.Adam(model.parameters())
    crops = Crops(files, instantiate(config.task))
    batch, ahead = config.budget.batch, way.workers * PREFETCHED
    warm_up = ahead + 2
    loader = DataLoader(
        crops,
        batch,
        sampler=RandomSampler(crops, replacement=True, num_samples=batch * (warm_up + config.steps + ahead)),
        num_workers=way.workers,
        pin_memory=device.type == "cuda",
    )
    batches = iter(loader)

    def steps(count: int) -> None:
        for _ in range(count):
            degraded, target = (images.to(device, non_blocking=True) for images in next(batches))
            with torch.autocast(device.type, torch.bfloat16, enabled=way.fast and bf16):
                restored = model(degraded)
            optimizer.zero_grad()
            loss(restored.float(), target).backward()
            optimizer.step()

    threads = torch.get_num_threads()
    torch.set_num_threads(way.threads or threads)
    try:
        steps(warm_up)
        return timed(partial(steps, config.steps), device)
    finally:
        torch.set_num_threads(threads)


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """A random patch of each photograph, decoded anew: (degraded, target), each (3, 31, 31) float32 in [0, 1].

    It equals the crop of the whole degraded photograph, noise apart: what surrounds the patch is degraded with it.
    """

    def __init__(self, files: Sequence[Path], task: Task):
        self.files = files
        self.task = task

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.files[index]) as file:
            photo = np.array(file.convert("RGB"))
        top, left = (int(torch.randint(length - PATCH + 1, ())) for length in photo.shape[:2])
        (rows, patch_rows), (columns, patch_columns) = _around(top), _around(left)
        target = torch.from_numpy(photo[rows, columns].copy()).permute(2, 0, 1).float() / 255
        degraded = self.task.degrade(target, torch.default_generator)
        return degraded[:, patch_rows, patch_columns], target[:, patch_rows, patch_columns]


def _around(start: int) -> tuple[slice, slice]:
    """What is degraded along one axis of a patch that begins at `start`, and where the patch lies in it."""
    first = max(0, start // ALIGNED - 1) * ALIGNED
    last = (-(-(start + PATCH) // ALIGNED) + 1) * ALIGNED
    return slice(first, last), slice(start - first, start - first + PATCH)


def written(config: DictConfig, folder: Path) -> dict[str, list[Path]]:
    """The photographs as PNG and as JPEG files, by suffix: those of a folder, or made of scikit-image's."""
    if config.photos:
        originals = list(photographs_in(config.photos, "photos"))[: config.count]
    else:
        originals = made(config.count, LARGE, folder / "made")

    def write(numbered: tuple[int, Path]) -> tuple[Path, Path]:
        number, original = numbered
        image = Image.fromarray(decode(original))
        png, jpeg = folder / f"{number:05}.png", folder / f"{number:05}.jpg"
        image.save(png)
        image.save(jpeg, quality=95, subsampling=0)
        return png, jpeg

    png, jpeg = zip(*in_parallel(write, enumerate(originals)), strict=True)
    return {".png": list(png), ".jpg": list(jpeg)}


def rate_rows(rates: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """Patches a second of every way, and the ratio of ours to it turn by turn."""
    rows = []
    for name, values in rates.items():
        ratios = [ours / value for ours, value in zip(rates[OURS], values, strict=True)]
        cells = (
            f"{statistics.median(values):,.0f}",
            f"{min(values):,.0f} to {max(values):,.0f}",
            f"{statistics.median(ratios):.1f}",
            f"{min(ratios):.1f} to {max(ratios):.1f}",
        )
        rows.append((name, *cells))
    return rows


if __name__ == "__main__":
    main()
