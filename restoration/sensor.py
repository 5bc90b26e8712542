"""Converts raw files to the demosaicking network's range and back to pictures; estimates the noise of a raw file.

The networks were trained on photographs with synthetic noise. From a raw file to the network's range, in this order:
1. the visible area, cropped by at most one row and one column so that it begins with red (RGGB) and has an even size;
2. (value - black) / (white - black), clipped to [0, 1]: linear light;
3. the camera's white balance (daylight if the file has none), with 1 as the smallest multiplier, clipped to [0, 1], so
   that clipped highlights stay white;
4. the sRGB curve, which the training photographs have;
5. bilinear interpolation, as in `tasks.demosaic`.
The network's output has camera colours: `displayed` undoes the curve, applies the camera's matrix, then the curve.

Noise: a sensor's light y has the variance a y + b. After gain g and curve f the variance is about
(f'(g y) g)² (a y + b). The curve is steep in shadows (12.92 at black) and flat in highlights (0.44 at white), so the
noise of a raw file depends on brightness in another way than the noise of the training. `noisy` adds noise to light, as
a sensor does; `Demosaic(a=a, b=b).degrade` adds it to encoded values, as in training.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restoration.datasets.develop import raw_library
from restoration.errors import UserError
from restoration.files import printable
from restoration.tasks.demosaic import interpolated, mosaic_of

RAW_SUFFIXES = {".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".pef", ".raf", ".rw2"}  # searched in folders
CORNERS = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # rows and columns before the first red
BLOCK = 8  # side of a block, in differences of 2 x 2 pixels of one colour
GROUPS = 16  # groups of equally many blocks, by brightness
QUANTILE = 0.2  # quantile of the blocks' variances in a group


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
    """A raw file of a Bayer sensor: DNG, or another format that LibRaw reads.

    Raises:
        UserError: rawpy is not installed, or the file is not a raw file of a Bayer sensor with known colours.
    """
    rawpy, name = raw_library(), printable(path)
    try:
        with open(path, "rb") as file, rawpy.imread(file) as raw:  # rawpy refuses names that are not UTF-8
            pattern = _pattern(raw)
            if pattern not in CORNERS:
                raise UserError(
                    f"{name} has the colour pattern {pattern}; the networks take Bayer sensors, 2 x 2 of R, G, G, B"
                )
            values = raw.raw_image_visible.astype(np.float32)
            colours = raw.raw_colors_visible
            black = np.array(raw.black_level_per_channel, np.float32)
            white = float(raw.white_level)
            balance = _balance(raw.camera_whitebalance, raw.daylight_whitebalance)
            to_srgb = _to_srgb(raw.color_matrix[:, :3], raw.rgb_xyz_matrix[:3])
            flip = raw.sizes.flip
    except (rawpy.LibRawError, OSError) as error:
        raise UserError(f"LibRaw cannot read {name} ({error}); give an undamaged raw file of a Bayer sensor") from error
    if to_srgb is None:
        raise UserError(f"{name} has no colour matrix and LibRaw does not know its camera; convert the file to DNG")
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
    """The sensor with added Gaussian noise of variance a y + b on its light y, clipped to [0, 1]."""
    noise = torch.randn(sensor.light.shape, generator=generator, device=generator.device).to(sensor.light)
    return replace(sensor, light=(sensor.light + (a * sensor.light + b).sqrt() * noise).clamp_(0, 1))


def binned(sensor: Sensor) -> tuple[Sensor, Tensor]:
    """A photograph with a quarter of the pixels, in which all three colours of a pixel were measured: a true reference.

    A quad's red, mean green and blue become one pixel. Red and blue are half a new pixel apart, both in the reference
    and in its mosaic. The reference keeps the sensor's noise, which is small at a low ISO.

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


def estimated_noise(light: Tensor) -> tuple[float, float]:
    """a and b of the variance a y + b of a raw photograph's light, estimated from the photograph alone.

    In 2 x 2 pixels of one colour, half the difference of the sums of the two diagonals has the variance of one pixel's
    noise, also on a slope of the scene. Its mean square over a block equals this variance if the scene is smooth, and
    is larger otherwise. So blocks are grouped by brightness, a low quantile of each group is divided by the same
    quantile of pure noise, and a line is fitted. In a scene without smooth areas the estimate is too high.

    Args:
        light: (H, W) in [0, 1], a Bayer mosaic.

    Returns:
        (a, b); (0, 0) if nearly all blocks have clipped values.
    """
    from scipy import stats  # slow to import, and of no use to photographs
    from scipy.optimize import nnls

    planes = [_blocks(light[row::2, column::2].double().numpy()) for row in (0, 1) for column in (0, 1)]
    levels, variances = np.concatenate(planes, axis=1)
    if len(levels) < GROUPS:
        return 0.0, 0.0
    groups = np.array_split(np.argsort(levels, kind="stable"), GROUPS)
    pure = stats.chi2.ppf(QUANTILE, BLOCK**2) / BLOCK**2
    y = np.array([levels[group].mean() for group in groups])
    v = np.array([np.quantile(variances[group], QUANTILE) for group in groups]) / pure
    weights = 1 / np.maximum(v, 1e-12)  # the error of a variance is proportional to it
    (a, b), _ = nnls(np.stack([y, np.ones_like(y)], axis=1) * weights[:, None], v * weights)
    return float(a), float(b)


def _blocks(plane: np.ndarray) -> np.ndarray:
    """Mean and noise variance of every block of a colour plane without clipped values, (2, blocks)."""
    side = 2 * BLOCK
    rows, columns = (length // side for length in plane.shape)
    blocks = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    blocks = blocks.transpose(0, 2, 1, 3).reshape(-1, side, side)
    blocks = blocks[(blocks.min(axis=(1, 2)) > 0) & (blocks.max(axis=(1, 2)) < 1)]  # clipping removes noise
    half = (blocks[:, ::2, ::2] + blocks[:, 1::2, 1::2] - blocks[:, ::2, 1::2] - blocks[:, 1::2, ::2]) / 2
    return np.stack([blocks.mean(axis=(1, 2)), (half**2).mean(axis=(1, 2))])


def _pattern(raw: Any) -> str:
    """The colours of the visible area's top left 2 x 2 pixels; "none" if the pattern is not 2 x 2."""
    if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        return "none"
    return "".join(chr(raw.color_desc[index]) for index in raw.raw_colors_visible[:2, :2].flatten())


def _to_srgb(embedded: np.ndarray, from_xyz: np.ndarray) -> Tensor | None:
    """Balanced camera colours -> linear sRGB, (3, 3): from the file's matrix, else LibRaw's table; else None.

    Args:
        embedded: (3, 3); zero if the file has none, as with many cameras.
        from_xyz: (3, 3), CIE XYZ -> camera colours; zero if LibRaw does not know the camera.
    """
    from skimage.color.colorconv import xyz_from_rgb

    if embedded.any():
        matrix = embedded
    elif from_xyz.any():
        camera = from_xyz @ xyz_from_rgb  # linear sRGB -> camera colours
        matrix = np.linalg.inv(camera / camera.sum(axis=1, keepdims=True))  # rows sum to 1, so that white stays white
    else:
        return None
    return torch.from_numpy(np.ascontiguousarray(matrix)).float()


def _balance(camera: list[float], daylight: list[float]) -> Tensor:
    """Multipliers of red, green and blue: the camera's, else daylight's, else 1. A set with a 0 is not used."""
    for multipliers in (camera, daylight):
        balance = torch.tensor(multipliers[:3])
        if (balance > 0).all():
            return balance
    return torch.ones(3)
