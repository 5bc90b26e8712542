"""A real raw file as networks and BM3D see it: the paper's 'inverse crime' check.

A raw file is used in two ways:

- As it is: the truth is unknown, so crops of its centre are shown, but not scored.
- Binned to a quarter of its pixels: every pixel then has all three colours, which is the reference. Noise of variance
  a y + b is added to the *light* of the binned sensor, at several levels. As a control, the degradation of the
  training adds such noise to *encoded* values, after the sRGB curve: only the photograph then differs from training.

Columns of one noisy mosaic:

- input: bilinear interpolation, the input of the networks. The networks have no information about the sensor.
- menon: Menon's demosaicking alone.
- bm3d: BM3D with the noise of the sensor. Light is denoised with the true a and b (for a file as it is: the estimated
  ones), then white balance, sRGB curve and Menon's demosaicking follow. After gains and curve, the variance no longer
  has the form a y + b, so BM3D must work on light.
- bm3d_blind: BM3D with the same information as the networks: a and b of the training, for encoded values, as in the
  paper.

Limits: noise is clipped at 0, so that the mean of the darkest light is too high in every restored image. The noise
of the file itself is in the reference and in the mosaic: removing this noise lowers the score.
`reference_floor` estimates this effect.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.files import replacing
from restoration.names import INPUT
from restoration.networks.inference import restore_image
from restoration.scoring.baselines import DENOISING, bm3d, denoised, menon
from restoration.scoring.evaluate import noise_of
from restoration.sensor import Sensor, binned, estimated_noise, mosaic, noisy
from restoration.study.report.drawing import as_saved
from restoration.tasks import Demosaic
from restoration.tasks.demosaic import interpolated

TILE = 192  # side of a scored tile in pixels; MS-SSIM needs 161
CENTRE = (768, 1024)  # rows and columns of the centre that is shown

Denoise = Callable[[Tensor, float, float], Tensor]  # a mosaic with noise of variance a y + b -> without noise
Column = tuple[str, int]  # loss or baseline, and seed


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A noisy mosaic.

    Attributes:
        name: name of the test set.
        title: title of the test set.
        values: (H, W), the mosaic in the network's range.
        a, b: noise of variance a y + b: in the light of `seen` if `seen` is given, else in `values`.
        seen: the noisy sensor, if the noise is in light.
        reference: (3, H, W) in the network's range, if known.
    """

    name: str
    title: str
    values: Tensor
    a: float
    b: float
    seen: Sensor | None = None
    reference: Tensor | None = None

    @property
    def facts(self) -> dict[str, str | float]:
        """Facts of the test set."""
        noise = "encoded" if self.seen is None else "light"
        return {"title": self.title, "noise": noise, "noise_a": self.a, "noise_b": self.b}

    def denoised(self, denoise: Denoise) -> Tensor:
        """The mosaic in the network's range, (H, W), denoised where the noise has the variance a y + b."""
        if self.seen is None:
            return denoise(self.values, self.a, self.b)
        return mosaic(replace(self.seen, light=denoise(self.seen.light, self.a, self.b)))[0]


def as_it_is(sensor: Sensor) -> Observation:
    """The centre of the file with its own noise; a and b are estimated."""
    a, b = estimated_noise(sensor.light)
    tops = [max(length - side, 0) // 4 * 2 for length, side in zip(sensor.light.shape, CENTRE, strict=True)]
    rows, columns = (slice(top, top + side) for top, side in zip(tops, CENTRE, strict=True))
    seen = replace(sensor, light=sensor.light[rows, columns].contiguous())
    return Observation(name="raw as it is", title="Raw file as it is", values=mosaic(seen)[0], a=a, b=b, seen=seen)


def with_reference(
    sensor: Sensor, photograph: str, *, levels: Sequence[tuple[float, float]], trained: Demosaic
) -> Iterator[Observation]:
    """The binned file with noise of each (a, b) in light; last, with the degradation of the training. Deterministic.

    Raises:
        UserError: the file is too small to be scored.
    """
    source, reference = binned(sensor)
    if min(reference.shape[1:]) < TILE:
        height, width = sensor.light.shape
        raise UserError(
            f"{photograph} has {width} x {height} pixels; {2 * TILE} or more a side are needed, because the "
            "photograph is reduced to half its width and height before scoring"
        )
    for a, b in levels:
        name = f"raw-light-{a:g}-{b:g}"
        seen = noisy(source, a=a, b=b, generator=noise_of(f"{photograph} {name}"))
        title = f"Raw file, noise {_strength(a, b, trained)} in light"
        yield Observation(name=name, title=title, values=mosaic(seen)[0], a=a, b=b, seen=seen, reference=reference)
    name = f"raw-encoded-{trained.a:g}-{trained.b:g}"
    values = trained.mosaic(reference, noise_of(f"{photograph} {name}"))
    title = "Raw file, the training's own noise"
    yield Observation(name=name, title=title, values=values, a=trained.a, b=trained.b, reference=reference)


def _strength(a: float, b: float, trained: Demosaic) -> str:
    """Standard deviation of the noise as a multiple of the training's, or a and b."""
    times = (a / trained.a) ** 0.5
    alike = bool(np.isclose(times**2 * trained.b, b))
    return f"× {times:.2g}" if alike else f"a = {a:g}, b = {b:g}"


def reference_floor(sensor: Sensor) -> float:
    """PSNR, in dB, between the reference and a reference with twice the estimated noise variance of the sensor."""
    a, b = estimated_noise(sensor.light)
    again = noisy(sensor, a=a, b=b, generator=noise_of("reference"))
    return float(-10 * (binned(again)[1] - binned(sensor)[1]).square().mean().log10())


def restorations(
    observation: Observation,
    networks: Mapping[Column, nn.Module],
    *,
    trained: Demosaic,
    denoise: Denoise | None,
    device: torch.device,
) -> Iterator[tuple[Column, Tensor]]:
    """The restored images of an observation, (3, H, W) uint8 in the network's range; without `denoise` no baselines."""
    degraded = interpolated(observation.values[None])
    yield (INPUT, 0), _rounded(degraded)
    for key, network in networks.items():
        yield key, _rounded(restore_image(network, degraded.to(device)).cpu())
    if denoise is not None:
        yield ("menon", 0), _rounded(menon(observation.values.numpy()))
        yield ("bm3d", 0), _rounded(menon(observation.denoised(denoise).numpy()))
        yield ("bm3d_blind", 0), _rounded(menon(denoise(observation.values, trained.a, trained.b).numpy()))


def bm3d_once(folder: Path) -> Denoise:
    """BM3D in the Bayer domain. Results are kept in `folder`, named by a hash of all inputs.

    Raises:
        UserError: BM3D is not installed.
    """
    block_matching = bm3d()

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


def _rounded(image: Tensor) -> Tensor:
    return (as_saved(image) * 255).round().byte()
