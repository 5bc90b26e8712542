"""A user's own files -> restored, as new PNG files.

What each task reads: demosaic, raw files of a Bayer sensor; sr, a photograph, which is enlarged first;
jpeg, a photograph that was stored as a JPEG file. `datasets.decode` says what happens to a photograph's pixels; they
keep their embedded colour profile.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from restoration.datasets.decode import SUFFIXES, BadPhoto, decode
from restoration.errors import UserError
from restoration.files import replacing
from restoration.networks.inference import restore_image
from restoration.sensor import displayed, network_input, read_sensor
from restoration.tasks import JPEG, Demosaic, SuperResolution, Task


def restored_name(path: Path, task: str, loss: str, folder: Path | None = None) -> Path:
    """Where a file's restored version is written: beside it, or in `folder`."""
    return (folder or path.parent) / f"{path.stem}-{task}-{loss}.png"


@torch.inference_mode()
def restore_file(path: Path, task: Task, network: nn.Module, target: Path, *, device: torch.device) -> None:
    """Restores a user's file and writes it as `target`, an 8-bit PNG.

    Raises:
        UserError: `target` is there already, or the file is not what the task takes.
    """
    _refuse_existing(target)
    degraded, shown = read_input(path, task)
    image = shown(restore_image(network, degraded.to(device)).cpu())
    pixels = image.clamp_(0, 1).mul_(255).round_().byte().permute(1, 2, 0).numpy()
    profile = None if isinstance(task, Demosaic) else _rgb_profile(path)
    with replacing(target) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", icc_profile=profile)
        _refuse_existing(target)  # it may have come meanwhile


def read_input(path: Path, task: Task) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """What the task's network takes of a file, (3, H, W) in [0, 1], and what makes a picture of its output.

    Raises:
        UserError: the file is not what the task takes; the message says why.
    """
    if not path.is_file():
        raise UserError(f"{path} is not there, or is no file")
    match task:
        case Demosaic():
            return _raw(path)
        case SuperResolution():
            return task.enlarged(_photo(path)), _unchanged
        case JPEG():
            return _photo(path), _unchanged
    raise UserError(f"files are restored for demosaicking, super-resolution and JPEG, got {task}")


def _raw(path: Path) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp", ".bmp"}:
        raise UserError(
            f"{path} has three colours at every pixel; demosaic takes the raw file of a Bayer sensor (DNG, NEF, CR2, "
            "ARW and others), TASK=jpeg or TASK=sr takes this one"
        )
    sensor = read_sensor(path)
    return network_input(sensor), lambda image: displayed(image, sensor)


def _photo(path: Path) -> Tensor:
    """(3, H, W) float32 in [0, 1]."""
    if path.suffix.lower() not in SUFFIXES:  # a raw file would give the small picture that is embedded in it
        raise UserError(f"{path}: this task takes {', '.join(sorted(SUFFIXES))} files; TASK=demosaic takes raw files")
    try:
        return torch.from_numpy(decode(path)).permute(2, 0, 1).float() / 255
    except BadPhoto as error:
        raise UserError(f"{path} cannot be read as a photograph: {error}") from error


def _unchanged(image: Tensor) -> Tensor:
    return image


def _rgb_profile(path: Path) -> bytes | None:
    """A photograph's colour profile, if it is one of RGB: of grey or CMYK it does not fit the decoded pixels."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
    return profile if profile and profile[16:20] == b"RGB " else None


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise UserError(f"{target} is there already and is not overwritten; move it away, or give OUT=another folder")
