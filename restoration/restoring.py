"""Restores files of the user and writes new files of the same kind, with the same metadata.

The task decides the input: demosaic reads a raw file of a Bayer sensor; sr a photograph, which is enlarged first; jpeg
a photograph that was saved as JPEG. A photograph goes through the network in bands, so that memory stays bounded.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from restoration.datasets.decode import SUFFIXES, BadPhoto
from restoration.errors import UserError
from restoration.files import printable, replacing
from restoration.networks.inference import TILE, restore_image
from restoration.pictures import Picture, read_picture
from restoration.saving import write_picture
from restoration.sensor import displayed, network_input, read_sensor
from restoration.tasks import JPEG, Demosaic, SuperResolution, Task

# The networks for JPEG were trained at quality 25. Up to 50, with colours at full or half resolution, they improve the
# PSNR of scikit-image's coffee and astronaut; at 75 they lower it by 0.1 to 1.5 dB, at 95 by 3.6 to 8 dB.
LARGEST_QUALITY = 50


class FileSkipped(Exception):
    """The file is not restored because the network may make it worse; the message says why."""


def restore_file(
    path: Path,
    task: Task,
    network: nn.Module,
    target: Path,
    *,
    kind: str | None = None,
    force: bool = False,
    device: torch.device,
) -> None:
    """Restores a user's file and writes `target`.

    Args:
        kind: kind of the new file, a key of `pictures.KINDS`; by default the kind of the old file, PNG for a raw file.
        force: also restore files of a higher quality than the network was trained for.

    Raises:
        UserError: `target` exists, its name is too long, or the task cannot use the file.
        FileSkipped: the network may make the file worse.
    """
    refuse_existing(target)
    picture = restored_picture(read_input(path, task, force=force), task, network, device=device)
    with replacing(target) as temporary:
        write_picture(temporary, picture, kind or picture.kind)
        refuse_existing(target)  # another program may have created the file meanwhile


def read_input(path: Path, task: Task, *, force: bool = False) -> Picture | Path:
    """The photograph of a file; for demosaicking, the raw file itself.

    Raises:
        UserError: the task cannot use the file; the message says why.
        FileSkipped: the network may make the file worse, and `force` is false.
    """
    name = printable(path)
    if not path.is_file():
        raise UserError(f"{name} does not exist or is not a file")
    suffix = path.suffix.lower()
    if isinstance(task, Demosaic):
        if suffix in SUFFIXES - {".tif", ".tiff"}:  # some cameras give raw files this suffix
            raise UserError(
                f"{name} has three colours per pixel; demosaic takes the raw file of a Bayer sensor (DNG, NEF, CR2, "
                "ARW and others); the tasks jpeg and sr take this one"
            )
        return path
    if not isinstance(task, JPEG | SuperResolution):
        raise UserError(f"files are restored for demosaicking, super-resolution and JPEG, got {task}")
    if suffix not in SUFFIXES:  # from a raw file, the embedded preview would be read
        raise UserError(f"{name}: this task takes {', '.join(sorted(SUFFIXES))} files; demosaic takes raw files")
    try:
        picture = read_picture(path)
    except BadPhoto as error:
        raise UserError(f"{name} cannot be read as a photograph: {error}") from error
    if isinstance(task, JPEG) and not force:
        _refuse_good(picture)
    return picture


def _refuse_good(picture: Picture) -> None:
    if picture.quality is None:
        raise FileSkipped(f"a {picture.kind.upper()} file, not JPEG: the network removes artefacts of JPEG files")
    if picture.quality > LARGEST_QUALITY:
        raise FileSkipped(
            f"JPEG quality is about {picture.quality}; above {LARGEST_QUALITY} the network, trained for 25, makes "
            "photographs worse"
        )


def restored_picture(source: Picture | Path, task: Task, network: nn.Module, *, device: torch.device) -> Picture:
    """The picture after the network, with the bits, channels and metadata of the given picture."""
    if isinstance(source, Path):
        sensor = read_sensor(source)
        shown = displayed(restore_image(network, network_input(sensor).to(device)).cpu(), sensor)
        return Picture(pixels=_levels(shown, 255))
    scale = task.scale if isinstance(task, SuperResolution) else 1
    height, width, channels = source.pixels.shape
    pixels = np.empty((scale * height, scale * width, channels), source.pixels.dtype)
    alpha = None if source.alpha is None else np.empty(pixels.shape[:2], pixels.dtype)
    top_level = np.iinfo(pixels.dtype).max
    radius = getattr(network, "receptive_radius", None)  # None: the network gets the whole picture
    margin = 0 if radius is None else -(-radius // scale) + 1  # and one row for the enlargement
    band = height if radius is None else TILE // scale - 2 * margin
    for top in range(0, height, band):
        first, last = max(top - margin, 0), min(top + band + margin, height)
        bottom = min(top + band, height)
        inner, outer = slice(scale * (top - first), scale * (bottom - first)), slice(scale * top, scale * bottom)
        image = network_image(as_image(source.pixels[first:last]), task)
        restored = restore_image(network, image.to(device)).cpu()
        if channels == 1:
            restored = restored.mean(dim=0, keepdim=True)
        pixels[outer] = _levels(restored[:, inner], top_level)
        if source.alpha is not None and alpha is not None:
            enlarged = _enlarged(as_image(source.alpha[first:last, :, None]), task)
            alpha[outer] = _levels(enlarged[:, inner], top_level)[..., 0]
    return replace(source, pixels=pixels, alpha=alpha)


def network_image(image: Tensor, task: Task) -> Tensor:
    """A grey or RGB photograph, (C, H, W) in [0, 1] -> the network's input, (3, h, w) in [0, 1]."""
    return _enlarged(image.expand(3, -1, -1), task)


def _enlarged(image: Tensor, task: Task) -> Tensor:
    return task.enlarged(image) if isinstance(task, SuperResolution) else image


def as_image(pixels: np.ndarray) -> Tensor:
    """(H, W, C) levels -> (C, H, W) in [0, 1]."""
    values = pixels.astype(np.float32).transpose(2, 0, 1)
    return torch.from_numpy(values).div_(float(np.iinfo(pixels.dtype).max))


def _levels(image: Tensor, top_level: int) -> np.ndarray:
    """(C, H, W), clamped to [0, 1] -> (H, W, C) levels, rounded."""
    values = (image.clamp(0, 1) * top_level).round_().permute(1, 2, 0).numpy()
    return values.astype(np.uint8 if top_level == 255 else np.uint16)


def refuse_existing(target: Path) -> None:
    """Refuses a path that exists or cannot be written.

    Raises:
        UserError: the path exists, or its name is not possible.
    """
    try:
        os.lstat(target)
    except FileNotFoundError:
        return
    except OSError as error:  # for example, a name of more than 255 bytes
        raise UserError(f"cannot write {printable(target)}: {error.strerror}; choose another name or folder") from error
    raise UserError(f"{printable(target)} exists and is not overwritten; move it, or choose another folder (-o, OUT=)")
