"""Reads a user's image file and keeps what a restored file needs: bit depth, grey or RGB, alpha channel, metadata.

`datasets.decode` reads training data: always 8 bits, RGB, transparent pixels on white. Both modules refuse the same
files. CMYK and palette colours become RGB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from restoration.datasets.decode import (
    ORIENTATION,
    decode_with_profile,
    orientation_of,
    read_file,
    tiff_values,
    upright,
)

KINDS = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp", "bmp": ".bmp"}  # usual suffixes
OPENERS: dict[str, Callable[[BytesIO], Image.Image]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "tiff": TiffImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
}
FIRST_BYTES = {b"\xff\xd8": "jpeg", b"\x89P": "png", b"II": "tiff", b"MM": "tiff", b"RI": "webp", b"BM": "bmp"}
EXIF_IFD, GPS_IFD, WIDTH, HEIGHT = 0x8769, 0x8825, 0xA002, 0xA003
COPIED = (
    270,
    271,
    272,
    305,
    306,
    315,
    33432,
)  # tags of a TIFF: description, make, model, software, date, artist, copyright


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A photograph, upright.

    Attributes:
        pixels: (H, W, 1 or 3), uint8 or uint16, without alpha.
        alpha: (H, W) of the same type, or None.
        kind: the kind of the file, a key of KINDS.
        quality: quality of a JPEG file, 1 to 100, estimated from its quantisation tables; None for other kinds.
        lossless: whether the compression of the file is lossless.
        profile: the ICC profile, if it has as many channels as the pixels.
        exif: the EXIF block; its orientation is set to upright.
        dpi: dots per inch, horizontal and vertical.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    kind: str = "png"
    quality: int | None = None
    lossless: bool = True
    profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


def read_picture(path: Path) -> Picture:
    """Reads a JPEG, PNG, TIFF, WebP or BMP file.

    Raises:
        BadPhoto: as `datasets.decode.decode`.
    """
    eight_bit, profile = decode_with_profile(path)  # refuses damaged and ambiguous files
    encoded = read_file(path)
    kind = FIRST_BYTES[encoded[:2]]
    values, orientation = _deep_values(encoded, kind)
    grey, exif, dpi, quality = False, None, None, None
    try:
        with OPENERS[kind](BytesIO(encoded)) as image:
            grey = image.mode in ("1", "L", "LA")
            if kind != "tiff":  # Pillow turns a TIFF when it decodes
                orientation = orientation_of(image)
            exif = _exif(image)
            dpi = image.info.get("dpi")
            if isinstance(image, JpegImageFile):
                quality = quality_of(image.quantization)
            if values is None and image.has_transparency_data:
                values = np.array(image.convert("RGBA"))
    except Exception:  # a TIFF that Pillow cannot read, but tifffile can
        if kind != "tiff":
            raise
    alpha = None
    if values is None:
        pixels = eight_bit
    else:
        values = upright(values, orientation)
        colours = 3 if values.shape[2] > 2 else 1
        pixels = values[..., :colours]
        if values.shape[2] in (2, 4):
            alpha = np.ascontiguousarray(values[..., colours])
    if grey:
        pixels = pixels[..., :1]
    space = b"RGB " if pixels.shape[2] == 3 else b"GRAY"
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        alpha=alpha,
        kind=kind,
        quality=quality,
        lossless=kind != "jpeg" and b"VP8 " not in encoded[:64],
        profile=profile if profile and profile[16:20] == space else None,
        exif=exif,
        dpi=_valid(dpi),
    )


def quality_of(tables: dict[int, list[int]]) -> int:
    """The quality, 1 to 100, whose luminance table in libjpeg has the sum nearest to that of the file's first table."""
    luminance = sum(tables[min(tables)])
    return min(range(1, 101), key=lambda quality: (abs(_coarseness(quality) - luminance), quality))


def _coarseness(quality: int) -> int:
    """The sum of libjpeg's luminance table."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((step * scale + 50) // 100, 1), 255) for step in LUMINANCE)


# Table K.1 of ITU-T T.81.
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def _deep_values(encoded: bytes, kind: str) -> tuple[np.ndarray | None, int]:
    """Pixels as stored, (H, W, 1 to 4), of a PNG or TIFF with more than 8 bits, or a TIFF with alpha; else None.

    The second value is the orientation of a TIFF; 1 for other files.
    """
    if kind == "png" and encoded[24] == 16:  # bits a value
        values = imagecodecs.png_decode(encoded)
        return values if values.ndim == 3 else values[..., None], 1
    if kind != "tiff":
        return None, 1
    with tifffile.TiffFile(BytesIO(encoded)) as file:
        page = file.pages.first
        if page.bitspersample <= 8 and not page.extrasamples:
            return None, 1
        values = tiff_values(page)
        if page.photometric == 0:  # 0 means white
            values = np.concatenate([2**page.bitspersample - 1 - values[..., :1], values[..., 1:]], axis=2)
        if 8 < page.bitspersample < 16:
            top = 2**page.bitspersample - 1
            values = ((values.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
        return values, page.tags.valueof(ORIENTATION, 1)


def _exif(image: Image.Image) -> bytes | None:
    """The EXIF block with the orientation set to upright; None if damaged or absent."""
    try:
        exif = image.getexif()
        if not exif:
            return None
        if ORIENTATION in exif:
            exif[ORIENTATION] = 1
        if isinstance(image, TiffImageFile):  # other TIFF tags describe how the pixels are stored
            given, exif = exif, Image.Exif()
            exif.update({tag: given[tag] for tag in COPIED if tag in given})
            for tag in {EXIF_IFD, GPS_IFD} & given.keys():
                exif.get_ifd(tag).update(given.get_ifd(tag))
        for tag in (WIDTH, HEIGHT):  # may differ after the restoration
            if EXIF_IFD in exif:
                exif.get_ifd(EXIF_IFD).pop(tag, None)
        return exif.tobytes()
    except Exception:  # Pillow raises all kinds of errors
        return None


def _valid(dpi: Any) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (horizontal, vertical) if 1 <= min(horizontal, vertical) <= max(horizontal, vertical) < 1e5 else None
