"""Restores files of the user and writes new PNG files.

The task decides the kind of file: demosaic reads a raw file of a Bayer sensor; sr a photograph, which is enlarged
first; jpeg a photograph that was saved as JPEG. Photographs are read by `datasets.decode`; the new file keeps an RGB
colour profile.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from restoration.datasets.decode import SUFFIXES, BadPhoto, decode_with_profile
from restoration.errors import UserError
from restoration.files import printable, replacing
from restoration.networks.inference import restore_image
from restoration.sensor import RAW_SUFFIXES, displayed, network_input, read_sensor
from restoration.tasks import JPEG, Demosaic, SuperResolution, Task


@dataclass(frozen=True)
class Input:
    """The input that a network takes from a file.

    Attributes:
        image: (3, H, W) in [0, 1].
        shown: converts the network's output to an sRGB picture, (3, H, W) in [0, 1].
        profile: the ICC profile of the picture; None for sRGB or an unknown one.
    """

    image: Tensor
    shown: Callable[[Tensor], Tensor]
    profile: bytes | None = None


def restored_name(path: Path, task: str, loss: str, folder: Path | None = None) -> Path:
    """The path of a file's restored version: beside the file, or in `folder`."""
    return (folder or path.parent) / f"{path.stem}-{task}-{loss}.png"


def files_in(given: Path, task: Task, names: tuple[str, str]) -> list[Path]:
    """The files to restore: `given` itself; or of a folder, those that suit the task, without its subfolders.

    Args:
        names: of task and loss; files that end in them are restored already.

    Raises:
        UserError: the folder has no such file.
    """
    if not given.is_dir():
        return [given]
    suffixes = RAW_SUFFIXES if isinstance(task, Demosaic) else SUFFIXES
    files = sorted(path for path in given.iterdir() if path.suffix.lower() in suffixes and path.name[0] != ".")
    files = [path for path in files if not path.stem.endswith("-" + "-".join(names))]
    if not files:
        raise UserError(f"{printable(given)} has no files of this task's kinds: {', '.join(sorted(suffixes))}")
    return files


def restore_file(path: Path, task: Task, network: nn.Module, target: Path, *, device: torch.device) -> None:
    """Restores a user's file and writes `target`, an 8-bit PNG.

    Raises:
        UserError: `target` exists or has too long a name, or the task does not take the file.
    """
    _refuse_existing(target)
    given = read_input(path, task)
    picture = given.shown(restore_image(network, given.image.to(device)).cpu())
    pixels = picture.clamp_(0, 1).mul_(255).round_().byte().permute(1, 2, 0).numpy()
    with replacing(target) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", icc_profile=given.profile)
        _refuse_existing(target)  # the file may have been created meanwhile


def read_input(path: Path, task: Task) -> Input:
    """The input of the task's network, read from a file.

    Raises:
        UserError: the task does not take the file; the message says why.
    """
    if not path.is_file():
        raise UserError(f"{printable(path)} does not exist or is not a file")
    match task:
        case Demosaic():
            return _raw(path)
        case SuperResolution():
            photo = _photo(path)
            return Input(task.enlarged(photo.image), photo.shown, photo.profile)
        case JPEG():
            return _photo(path)
    raise UserError(f"files are restored for demosaicking, super-resolution and JPEG, got {task}")


def _raw(path: Path) -> Input:
    if path.suffix.lower() in SUFFIXES - {".tif", ".tiff"}:  # some cameras give raw files this suffix
        raise UserError(
            f"{printable(path)} has three colours per pixel; demosaic takes the raw file of a Bayer sensor (DNG, NEF, "
            "CR2, ARW and others), TASK=jpeg or TASK=sr take this one"
        )
    sensor = read_sensor(path)
    return Input(network_input(sensor), lambda image: displayed(image, sensor))


def _photo(path: Path) -> Input:
    if path.suffix.lower() not in SUFFIXES:  # from a raw file, the embedded preview would be read
        raise UserError(
            f"{printable(path)}: this task takes {', '.join(sorted(SUFFIXES))} files; TASK=demosaic takes raw files"
        )
    try:
        pixels, profile = decode_with_profile(path)
    except BadPhoto as error:
        raise UserError(f"{printable(path)} cannot be read as a photograph: {error}") from error
    if profile and profile[16:20] != b"RGB ":  # the profile of a grey or CMYK file does not fit RGB pixels
        profile = None
    return Input(torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255), lambda image: image, profile)


def _refuse_existing(target: Path) -> None:
    try:
        os.lstat(target)
    except FileNotFoundError:
        return
    except OSError as error:  # such as a name of more than 255 bytes
        raise UserError(f"cannot write {printable(target)}: {error.strerror}; rename the file") from error
    raise UserError(f"{printable(target)} exists and is not overwritten; move it, or give OUT=another folder")
