"""A strip of crops of one file: the input, then the output of each loss's network."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from restoration.files import replacing
from restoration.names import input_title, ordered_columns
from restoration.networks.inference import restore_image
from restoration.pictures import Picture
from restoration.pretrained import TASKS, load, shipped
from restoration.restoring import as_image, network_image, read_input, refuse_existing
from restoration.saving import write_picture
from restoration.sensor import displayed, network_input, read_sensor
from restoration.tasks.task import to_levels

SIDE, MARGIN, TITLE, GAP = 320, 8, 24, 4  # pixels


def write_comparison(path: Path, task: str, target: Path, *, device: torch.device) -> None:
    """Writes a PNG with crops of the file's middle, side by side.

    Raises:
        UserError: `target` exists, or the task cannot use the file.
    """
    refuse_existing(target)
    source = read_input(path, TASKS[task], force=True)
    if isinstance(source, Picture):
        side = (SIDE + 2 * MARGIN) // (2 if task == "sr" else 1)
        image = network_image(_middle(as_image(source.pixels), side), TASKS[task])
        display, profile = _unchanged, source.profile if source.pixels.shape[2] == 3 else None
    else:
        sensor = read_sensor(source)
        image, profile = _middle(network_input(sensor), SIDE + 2 * MARGIN), None
        display = partial(displayed, sensor=sensor)
    crops = {input_title(task): image}
    for loss in ordered_columns(loss for name, loss in shipped() if name == task):
        network = load(task, loss).to(device)
        crops[loss] = restore_image(network, image.to(device)).cpu()
    pictures = {title: _middle(display(crop), SIDE) for title, crop in crops.items()}
    with replacing(target) as temporary:
        write_picture(temporary, Picture(pixels=_strip(pictures), profile=profile), "png")
        refuse_existing(target)


def _strip(pictures: Mapping[str, Tensor]) -> np.ndarray:
    """(3, h, w) pictures of one size, under their titles -> (H, W, 3) uint8."""
    height, width = next(iter(pictures.values())).shape[1:]
    strip = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height + TITLE), "white")
    draw = ImageDraw.Draw(strip)
    for number, (title, picture) in enumerate(pictures.items()):
        left = number * (width + GAP)
        draw.text((left, 2), title, fill="black", font=ImageFont.load_default(TITLE * 2 / 3))
        strip.paste(Image.fromarray(to_levels(picture)), (left, TITLE))
    return np.array(strip)


def _middle(image: Tensor, side: int) -> Tensor:
    """The middle of (C, H, W), at most `side` pixels high and wide."""
    top, left = ((length - min(length, side)) // 2 for length in image.shape[1:])
    return image[:, top : top + side, left : left + side]


def _unchanged(image: Tensor) -> Tensor:
    return image
