"""Develops a raw file or a 16-bit TIFF into 999 x 666 pixels of 8 bits, as in the paper.

Steps:
1. a TIFF is converted to sRGB by its embedded profile, from 16 to 16 bits, relative colorimetric; colours outside sRGB
   are clipped channel by channel. A DNG is developed by LibRaw into 16-bit sRGB with the camera's white balance and
   without automatic brightening, then cropped to its DefaultCrop;
2. the EXIF orientation is applied;
3. the 3:2 centre (2:3 of an upright photograph) is reduced to 999 x 666 (666 x 999) by a Lanczos filter or an area
   mean, of sRGB values ("gamma") or of light ("linear");
4. values are rounded to 8 bits, once.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from restoration.datasets.decode import (
    ORIENTATION,
    PROFILE,
    BadPhoto,
    check_compression,
    decoder_errors_as_bad_photo,
    upright,
)
from restoration.errors import UserError

LONG, SHORT = 999, 666
MAX_PIXELS = 2**26  # more than any camera of FiveK has
FILTERS = {"lanczos": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX}
DEFAULT_CROP_ORIGIN, DEFAULT_CROP_SIZE = 50719, 50720
SRGB_CURVE = (2.4, 12.92)  # exponent and slope at black, for LibRaw


class TooSmall(Exception):
    """The photograph is smaller than the reduced size."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """The reduction to 999 x 666.

    Attributes:
        resample: "lanczos" or "area".
        light: "gamma": sRGB values are averaged; "linear": light is averaged.
    """

    resample: str = "lanczos"
    light: str = "gamma"

    def __post_init__(self) -> None:
        if self.resample not in FILTERS or self.light not in ("gamma", "linear"):
            raise ValueError(
                f"resample is {' or '.join(FILTERS)} and light is gamma or linear, got {self.resample} and {self.light}"
            )

    def __str__(self) -> str:
        return f"{self.resample}-{self.light}"

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint16 sRGB -> (666, 999, 3) or (999, 666, 3) uint8 sRGB.

        Raises:
            TooSmall: the 3:2 centre has fewer pixels.
        """
        height, width = pixels.shape[:2]
        new_height, new_width = (SHORT, LONG) if width >= height else (LONG, SHORT)
        scale = min(Fraction(height, new_height), Fraction(width, new_width))
        if scale < 1:
            raise TooSmall
        top, left = (height - scale * new_height) / 2, (width - scale * new_width) / 2
        box = (float(left), float(top), float(width - left), float(height - top))
        linear = self.light == "linear"
        values = _LIGHT if linear else _UNIT
        reduced = np.empty((new_height, new_width, 3), dtype=np.float32)
        for channel in range(3):
            plane = Image.fromarray(values[pixels[..., channel]])
            reduced[..., channel] = np.asarray(plane.resize((new_width, new_height), FILTERS[self.resample], box))
        reduced = reduced.clip(0, 1)  # Lanczos overshoots
        return np.rint((_encoded(reduced) if linear else reduced) * 255).astype(np.uint8)


def read_tiff(path: Path) -> np.ndarray:
    """A 16-bit RGB TIFF with a colour profile -> (H, W, 3) uint16 sRGB, upright.

    Raises:
        BadPhoto: the file is damaged or of another kind.
    """
    with decoder_errors_as_bad_photo(), tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if page.dtype != np.uint16 or page.photometric != 2 or page.axes != "YXS" or page.samplesperpixel != 3:
            raise BadPhoto(f"16-bit RGB expected, got {page.dtype} {page.photometric!s} in {page.shape}")
        _check_size(page.imagelength, page.imagewidth)
        check_compression(page)
        if PROFILE not in page.tags:
            raise BadPhoto("no colour profile is embedded, so the colours are unknown")
        pixels = _to_srgb(page.asarray(), page.tags[PROFILE].value)
        return upright(pixels, page.tags.valueof(ORIENTATION, 1))


def _to_srgb(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """(H, W, 3) uint16 in the colours of an ICC profile -> sRGB."""
    return imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        profile,
        imagecodecs.cms_profile("srgb"),
        colorspace="rgb",
        outcolorspace="rgb",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,  # LittleCMS's coarse table is off by up to 27 of 255 levels
    )


def raw_library() -> ModuleType:
    """The package rawpy, which develops raw files.

    Raises:
        UserError: rawpy is not installed.
    """
    try:
        import rawpy
    except ImportError:
        raise UserError("raw files need rawpy; install it with .venv/bin/python -m pip install -e '.[fivek]'") from None
    return rawpy


def read_dng(path: Path) -> np.ndarray:
    """A raw DNG -> (H, W, 3) uint16 sRGB, upright.

    Raises:
        BadPhoto: the file is damaged or of another kind.
        UserError: rawpy is not installed.
    """
    rawpy = raw_library()
    with decoder_errors_as_bad_photo(), open(path, "rb") as file, rawpy.imread(file) as raw:
        active, flip = (raw.sizes.height, raw.sizes.width), raw.sizes.flip  # postprocess sets flip to user_flip
        _check_size(*active)
        pixels = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_color=rawpy.ColorSpace.sRGB,
            output_bps=16,
            gamma=SRGB_CURVE,
            user_flip=0,
        )
        if pixels.shape[:2] == active:  # Fujifilm's sensors at 45 degrees are turned and cropped by LibRaw
            pixels = pixels[_default_crop(path)]
        return np.rot90(pixels, {3: 2, 5: 1, 6: -1}.get(flip, 0))


def _default_crop(path: Path) -> tuple[slice, slice]:
    """Rows and columns of the active area inside a DNG's DefaultCrop; all without this tag."""
    with tifffile.TiffFile(path) as tiff:
        first = tiff.pages.first
        for page in (first, *(first.pages or ())):
            if isinstance(page, tifffile.TiffPage) and DEFAULT_CROP_SIZE in page.tags:
                left, top = _rationals(page.tags[DEFAULT_CROP_ORIGIN].value)
                width, height = _rationals(page.tags[DEFAULT_CROP_SIZE].value)
                return slice(top, top + height), slice(left, left + width)
    return slice(None), slice(None)


def _rationals(value: tuple[int, ...]) -> tuple[int, int]:
    """Two numbers of pixels, stored as integers or fractions."""
    first, second = value if len(value) == 2 else (Fraction(*value[:2]), Fraction(*value[2:]))
    return round(first), round(second)


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise BadPhoto(f"claims {width}x{height} pixels, more than any camera of FiveK has")


_UNIT = np.arange(2**16, dtype=np.float32) / (2**16 - 1)
_LIGHT = np.where(_UNIT <= 0.04045, _UNIT / 12.92, ((_UNIT + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encoded(light: np.ndarray) -> np.ndarray:
    """Light in [0, 1] -> sRGB values in [0, 1]."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
