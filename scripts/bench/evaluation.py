"""The cost of scoring, compared with the networks' forward passes."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import piq
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from restoration.datasets.pack import pack_set
from restoration.names import QUICK
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import degraded_photo, evaluate
from restoration.scoring.score import score_versions
from scripts.bench.measure import Measured, in_turn, ratio, timed

LIBRARIES = ("piq",)
NETWORKS = 5
FORWARD = f"forward passes of {NETWORKS} networks"


def measure(config: DictConfig, device: torch.device) -> Iterator[Measured]:
    """One table of seconds a photograph, for the first test set."""
    protocol, task = instantiate(config.protocol), instantiate(config.task)
    photos = next(iter(pack_set(instantiate(config.data), Path(config.packs)).test.values()))
    networks = [instantiate(config.model).to(device, memory_format=torch.channels_last) for _ in range(NETWORKS)]
    models = {str(number): network for number, network in enumerate(networks)}
    pairs = [degraded_photo(task, photos, index, device) for index in range(len(photos))]

    def on_all(work: Callable[[Tensor, Tensor], object]) -> Callable[[], float]:
        return timed(lambda: [work(degraded, target) for degraded, target in pairs], device, 0)

    def score(degraded: Tensor, target: Tensor, **options) -> object:
        return score_versions([degraded] * (1 + NETWORKS), target, protocol=protocol, **options)

    @torch.inference_mode()
    def piq_score(degraded: Tensor, target: Tensor) -> list[object]:
        pair = [protocol.prepare(image).float() for image in (degraded, target)]
        return [metric(*pair) for metric in (piq.ssim, piq.multi_scale_ssim) for _ in range(1 + NETWORKS)]

    options = {"protocol": protocol, "device": device, "metrics": QUICK}
    works = {
        FORWARD: on_all(lambda degraded, target: [restore_image(model, degraded) for model in networks]),
        "evaluation": timed(lambda: list(evaluate(models, task, photos, **options)), device, 0),
        f"of which {', '.join(QUICK)}": on_all(partial(score, metrics=QUICK)),
        "all metrics and artefacts": on_all(score),
        "SSIM and MS-SSIM of piq, float32": on_all(piq_score),
    }
    times = in_turn(works, config.seconds)
    rows = [
        (name, [f"{statistics.median(values) / len(photos):.3f}", ratio(times, name, FORWARD)])
        for name, values in times.items()
    ]
    megapixels = photos.sizes.prod(1).double().mean().item() / 1e6
    title = f"Scoring {len(photos)} photographs of {megapixels:.2f} MP, {config.names.task}"
    yield Measured("evaluation", title, ("s/photograph", "in forward passes"), rows)
