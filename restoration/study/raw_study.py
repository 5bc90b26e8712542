"""The paper's 'inverse crime' check: the demosaicking networks beside BM3D on a real raw file.

A raw file is looked at in two ways:

- as it is: nobody knows the truth, so it is only looked at, in crops of its centre;
- binned to a quarter of its pixels, so that every pixel has all three colours: the reference. Noise is added to the
  binned sensor's *light*, variance a y + b, on a grid of levels (`configs/raw.yaml`). The network's input is then what
  `raw` makes of it. As a control, the training's own degradation of the reference ("encoded": noise on values that
  have the sRGB curve already) tells what the photograph alone changes.

What is compared, all of it made of the same noisy mosaic:

- input: bilinear interpolation, what the networks get; the networks, which are told nothing of the sensor;
- menon: Menon's demosaicking alone;
- bm3d: told the truth. Where noise is in light, BM3D works on light with its a and b (on a file as it is, those of
  `sensor`); white balance and sRGB curve follow, then Menon's demosaicking. After gains and curve the noise has
  no variance of the form a y + b, so nothing else would be fair to it;
- bm3d_blind: told what the networks know, that encoded values have the training's a and b; it works on these. This is
  the paper's own chain, and BM3D with a wrong noise wherever the networks meet another one than they learnt.

Noise that is clipped at 0 leaves a mean above the truth in the darkest light: everybody meets it, nobody undoes it.

The reference has noise of its own, and so has the mosaic made of it, the same: whoever removes it is charged for it,
and whoever keeps it is not. `reference_floor` tells how much that can be.

One photograph would give one number: it is scored in tiles that do not overlap, each an "image" of the records. They
are as many samples of this photograph's light, not as many photographs: an interval over them says how sure the
figure is for this photograph and camera, and nothing about others. Tiles are 192 pixels a side: MS-SSIM needs 161, and
with larger ones, 15 of 256 pixels, Wilcoxon's p could not fall low enough for Holm's correction of a whole ledger.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.files import replacing
from restoration.networks.inference import restore_image
from restoration.scoring.baselines import DENOISING, bm3d, denoised, menon
from restoration.scoring.evaluate import INPUT, noise_of, scores_of
from restoration.scoring.metrics import METRICS
from restoration.scoring.protocol import Protocol
from restoration.sensor import Sensor, binned, displayed, estimated_noise, mosaic, noisy
from restoration.study.columns import title_of
from restoration.study.figures import as_saved, pixels_of
from restoration.study.report.crops import most_different_crops
from restoration.study.runs import COLUMNS
from restoration.tasks import Demosaic
from restoration.tasks.demosaic import interpolated

TILE = 192  # pixels a side
CENTRE = (768, 1024)  # pixels of a file as it is
TASK, AS_IT_IS, IN_LIGHT, ENCODED = "demosaic", "raw as it is", "raw-light", "raw-encoded"
CROP = 96

Denoise = Callable[[Tensor, float, float], Tensor]  # a mosaic with noise of variance a y + b -> without it
Version = tuple[str, int]  # loss or baseline, and seed


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a sensor saw.

    Attributes:
        name: a test set's.
        values: (H, W), the noisy mosaic in the network's range.
        a, b: of its noise: of the light of `seen` where there is one, else of `values`.
        reference: (3, H, W) in the network's range, where the truth is known.
    """

    name: str
    values: Tensor
    a: float
    b: float
    seen: Sensor | None = None
    reference: Tensor | None = None

    def label(self, number: int) -> str:
        """Short enough to stand beside a row of crops."""
        kind = self.name.removesuffix(f"-{self.a:g}-{self.b:g}")
        return f"{kind}, no. {number}\na={self.a:.3g}\nb={self.b:.3g}"

    def denoised(self, denoise: Denoise) -> Tensor:
        """The mosaic in the network's range, (H, W), its noise removed where it has the variance a y + b."""
        if self.seen is None:
            return denoise(self.values, self.a, self.b)
        return mosaic(replace(self.seen, light=denoise(self.seen.light, self.a, self.b)))[0]


def as_it_is(sensor: Sensor) -> Observation:
    """The file's centre, with its own noise, which is estimated."""
    a, b = estimated_noise(sensor.light)
    tops = [max(length - side, 0) // 4 * 2 for length, side in zip(sensor.light.shape, CENTRE, strict=True)]
    rows, columns = (slice(top, top + side) for top, side in zip(tops, CENTRE, strict=True))
    seen = replace(sensor, light=sensor.light[rows, columns].contiguous())
    return Observation(name=AS_IT_IS, values=mosaic(seen)[0], a=a, b=b, seen=seen)


def with_reference(
    sensor: Sensor, photograph: str, *, levels: Sequence[tuple[float, float]], trained: Demosaic
) -> Iterator[Observation]:
    """The binned file with noise of each (a, b) in its light, then degraded as in training; the same in every call.

    Raises:
        UserError: the file is too small to be scored.
    """
    source, reference = binned(sensor)
    if min(reference.shape[1:]) < TILE:
        height, width = sensor.light.shape
        raise UserError(
            f"{photograph} has {width} x {height} pixels; {2 * TILE} or more a side are needed, so that a quarter of "
            "them can be scored"
        )
    for a, b in levels:
        name = f"{IN_LIGHT}-{a:g}-{b:g}"
        seen = noisy(source, a=a, b=b, generator=noise_of(f"{photograph} {name}"))
        yield Observation(name=name, values=mosaic(seen)[0], a=a, b=b, seen=seen, reference=reference)
    name = f"{ENCODED}-{trained.a:g}-{trained.b:g}"
    values = trained.mosaic(reference, noise_of(f"{photograph} {name}"))
    yield Observation(name=name, values=values, a=trained.a, b=trained.b, reference=reference)


def reference_floor(sensor: Sensor) -> float:
    """PSNR, in dB, between the reference and itself with as much noise again as the sensor is estimated to have."""
    a, b = estimated_noise(sensor.light)
    again = noisy(sensor, a=a, b=b, generator=noise_of("reference"))
    return float(-10 * (binned(again)[1] - binned(sensor)[1]).square().mean().log10())


def restorations(
    observation: Observation,
    networks: Mapping[Version, nn.Module],
    *,
    trained: Demosaic,
    denoise: Denoise | None,
    device: torch.device,
) -> Iterator[tuple[Version, Tensor]]:
    """Every version of what was seen, (3, H, W) in 8 bits of the network's range; without `denoise` no baselines."""
    degraded = interpolated(observation.values[None])
    yield (INPUT, 0), _rounded(degraded)
    for key, network in networks.items():
        yield key, _rounded(restore_image(network, degraded.to(device)).cpu())
    if denoise is not None:
        yield ("menon", 0), _rounded(menon(observation.values.numpy()))
        yield ("bm3d", 0), _rounded(menon(observation.denoised(denoise).numpy()))
        yield ("bm3d_blind", 0), _rounded(menon(denoise(observation.values, trained.a, trained.b).numpy()))


def bm3d_once(folder: Path) -> Denoise:
    """BM3D in the Bayer domain (see `baselines`), whose results are kept in `folder` by all that they depend on."""
    block_matching = bm3d()  # fails at once where it is not installed

    def denoise(values: Tensor, a: float, b: float) -> Tensor:
        raw = values.double().numpy()
        facts = f"bm3d {version('bm3d')}, {DENOISING}, {a} {b} {raw.shape}".encode()
        path = folder / f"{hashlib.sha256(facts + raw.tobytes()).hexdigest()[:20]}.npy"
        if not path.exists():
            clean = denoised(raw, Demosaic(a=a, b=b), block_matching).astype(np.float32)
            with replacing(path) as temporary:
                np.save(temporary, clean)
        return torch.from_numpy(np.load(path))

    return denoise


def tile_records(
    versions: Mapping[Version, Tensor], reference: Tensor, photograph: str, test_set: str, *, data: str, variant: str
) -> pd.DataFrame:
    """A row for every version, tile and metric of the tables, with the columns of `runs.COLUMNS`.

    Args:
        versions: of `restorations`.
        reference: (3, H, W); what is left over at its right and bottom after whole tiles is not scored.
    """
    protocol, rows = Protocol(), []
    for top in range(0, reference.shape[1] - TILE + 1, TILE):
        for left in range(0, reference.shape[2] - TILE + 1, TILE):
            tile = (..., slice(top, top + TILE), slice(left, left + TILE))
            images = (version[tile].float() / 255 for version in versions.values())
            scores = scores_of(images, protocol.prepare(reference[tile]), protocol, metrics=METRICS)
            image = f"{photograph} row {top} column {left}"
            rows += [
                (data, variant, test_set, TASK, loss, seed, image, metric, value)
                for (loss, seed), values in zip(versions, scores, strict=True)
                for metric, value in values.items()
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def pictures(versions: Mapping[Version, Tensor], observation: Observation, sensor: Sensor) -> dict[str, np.ndarray]:
    """What to look at, (H, W, 3) uint8 sRGB, upright, by version; of networks the first seed; last the reference."""
    first = {loss: image for (loss, _), image in reversed([*versions.items()])}
    shown = {loss: first[loss].float() / 255 for loss, _ in versions}
    if observation.reference is not None:
        shown["reference"] = observation.reference
    return {name: pixels_of(displayed(image, sensor)) for name, image in shown.items()}


def crops(images: Mapping[str, np.ndarray], *, count: int) -> list[dict[str, Tensor]]:
    """Windows of `pictures` in which networks and told BM3D differ most, (3, h, w) in [0, 1] by title.

    Without a reference their mean stands for it: then the rule takes the windows where they differ most from it.
    """
    restored = [image for name, image in images.items() if name not in (INPUT, "menon", "bm3d_blind", "reference")]
    truth = images.get("reference", np.mean(restored, axis=0).round().astype(np.uint8))
    if len(restored) < 2:
        restored = [images[INPUT], *restored]
    return [
        {
            title_of(name): torch.from_numpy(image[window].copy()).permute(2, 0, 1) / 255
            for name, image in images.items()
        }
        for window in most_different_crops(restored, truth, side=CROP, count=count)
    ]


def _rounded(image: Tensor) -> Tensor:
    return (as_saved(image) * 255).round().byte()
