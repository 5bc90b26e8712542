"""Any photograph -> 8-bit RGB.

What is done to the pixels: EXIF orientation is applied; grey becomes three equal channels, palettes their colours; what
is transparent lies on white; 16 bits are rounded to 8; of several frames the first is taken. Embedded colour profiles
are not applied.
"""

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
MIN_SIDE = 48  # a 31 x 31 patch with the margin of every degradation, and room to move
ORIENTATION = 0x0112


class BadPhoto(Exception):
    """A file that cannot be used as a photograph; the message says why."""


def decode(path: Path) -> np.ndarray:
    """The photograph as (H, W, 3) uint8, sRGB, upright.

    Raises:
        BadPhoto: not an image, damaged, too large to be honest, of an unsupported kind or smaller than `MIN_SIDE`.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(_flat_rgb(ImageOps.exif_transpose(_eight_bit(image, path))))
    except BadPhoto:
        raise
    except Image.UnidentifiedImageError:
        raise BadPhoto("empty file" if path.stat().st_size == 0 else "not an image") from None
    except Exception as error:  # decoders of damaged files raise whatever they trip over
        raise BadPhoto(f"{type(error).__name__}: {error}".splitlines()[0]) from error
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise BadPhoto(f"{width}x{height} pixels, at least {MIN_SIDE}x{MIN_SIDE} are needed")
    return pixels


def _eight_bit(image: Image.Image, path: Path) -> Image.Image:
    """The image with 8 bits a channel, with its orientation tag; Pillow would cut 16-bit colour off, not round it."""
    if not _has_16_bits(image):
        if image.mode in ("F", "I"):
            raise BadPhoto(f"{image.mode} pixels (float or 32-bit integer); save it with 8 or 16 bits a channel")
        image.load()
        return image
    pixels = (
        tifffile.imread(path, key=0) if isinstance(image, TiffImageFile) else imagecodecs.png_decode(path.read_bytes())
    )
    if pixels.dtype != np.uint16:
        raise BadPhoto(f"16-bit integers expected, {pixels.dtype} found")
    rounded = Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    rounded.getexif()[ORIENTATION] = image.getexif().get(ORIENTATION, 1)
    return rounded


def _has_16_bits(image: Image.Image) -> bool:
    if image.mode.startswith("I;16"):
        return True
    if isinstance(image, TiffImageFile):
        return max(image.tag_v2.get(BITSPERSAMPLE, (1,))) == 16
    return isinstance(image, PngImageFile) and bool(image.tile) and "16" in str(image.tile[0].args)


def _flat_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")
