"""Writes a picture as an image file, with the metadata of the file that was read: EXIF, colour profile, resolution."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from restoration.datasets.decode import SUFFIXES
from restoration.errors import UserError
from restoration.pictures import COPIED, EXIF_IFD, GPS_IFD, KINDS, Picture

JPEG_QUALITY, WEBP_QUALITY = 95, 95
INCH = 39.3701  # inches in a metre


def write_picture(path: Path, picture: Picture, kind: str) -> None:
    """Writes a picture as a file of one of the KINDS; JPEG, WebP and BMP files get 8 bits.

    Raises:
        UserError: the picture has an alpha channel, but this kind of file cannot have one.
    """
    if picture.alpha is not None and kind in ("jpeg", "bmp"):
        raise UserError(f"a {kind.upper()} file cannot keep transparency; give --format png, tiff or webp")
    values = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    if kind == "tiff":
        _write_tiff(path, values, picture)
        return
    if values.dtype == np.uint16 and kind == "png":
        _write_png(path, values, picture)
        return
    if values.dtype == np.uint16:
        values = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    options: dict[str, object] = {"icc_profile": picture.profile, "exif": picture.exif, "dpi": picture.dpi}
    options = {name: value for name, value in options.items() if value is not None}
    if kind == "jpeg":
        options |= {"quality": JPEG_QUALITY, "subsampling": "4:4:4"}
    elif kind == "webp":
        options |= {"exact": True, "quality": WEBP_QUALITY, "lossless": picture.kind != "webp" or picture.lossless}
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    image.save(path, kind.upper(), **options)


def kind_of(name: str) -> str:
    """The kind of file that a name or a suffix means, such as "jpg" or ".tif".

    Raises:
        UserError: the name is unknown.
    """
    short = name.lower().removeprefix(".")
    kind = {"jpg": "jpeg", "jfif": "jpeg", "tif": "tiff"}.get(short, short)
    if kind not in KINDS:
        raise UserError(f"unknown format {name!r}; known: {', '.join(KINDS)}")
    return kind


def suffix_of(path: Path, kind: str) -> str:
    """The suffix of a new file of a kind: the suffix of `path` if it fits, else the usual one."""
    if path.suffix.lower() in SUFFIXES and kind_of(path.suffix) == kind:
        return path.suffix
    return KINDS[kind]


def _write_png(path: Path, values: np.ndarray, picture: Picture) -> None:
    """Writes a 16-bit PNG: imagecodecs encodes the pixels, and metadata chunks are inserted after the header.

    Pillow cannot write 16-bit colour, and imagecodecs cannot write metadata.
    """
    encoded = imagecodecs.png_encode(np.ascontiguousarray(values if values.shape[2] > 1 else values[..., 0]))
    chunks = b""
    if picture.profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.profile))
    if picture.dpi:
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *(round(value * INCH) for value in picture.dpi), 1))
    if picture.exif:
        chunks += _chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    header = 8 + 25  # signature and IHDR
    path.write_bytes(encoded[:header] + chunks + encoded[header:])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _write_tiff(path: Path, values: np.ndarray, picture: Picture) -> None:
    """Writes a TIFF of 8 or 16 bits with EXIF and GPS details.

    Pillow cannot write 16-bit colour, nor EXIF together with compressed pixels. tifffile cannot write tags that point
    to another directory, so a placeholder tag is written for each and replaced afterwards.
    """
    exif = Image.Exif()
    if picture.exif:
        exif.load(picture.exif)
    directories = {tag: exif.get_ifd(tag) for tag in (EXIF_IFD, GPS_IFD) if tag in exif}
    tags = [(tag, "s", 0, str(exif[tag]), True) for tag in COPIED if tag in exif]
    tifffile.imwrite(
        path,
        values if values.shape[2] > 1 else values[..., 0],
        byteorder="<",
        photometric="rgb" if picture.pixels.shape[2] == 3 else "minisblack",
        planarconfig="contig",
        extrasamples=None if picture.alpha is None else ["unassalpha"],
        compression="adobe_deflate",
        predictor=True,
        iccprofile=picture.profile,
        resolution=picture.dpi or (72, 72),
        resolutionunit="inch",
        extratags=[*tags, *((tag - 1, "I", 1, 0, True) for tag in directories)],  # placeholders
        metadata=None,
        software=False,
    )
    for tag, values_by_tag in directories.items():
        _append_directory(path, tag, values_by_tag)


def _append_directory(path: Path, tag: int, values_by_tag: Mapping[int, Any]) -> None:
    """Appends a directory to a TIFF, and turns the placeholder `tag` - 1 into `tag`, which points to the directory."""
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for inner_tag, value in values_by_tag.items():
        directory[inner_tag] = value
    with tifffile.TiffFile(path) as tiff:
        placeholder = tiff.pages.first.tags[tag - 1].offset
    with open(path, "r+b") as file:
        offset = file.seek(0, 2)
        file.write(directory.tobytes(offset))
        file.seek(placeholder)
        file.write(struct.pack("<HHII", tag, 4, 1, offset))
