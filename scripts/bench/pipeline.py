"""Our trainer compared with a usual pipeline, with the same network, task and batch.

Usual pipeline: a DataLoader whose workers decode an image file for each patch, crop and degrade it; kornia's Mix;
float32.
"""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler

from restoration.datasets.pack import pack_set
from restoration.tasks import Task
from restoration.training.patches import PATCH
from scripts.bench.measure import Measured, in_turn, ratio
from scripts.bench.step import loop_seconds
from scripts.cli import chosen_bf16
from scripts.trained import built_loss

LIBRARIES = ("kornia", "pillow")
PREFETCHED = 2  # batches for each worker, DataLoader's default
CROP = 48  # pixels that are degraded for a patch: three blocks of 4:2:0 JPEG
OURS = "ours"


def measure(config: DictConfig, device: torch.device) -> Iterator[Measured]:
    """One table: patches a second of each pipeline."""
    bf16, photo_set = chosen_bf16(config.precision, device), instantiate(config.data)
    photos = pack_set(photo_set, Path(config.packs))
    with_kornia = config.copy()
    with_kornia.loss = OmegaConf.create({"_target_": "kornia.losses.MS_SSIMLoss"})
    usual = partial(usual_seconds, files=photo_set.train, device=device)
    works: dict[str, Callable[[], float]] = {
        OURS: lambda: loop_seconds(config, photos, device, bf16),
        "ours with kornia's Mix": lambda: loop_seconds(with_kornia, photos, device, bf16),
        "usual": lambda: usual(with_kornia),
        "usual, with our loss": lambda: usual(config),
        "usual, with our loss, layout and precision": lambda: usual(config, ours=True, bf16=bf16),
    }
    times = in_turn(works, config.seconds)
    batch = config.budget.batch
    rows = [
        (name, [f"{batch / statistics.median(values):,.0f}", ratio(times, name, OURS)])
        for name, values in times.items()
    ]
    title = f"Training on {len(photos.train)} photographs, {config.names.task} with {config.names.loss}, batch {batch}"
    yield Measured("pipeline", title, ("patches/s", "times slower"), rows)


def usual_seconds(
    config: DictConfig, files: Sequence[Path], device: torch.device, *, ours: bool = False, bf16: bool = False
) -> float:
    """Mean time of a step, after the prefetched batches are used up."""
    model = instantiate(config.model).to(device, memory_format=torch.channels_last if ours else torch.contiguous_format)
    optimizer, loss = torch.optim.Adam(model.parameters()), built_loss(config).to(device)
    crops, batch, workers = Crops(files, instantiate(config.task)), config.budget.batch, os.cpu_count() or 1
    ahead = workers * PREFETCHED
    draws = RandomSampler(crops, replacement=True, num_samples=batch * (2 * ahead + 2 + config.steps))
    batches = iter(DataLoader(crops, batch, sampler=draws, num_workers=workers, pin_memory=device.type == "cuda"))

    def steps(count: int) -> None:
        for _ in range(count):
            degraded, target = (images.to(device, non_blocking=True) for images in next(batches))
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                restored = model(degraded)
            optimizer.zero_grad()
            loss(restored.float(), target).backward()
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    steps(ahead + 2)
    start = perf_counter()
    steps(config.steps)
    return (perf_counter() - start) / config.steps


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """A random patch of each file, decoded every time: (degraded, target), each (3, 31, 31) float32 in [0, 1]."""

    def __init__(self, files: Sequence[Path], task: Task):
        self.files = files
        self.task = task

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.files[index]) as file:
            photo = np.array(file.convert("RGB"))
        top, left = (int(torch.randint(length - CROP + 1, ())) for length in photo.shape[:2])
        crop = torch.from_numpy(photo[top : top + CROP, left : left + CROP].copy()).permute(2, 0, 1).float() / 255
        inner = (..., *[slice((CROP - PATCH) // 2, (CROP + PATCH) // 2)] * 2)
        return self.task.degrade(crop, torch.default_generator)[inner], crop[inner]
