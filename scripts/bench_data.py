"""How fast photographs are packed, and what a larger set costs: make bench BENCH=data [ARGS="counts=[100,1000,5000]"]

Packing is compared with what one would write oneself: a loop that decodes with Pillow, turns by EXIF, converts to RGB
and appends the pixels to one file. Both leave it on the disk (fsync); in turn, medians. Photographs are made from
those of scikit-image, or are those of a folder (photos=DIR).
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import hydra
import numpy as np
import skimage.data
import torch
from omegaconf import DictConfig
from PIL import Image, ImageOps

from restoration.datasets.folder import photographs_in
from restoration.datasets.pack import in_parallel, pack
from restoration.datasets.photos import PackedPhotos
from restoration.study.runs import hardware
from restoration.tasks import Demosaic
from restoration.training.patches import PatchSampler
from scripts.cli import clear_errors
from scripts.measure import in_fresh_process, peak_megabytes, timed_in_turn, write_benchmark

CROPS, LARGE = (336, 224), (999, 666)  # sizes of the photographs that are made, width and height


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench_data")
def main(config: DictConfig) -> None:
    with clear_errors(), tempfile.TemporaryDirectory(dir=config.scratch) as scratch:
        folder = Path(scratch)
        photos = list(photographs_in(config.photos, "photos")) if config.photos else made(500, CROPS, folder / "crops")
        packing = [packing_row(photos, config.repeats, folder / "packs")]
        machine = f"on {hardware(torch.device('cpu'))}"
        write_benchmark(
            f"Packing {len(photos)} JPEG files {machine}; medians of {config.repeats} repeats in turn",
            ("Pillow loop, photographs/s", "pack, photographs/s", "ratio", "least and most"),
            packing,
            Path(config.report) / "packing.md",
            "make bench BENCH=data",
        )
        write_benchmark(
            f"Sets of photographs of {LARGE[0]}x{LARGE[1]} {machine}; sampling in turn, medians",
            ("photographs", "pack, MB", "seconds", "per second", "peak MB", "patches/s, batch 8", "batch 512"),
            growth_rows(list(config.counts), config.seconds, folder),
            Path(config.report) / "set_size.md",
            "make bench BENCH=data",
        )


def packing_row(photos: Sequence[Path], repeats: int, packs: Path) -> tuple[str, ...]:
    """Photographs a second of the loop and of `pack`, and their ratio."""
    rates = []
    for _ in range(repeats):
        os.sync()  # neither waits for what the other has left to write
        start = time.perf_counter()
        with open(packs.with_suffix(".loop"), "wb") as file:
            for path in photos:
                with Image.open(path) as image:
                    file.write(np.array(ImageOps.exif_transpose(image).convert("RGB")).data)
            os.fsync(file.fileno())
        loop_seconds = time.perf_counter() - start
        packs.with_suffix(".loop").unlink()
        os.sync()
        start = time.perf_counter()
        pack(photos, packs, title="photographs")
        rates.append((len(photos) / loop_seconds, len(photos) / (time.perf_counter() - start)))
        shutil.rmtree(packs)
    ratios = sorted(packed / loop for loop, packed in rates)
    loop, packed = (statistics.median(values) for values in zip(*rates, strict=True))
    return (
        f"{loop:,.0f}",
        f"{packed:,.0f}",
        f"{statistics.median(ratios):.2f}",
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
    )


def growth_rows(counts: list[int], seconds: float, folder: Path) -> list[tuple[str, ...]]:
    """A row for each number of photographs; every set is the beginning of the largest one."""
    photos = made(max(counts), LARGE, folder / "large")
    packed, facts = [], []
    for count in counts:
        taken, peak = in_fresh_process(pack_alone, photos[:count], folder / "sets")
        packed.append(pack(photos[:count], folder / "sets", title="photographs"))
        megabytes = packed[-1].pixels.numel() / 1e6
        facts.append((f"{count:,}", f"{megabytes:,.0f}", f"{taken:.1f}", f"{count / taken:.0f}", f"{peak:,.0f}"))
    small, large = (sampling_rates(packed, batch, seconds) for batch in (8, 512))
    return [(*row, *rates) for row, *rates in zip(facts, small, large, strict=True)]


def pack_alone(photos: list[Path], cache: Path) -> tuple[float, float]:
    """Seconds of packing, and the most memory in MB that this process ever had."""
    start = time.perf_counter()
    pack(photos, cache, title="photographs")
    return time.perf_counter() - start, peak_megabytes()


def sampling_rates(sets: list[PackedPhotos], batch: int, seconds: float) -> list[str]:
    """Patches a second of demosaicking batches, for each set."""
    samplers = {photos.key: PatchSampler(Demosaic(), photos, photos, batch, torch.Generator()) for photos in sets}
    times = timed_in_turn({key: sampler.sample for key, sampler in samplers.items()}, seconds=seconds)
    return [f"{batch / statistics.median(values):,.0f}" for values in times.values()]


def made(count: int, size: tuple[int, int], folder: Path) -> list[Path]:
    """JPEG files, each a different cut of one of scikit-image's photographs."""
    folder.mkdir(parents=True)
    originals = [Image.fromarray(image()) for image in (skimage.data.astronaut, skimage.data.coffee, skimage.data.cat)]

    def make(number: int) -> Path:
        rng = np.random.default_rng(number)
        original = originals[number % len(originals)]
        left, top = rng.uniform(0, 0.3, 2) * original.size
        right, bottom = rng.uniform(0.7, 1.0, 2) * original.size
        encoded = BytesIO()
        original.resize(size, box=(left, top, right, bottom)).save(encoded, "JPEG", quality=95, subsampling=0)
        path = folder / f"{number:05}.jpg"
        path.write_bytes(encoded.getvalue())
        return path

    return list(in_parallel(make, range(count)))


if __name__ == "__main__":
    main()
