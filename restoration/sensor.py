"""A sensor's own values -> the demosaicking network's range, and back to a picture: does what was learnt on photographs
with made noise restore a real raw file (the paper's 'inverse crime')?

From the file to the network's range, in this order:
1. the visible area without its first row, its first column or both, where they are needed to begin with red (RGGB), and
   of even size;
2. black level subtracted, divided by white - black, clipped to [0, 1]: light as the sensor counts it;
3. the camera's white balance (daylight where the file names none), the least multiplier 1: a white that is too bright
   for a sensor's colour stays white; clipped to [0, 1];
4. the sRGB curve, since the networks learnt on photographs, which have it;
5. bilinear interpolation, as in `tasks.demosaic`.
The network restores camera colours; `displayed` then undoes the curve, applies the camera's matrix, and the curve
again.

What follows for the noise: light has variance a y + b; after gain g and the curve f it is about (g f'(g y))² (a y + b),
which is no longer of the form a y + b, nor the same for three colours. The curve is steep in shadows (12.92 at black)
and flat in highlights (0.44 at white): noise grows where the networks learnt the least of it, and shrinks where they
learnt the most. So `noisy` adds noise to light, as a sensor does; `Demosaic(a=a, b=b).degrade(reference, generator)`
adds it to the encoded values, as in training.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.color.colorconv import xyz_from_rgb
from torch import Tensor

from restoration.datasets.develop import raw_library
from restoration.errors import UserError
from restoration.tasks.demosaic import interpolated, mosaic_of

CORNERS = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # rows and columns before the first red one


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A raw photograph.

    Attributes:
        light: (H, W) in [0, 1], the Bayer mosaic RGGB, linear; H and W are even.
        gains: (3,), the white balance.
        to_srgb: (3, 3), balanced camera colours -> sRGB, both linear.
        turns: quarter turns, anticlockwise, that put the picture upright.
    """

    light: Tensor
    gains: Tensor
    to_srgb: Tensor
    turns: int = 0


def read_sensor(path: str | Path) -> Sensor:
    """A Bayer raw file of any kind that LibRaw reads, such as a DNG.

    Raises:
        UserError: rawpy is not installed, or the file is no raw file of a Bayer sensor whose colours are known.
    """
    rawpy = raw_library()
    try:
        with rawpy.imread(str(path)) as raw:
            pattern = _pattern(raw)
            if pattern not in CORNERS:
                raise UserError(
                    f"{path} has the colour pattern {pattern}; the networks know Bayer sensors, 2 x 2 of R, G, G, B"
                )
            values = raw.raw_image_visible.astype(np.float32)
            colours = raw.raw_colors_visible
            black = np.array(raw.black_level_per_channel, np.float32)
            white = float(raw.white_level)
            balance = _balance(raw.camera_whitebalance, raw.daylight_whitebalance)
            to_srgb = _to_srgb(raw.color_matrix[:, :3], raw.rgb_xyz_matrix[:3])
            flip = raw.sizes.flip
    except rawpy.LibRawError as error:
        raise UserError(f"LibRaw does not read {path} ({error}); give a sound raw file of a Bayer sensor") from error
    if to_srgb is None:
        raise UserError(f"{path} does not say how its camera sees colours, nor does LibRaw know; convert it to DNG")
    light = (values - black[colours]) / (white - black[colours])
    top, left = CORNERS[pattern]
    light = light[top:, left:]
    light = light[: len(light) // 2 * 2, : light.shape[1] // 2 * 2].clip(0, 1)
    return Sensor(
        light=torch.from_numpy(np.ascontiguousarray(light)),
        gains=balance / balance.min(),
        to_srgb=to_srgb,
        turns={3: 2, 5: 1, 6: -1}.get(flip, 0),
    )


def mosaic(sensor: Sensor) -> Tensor:
    """The Bayer mosaic in the network's range, (1, H, W) in [0, 1]."""
    gain = mosaic_of(sensor.gains[:, None, None].expand(3, *sensor.light.shape))
    return encoded((sensor.light * gain).clamp_(0, 1))


def network_input(sensor: Sensor) -> Tensor:
    """The mosaic in the network's range, bilinearly interpolated, (3, H, W) in [0, 1]."""
    return interpolated(mosaic(sensor))


def displayed(image: Tensor, sensor: Sensor) -> Tensor:
    """An image in the network's range, (3, H, W) -> sRGB in [0, 1], upright."""
    light = torch.einsum("ij,jhw->ihw", sensor.to_srgb, decoded(image.clamp(0, 1)))
    return encoded(light.clamp_(0, 1)).rot90(sensor.turns, dims=(1, 2))


def noisy(sensor: Sensor, *, a: float, b: float, generator: torch.Generator) -> Sensor:
    """The same with Gaussian noise of variance a y + b on its light y, clipped to [0, 1], on top of its own noise."""
    noise = torch.randn(sensor.light.shape, generator=generator, device=generator.device).to(sensor.light)
    return replace(sensor, light=(sensor.light + (a * sensor.light + b).sqrt() * noise).clamp_(0, 1))


def binned(sensor: Sensor) -> tuple[Sensor, Tensor]:
    """A photograph of a quarter of the pixels whose three colours were all measured: a reference of real light.

    A quad's red, mean green and blue become a pixel. Red and blue lie half a new pixel apart, in the reference as in
    the mosaic made of it; noise of its own is left in it, the less the lower the ISO.

    Returns:
        The sensor that sees the binned photograph, and the reference in the network's range, (3, H / 2, W / 2).
    """
    quads = torch.stack([sensor.light[row::2, column::2] for row in (0, 1) for column in (0, 1)])
    colours = torch.stack([quads[0], (quads[1] + quads[2]) / 2, quads[3]])
    colours = colours[:, : colours.shape[1] // 2 * 2, : colours.shape[2] // 2 * 2]
    reference = encoded((colours * sensor.gains[:, None, None]).clamp_(0, 1))
    return replace(sensor, light=mosaic_of(colours)[0]), reference


def encoded(light: Tensor) -> Tensor:
    """Light in [0, 1] -> sRGB values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def decoded(values: Tensor) -> Tensor:
    """sRGB values in [0, 1] -> light in [0, 1]."""
    return torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _pattern(raw: Any) -> str:
    """The colours of the visible area's top left 2 x 2 pixels; "none" where the sensor's pattern is another one."""
    if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        return "none"
    return "".join(chr(raw.color_desc[index]) for index in raw.raw_colors_visible[:2, :2].flatten())


def _to_srgb(embedded: np.ndarray, from_xyz: np.ndarray) -> Tensor | None:
    """Balanced camera colours -> linear sRGB, (3, 3): the file's matrix, or that of LibRaw's table; None without both.

    Args:
        embedded: (3, 3), zero where the file has none, as the raw files of many cameras.
        from_xyz: (3, 3), CIE XYZ -> camera colours, zero where LibRaw does not know the camera.
    """
    if embedded.any():
        matrix = embedded
    elif from_xyz.any():
        camera = from_xyz @ xyz_from_rgb  # of linear sRGB
        matrix = np.linalg.inv(camera / camera.sum(axis=1, keepdims=True))  # balanced: white stays white
    else:
        return None
    return torch.from_numpy(np.ascontiguousarray(matrix)).float()


def _balance(camera: list[float], daylight: list[float]) -> Tensor:
    """Multipliers of red, green and blue: the camera's, or daylight's where it left some at 0, or none."""
    for multipliers in (camera, daylight):
        balance = torch.tensor(multipliers[:3])
        if (balance > 0).all():
            return balance
    return torch.ones(3)
