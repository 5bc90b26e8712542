"""What evaluation costs beside the networks' forward passes: make bench BENCH=evaluation [ARGS="photos=DIR"]

Photograph by photograph, everything is timed in turn, so that a noisy machine disturbs all alike.
"""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import piq
import skimage.data
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from PIL import Image
from rich.progress import track
from torch import Tensor, nn

from restoration.datasets.decode import decode
from restoration.datasets.folder import photographs_in
from restoration.datasets.photos import PackedPhotos
from restoration.names import QUICK
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import degraded_photo, evaluate
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score_versions
from restoration.study.runs import hardware
from restoration.tasks import Task
from scripts.cli import chosen_device, clear_errors
from scripts.measure import in_fresh_process, peak_megabytes, timed, timed_in_turn, write_benchmark

TILES = {"tiles of 128": 128, "tiles of 256": 256, "tiles of 512": 512, "the whole photograph": 10**6}
FORWARD, EVALUATION = "forward passes", "evaluation"
OURS, PIQ = "of which rounding and metrics", "SSIM and MS-SSIM by piq in float32"
ALL = "rounding, all metrics and artefacts"


@hydra.main(version_base="1.3", config_path="../configs", config_name="bench_evaluation")
def main(config: DictConfig) -> None:
    with clear_errors():
        device = chosen_device(config.device)
        task = instantiate(config.task)
        models = {}
        for seed in range(config.networks):
            torch.manual_seed(seed)
            models[str(seed)] = instantiate(config.model).to(device, memory_format=torch.channels_last)
        photos = photographs(config)
        tile_times = forward_times(models["0"], degraded_photo(task, photos[0], 0, device)[0])
        tile = TILES[min(tile_times, key=tile_times.__getitem__)]
        times = [photo_times(models, task, photo, device, tile) for photo in track(photos, transient=True)]
        megapixels = statistics.mean(photo.sizes.prod().item() / 1e6 for photo in photos)
        source = Path(config.photos).name if config.photos else "scikit-image"
        title = (
            f"{config.networks} networks and their input ({type(task).__name__}) scored in float32 on {len(photos)} "
            f"photographs ({source}, {megapixels:.2f} MP), on {hardware(device)}, torch {torch.__version__}; medians"
        )
        rows = time_rows(times)
        rows += [("one forward pass, " + name, f"{value:.3f} s", "") for name, value in tile_times.items()]
        if device.type == "cpu":
            rows += memory_rows(config.large)
        titles = ("", "median", "of the forward passes (quartiles)")
        write_benchmark(title, titles, rows, config.report, "make bench BENCH=evaluation")


def photographs(config: DictConfig) -> list[PackedPhotos]:
    """Those of the folder, or scikit-image's in the size of Kodak's, each alone."""
    if config.photos is None:
        pictures = [Image.fromarray(picture()) for picture in (skimage.data.astronaut, skimage.data.coffee)]
        pictures = [np.array(picture.resize((config.width, config.height))) for picture in pictures]
        pictures = [np.roll(pictures[number % 2], 8 * number, axis=1) for number in range(config.count)]
    else:
        pictures = [decode(path) for path in photographs_in(config.photos, "photos")]
    return [alone(picture) for picture in pictures]


def alone(picture: np.ndarray) -> PackedPhotos:
    pixels = torch.from_numpy(picture).flatten()
    return PackedPhotos(pixels, torch.tensor([picture.shape[:2]]), ["photograph"], torch.empty(0), key="")


def forward_times(model: nn.Module, degraded: Tensor) -> dict[str, float]:
    """Median seconds of one network's forward pass by the size of its tiles."""
    ways = {name: partial(restore_image, model, degraded, tile=tile) for name, tile in TILES.items()}
    times = timed_in_turn(ways, seconds=0, least=5, device=degraded.device)
    return {name: statistics.median(values) for name, values in times.items()}


def photo_times(
    models: dict[str, nn.Module], task: Task, photo: PackedPhotos, device: torch.device, tile: int
) -> dict[str, float]:
    """Seconds of everything that is compared, on one photograph."""
    degraded, target = degraded_photo(task, photo, 0, device)
    images = [degraded]
    ways: dict[str, Callable[[], object]] = {
        FORWARD: lambda: images.extend([restore_image(model, degraded, tile=tile) for model in models.values()]),
        EVALUATION: lambda: list(evaluate(models, task, photo, protocol=Protocol(), device=device, metrics=QUICK)),
        OURS: lambda: score_versions(images, target, metrics=QUICK),
        PIQ: lambda: piq_scores(images, target),
        ALL: lambda: score_versions(images, target),
    }
    return {name: timed(way, device) for name, way in ways.items()}


@torch.inference_mode()
def piq_scores(images: Sequence[Tensor], target: Tensor) -> list[Tensor]:
    """SSIM and MS-SSIM; of a large image channel by channel, which needs a third of the memory."""
    truth = Protocol().prepare(target)
    at_once = 1 if truth[0, 0].numel() > 4_000_000 else 3
    metrics: list[Callable[..., Any]] = [partial(piq.ssim, downsample=False), piq.multi_scale_ssim]
    pairs = [zip(Protocol().prepare(image).split(at_once, 1), truth.split(at_once, 1), strict=True) for image in images]
    return [metric(x, y) for pair in pairs for x, y in pair for metric in metrics]


def time_rows(times: list[dict[str, float]]) -> list[tuple[str, str, str]]:
    """Median seconds a photograph, and the median and quartiles of the share of the forward passes' time."""
    rows = []
    for name in times[0]:
        shares = [own[name] / own[FORWARD] for own in times]
        low, _, high = statistics.quantiles(shares, n=4, method="inclusive")
        spread = f"{statistics.median(shares):.2f} ({low:.2f} to {high:.2f})"
        rows.append((name, f"{statistics.median(own[name] for own in times):.3f} s", spread))
    return rows


def memory_rows(megapixels: float) -> list[tuple[str, str, str]]:
    """The largest memory of processes that do one thing to one large image."""
    rows = []
    for name in ("the pair alone", "the pair and PSNR, SSIM, MS-SSIM", "the pair and all metrics", PIQ):
        peak = in_fresh_process(peak_gigabytes, name, megapixels)
        rows.append((f"peak memory at {megapixels:g} MP, {name}", f"{peak:.1f} GB", ""))
    return rows


def peak_gigabytes(name: str, megapixels: float) -> float:
    """The largest memory that this process has had once it has scored a degraded image."""
    side = round((megapixels * 1e6 / 6) ** 0.5)
    target = torch.rand(3, 2 * side, 3 * side)
    degraded = target.flip(0)
    if name == PIQ:
        piq_scores([degraded], target)
    elif name != "the pair alone":
        metrics = ALL_METRICS if name == "the pair and all metrics" else QUICK
        score_versions([degraded], target, metrics=metrics)
    return peak_megabytes() / 1e3


if __name__ == "__main__":
    main()
