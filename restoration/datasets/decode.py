"""Any photograph -> 8-bit RGB.

What is done to the pixels: EXIF orientation is applied; grey becomes three equal channels, palettes their colours; what
is transparent lies on white; 16 bits are rounded to 8; of several frames the first is taken. Embedded colour profiles
are not applied.
"""

from io import BytesIO
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
SIZED_BY_THE_PAGE = {1, 5, 8, 32773, 32946}  # TIFF compressions: none, LZW, Deflate, PackBits, Deflate
END_OF_JPEG = b"\xff\xd9"


class BadPhoto(Exception):
    """A file that cannot be used as a photograph; the message says why."""


def decode(path: Path) -> np.ndarray:
    """The photograph as (H, W, 3) uint8, upright.

    Raises:
        BadPhoto: not an image, damaged, too large to be honest, of an unsupported kind or smaller than `MIN_SIDE`.
    """
    encoded = b""
    try:
        with open(path, "rb") as file:
            encoded = file.read()
        with Image.open(BytesIO(encoded)) as image:
            pixels = _plain_jpeg(image, encoded)
            if pixels is None:
                pixels = np.array(_flat_rgb(ImageOps.exif_transpose(_eight_bit(image, encoded))))
    except (BadPhoto, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise BadPhoto("not an image" if encoded else "empty file") from None
    except Exception as error:  # decoders of damaged files raise whatever they trip over
        raise BadPhoto(f"{type(error).__name__}: {error}".splitlines()[0]) from error
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise BadPhoto(f"{width}x{height} pixels, at least {MIN_SIDE}x{MIN_SIDE} are needed")
    return pixels


def _plain_jpeg(image: Image.Image, encoded: bytes) -> np.ndarray | None:
    """The pixels of an upright colour JPEG that is not cut short; of anything else nothing.

    Pillow would give the same pixels of the same libjpeg-turbo, after several copies and with threads that wait for
    one another.
    """
    if image.format != "JPEG" or image.mode != "RGB" or image.getexif().get(ORIENTATION, 1) != 1:
        return None
    if not encoded.endswith(END_OF_JPEG):  # it may be cut short, which only Pillow tells
        return None
    return imagecodecs.jpeg8_decode(encoded)


def _eight_bit(image: Image.Image, encoded: bytes) -> Image.Image:
    """The image with 8 bits a channel, with its orientation tag; Pillow would cut 16-bit colour off, not round it."""
    if not _has_16_bits(image):
        if image.mode in ("F", "I"):
            raise BadPhoto(f"{image.mode} pixels (float or 32-bit integer); save it with 8 or 16 bits a channel")
        image.load()
        return image
    pixels = _tiff_pixels(encoded) if isinstance(image, TiffImageFile) else imagecodecs.png_decode(encoded)
    if pixels.dtype != np.uint16:
        raise BadPhoto(f"16-bit integers expected, {pixels.dtype} found")
    rounded = Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    rounded.getexif()[ORIENTATION] = image.getexif().get(ORIENTATION, 1)
    return rounded


def _tiff_pixels(encoded: bytes) -> np.ndarray:
    with tifffile.TiffFile(BytesIO(encoded)) as file:
        page = file.pages.first
        check_compression(page)
        return page.asarray()


def check_compression(page: tifffile.TiffPage) -> None:
    """Refuses compressions whose data bring a size of their own, which may be another than the page's.

    Raises:
        BadPhoto: the page is not stored plainly, by LZW, Deflate or PackBits.
    """
    if page.compression not in SIZED_BY_THE_PAGE:
        raise BadPhoto(f"16-bit TIFF of compression {page.compression!s}; save it plainly or with LZW or Deflate")


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
