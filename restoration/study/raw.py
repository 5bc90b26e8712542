"""The demosaicking networks and BM3D on real raw files: scores and crops.

A photograph is scored in tiles that do not overlap, each an "image" of the scores. Tiles are samples of one photograph:
an interval over them holds for this photograph and camera only.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from restoration.files import write_csv, write_text
from restoration.names import INPUT, METRICS
from restoration.scoring.score import score_versions
from restoration.sensor import Sensor, displayed, estimated_noise, read_sensor
from restoration.study.observations import (
    TILE,
    Column,
    Denoise,
    Observation,
    as_it_is,
    reference_floor,
    restorations,
    with_reference,
)
from restoration.study.report.crops import most_different_crops
from restoration.study.report.drawing import pixels_of
from restoration.tasks import Demosaic

CROP = 96  # side in pixels
TASK = "demosaic"
COLUMNS = ["test_set", "task", "loss", "seed", "image", "metric", "value"]
REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """The results of one raw file.

    Attributes:
        scores: a row for each column, tile and metric: test_set, task, loss, seed, image, metric, value.
        test_sets: facts by name: title, noise ("light" or "encoded"), noise_a, noise_b.
        note: a sentence about the noise of the file itself.
        crops: (h, w, 3) uint8 by loss or baseline, by title of the window.
    """

    scores: pd.DataFrame
    test_sets: dict[str, dict[str, str | float]]
    note: str
    crops: dict[str, dict[str, np.ndarray]]


def score_file(
    path: Path,
    networks: Mapping[Column, nn.Module],
    *,
    trained: Demosaic,
    levels: Sequence[tuple[float, float]],
    denoise: Denoise | None,
    device: torch.device,
    announce: Callable[[str], None],
) -> RawFile:
    """Restores and scores a raw file at every level of noise.

    Args:
        trained: the degradation that the networks learnt.
        denoise: BM3D; None: no baselines.
        announce: called with the observation and the loss or baseline that has been restored.

    Raises:
        UserError: the file cannot be read, or is too small to be scored.
    """
    sensor = read_sensor(path)
    observations = [as_it_is(sensor), *with_reference(sensor, path.stem, levels=levels, trained=trained)]
    frames, rows = [], {}
    for observation in observations:
        images = {}
        for column, image in restorations(observation, networks, trained=trained, denoise=denoise, device=device):
            images[column] = image
            announce(f"{observation.title}: {column[0]}")
        if observation.reference is not None:
            frames.append(tile_scores(images, observation.reference, path.name, observation.name))
        for number, crop in enumerate(crops(pictures(images, observation, sensor), count=2), start=1):
            rows[f"{observation.title}, no. {number}"] = crop
    a, b = estimated_noise(sensor.light)
    note = (
        f"{path.name}: the noise of the file itself is estimated as a={a:.2g}, b={b:.2g}; as much again in the "
        f"reference would leave {reference_floor(sensor):.1f} dB"
    )
    facts = {observation.name: observation.facts for observation in observations[1:]}
    return RawFile(scores=pd.concat(frames, ignore_index=True), test_sets=facts, note=note, crops=rows)


def write_raw(folder: Path, files: Sequence[RawFile], notes: Sequence[str]) -> None:
    """Writes the part "raw" for `Study.collect`: records.csv, test_sets.json (facts by name) and notes.txt."""
    facts = {name: facts for file in files for name, facts in file.test_sets.items()}
    write_csv(folder / "records.csv", pd.concat([file.scores for file in files], ignore_index=True))
    write_text(folder / "test_sets.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    write_text(folder / "notes.txt", "".join(f"{note}\n" for note in (*notes, *(file.note for file in files))))


def tile_scores(images: Mapping[Column, Tensor], reference: Tensor, photograph: str, test_set: str) -> pd.DataFrame:
    """The `RawFile.scores` of one test set.

    Args:
        images: as from `restorations`.
        reference: (3, H, W); the rest at the right and bottom, smaller than a tile, is not scored.
    """
    rows = []
    for top in range(0, reference.shape[1] - TILE + 1, TILE):
        for left in range(0, reference.shape[2] - TILE + 1, TILE):
            tile = (..., slice(top, top + TILE), slice(left, left + TILE))
            pixels = (image[tile].float() / 255 for image in images.values())
            scores = score_versions(pixels, reference[tile], metrics=METRICS).T.tolist()
            name = f"{photograph} row {top} column {left}"
            rows += [
                (test_set, TASK, *column, name, metric, value)
                for column, values in zip(images, scores, strict=True)
                for metric, value in zip(METRICS, values, strict=True)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def pictures(images: Mapping[Column, Tensor], observation: Observation, sensor: Sensor) -> dict[str, np.ndarray]:
    """(H, W, 3) uint8 sRGB, upright, by loss or baseline: the first seed of each; last the reference, if known."""
    shown: dict[str, Tensor] = {}
    for (loss, _), image in images.items():
        shown.setdefault(loss, image.float() / 255)
    if observation.reference is not None:
        shown[REFERENCE] = observation.reference
    return {name: pixels_of(displayed(image, sensor)) for name, image in shown.items()}


def crops(images: Mapping[str, np.ndarray], *, count: int) -> list[dict[str, np.ndarray]]:
    """The windows of `pictures` in which networks and BM3D differ most, (h, w, 3) uint8 by loss or baseline.

    Without a reference, the mean of networks and BM3D is used instead.
    """
    restored = [image for name, image in images.items() if name not in (INPUT, "menon", "bm3d_blind", REFERENCE)]
    truth = images.get(REFERENCE, np.mean(restored, axis=0).round().astype(np.uint8))
    if len(restored) < 2:
        restored = [images[INPUT], *restored]
    windows = most_different_crops(restored, truth, side=CROP, count=count)
    return [{name: image[window] for name, image in images.items()} for window in windows]
