"""An image file -> 8-bit RGB.

JPEG, PNG, TIFF, WebP and BMP files are recognised by their first bytes; other decoders are never started. The EXIF
orientation is applied. Grey becomes three equal channels; palettes, CMYK and YCbCr become RGB. Transparent pixels are
put on white. More than 8 bits are rounded to 8. Only the first frame is read. Colour profiles and gamma are not
applied. Damaged files and unusual kinds of TIFF files are refused.
"""

import contextlib
import stat
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import Image, PngImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from restoration.datasets.scans import scans_missing
from restoration.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
MAX_PIXELS = 2**28  # limits memory: a file of a few kilobytes can claim any size
ORIENTATION, PROFILE = 0x0112, 34675
SAFE_COMPRESSIONS = {1, 5, 8, 32773, 32946}  # TIFF compressions: none, LZW, Deflate, PackBits, Deflate
TIFF_CHANNELS = {0: 1, 1: 1, 2: 3}  # white-is-zero, grey, RGB
TIFF_BY_PILLOW = {*TIFF_CHANNELS, 3, 5, 6}  # also palette, CMYK, YCbCr
PREMULTIPLIED, ALPHA = 1, 2  # TIFF's extra samples
DARK = 2**14  # 16-bit files without larger values hold 10, 12 or 14 bits

Decoded = tuple[np.ndarray, int, bytes | None]  # (H, W, 3) uint8 as stored, EXIF orientation, ICC profile

warnings.filterwarnings(
    "ignore", "(?s).*EXIF", module="PIL"
)  # pixels can be read from a file with a damaged EXIF block
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**26  # bytes; editors write more than Pillow's 2**20


class BadPhoto(Exception):
    """A file that cannot be used as a photograph; the message says why."""


def decode(path: Path) -> np.ndarray:
    """The image as (H, W, 3) uint8, upright.

    Raises:
        BadPhoto: the file is damaged, too large, or has an unknown kind or unsupported pixels.
    """
    return decode_with_profile(path)[0]


def decode_with_profile(path: Path) -> tuple[np.ndarray, bytes | None]:
    """The image as (H, W, 3) uint8, upright, and the file's ICC profile, which is not applied.

    Raises:
        BadPhoto: as `decode`.
    """
    with decoder_errors_as_bad_photo():
        encoded = read_file(path)
        pixels, orientation, profile = _reader(encoded)(encoded)
    return np.ascontiguousarray(upright(pixels, orientation)), profile


@contextlib.contextmanager
def decoder_errors_as_bad_photo() -> Iterator[None]:
    """Turns all errors of decoders into `BadPhoto`."""
    try:
        yield
    except (BadPhoto, UserError, MemoryError):
        raise
    except OSError as error:
        raise BadPhoto(error.strerror or f"damaged file: {error}") from error
    except Exception as error:
        raise BadPhoto(f"damaged or of an unknown kind: {type(error).__name__}: {error}".splitlines()[0]) from error


def read_file(path: Path) -> bytes:
    """The bytes of a regular file. Reading a pipe could wait for ever.

    Raises:
        BadPhoto: the path is not a regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise BadPhoto("not a regular file")
    return path.read_bytes()


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns pixels upright by an EXIF orientation, 1 to 8; other numbers change nothing."""
    if orientation in (2, 4, 5, 7):
        pixels = pixels[:, ::-1]
    return np.rot90(pixels, {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0))


def check_compression(page: tifffile.TiffPage) -> None:
    """Refuses compressions whose data contain another image size: a small page could then hold a huge image.

    Raises:
        BadPhoto: the page is compressed by anything but LZW, Deflate or PackBits.
    """
    if page.compression not in SAFE_COMPRESSIONS:
        raise BadPhoto(f"{_described(page)}; save it without compression, or with LZW or Deflate")


def _reader(encoded: bytes) -> Callable[[bytes], Decoded]:
    if encoded.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    if encoded.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return _tiff
    if encoded.startswith(b"RIFF") and encoded[8:12] == b"WEBP":
        return _webp
    if encoded.startswith(b"BM"):
        return _bmp
    raise BadPhoto("not a JPEG, PNG, TIFF, WebP or BMP image" if encoded else "empty file")


def _jpeg(encoded: bytes) -> Decoded:
    with JpegImageFile(BytesIO(encoded)) as image:
        _check_size(*image.size)
        strict = "CMYK" if image.mode == "CMYK" else "RGB"
        try:
            pixels = simplejpeg.decode_jpeg(encoded, strict)  # Pillow would decode damaged files without an error
        except ValueError as error:
            raise BadPhoto(f"damaged JPEG file: {error}") from error
        if scans_missing(encoded):
            raise BadPhoto("damaged JPEG file: scans are missing at the end")
        if image.mode == "CMYK":
            pixels = _on_white(image)
        return pixels, orientation_of(image), image.info.get("icc_profile")


def _png(encoded: bytes) -> Decoded:
    with PngImageFile(BytesIO(encoded)) as image:
        _check_size(*image.size)
        image.verify()  # compares the checksums; decoding does not
    with PngImageFile(BytesIO(encoded)) as image:
        if encoded[24] == 16:  # bits a value; Pillow would drop the lower 8 bits
            values = imagecodecs.png_decode(encoded)
            colours = 3 if values.shape[-1] in (3, 4) else 1
            pixels = _on_white(Image.fromarray(_eight_bit(values, 16, colours=colours)))
        else:
            pixels = _on_white(image)
        return pixels, orientation_of(image), image.info.get("icc_profile")


def _webp(encoded: bytes) -> Decoded:
    with WebPImageFile(BytesIO(encoded)) as image:
        _check_size(*image.size)
        return _on_white(image), orientation_of(image), image.info.get("icc_profile")


def _bmp(encoded: bytes) -> Decoded:
    with BmpImageFile(BytesIO(encoded)) as image:
        _check_size(*image.size)
        return _on_white(image), 1, None


def _tiff(encoded: bytes) -> Decoded:
    with tifffile.TiffFile(BytesIO(encoded)) as file:
        page = file.pages.first
        bits, kind = page.bitspersample, page.photometric
        _check_size(page.imagewidth, page.imagelength)
        if page.is_reduced:
            raise BadPhoto("the first picture of this TIFF is a thumbnail")
        if page.sampleformat not in (1, 4) or not isinstance(bits, int) or bits > 16:
            raise BadPhoto(f"TIFF of {page.dtype or bits} values; save it with 8 or 16 bits")
        profile, orientation = page.tags.valueof(PROFILE), page.tags.valueof(ORIENTATION, 1)
        if kind in TIFF_CHANNELS and (bits > 8 or (bits == 8 and page.extrasamples)):
            return _on_white(_tiff_image(page, bits)), orientation, profile
        if kind in TIFF_BY_PILLOW and bits <= 8 and not page.extrasamples:
            try:
                with TiffImageFile(BytesIO(encoded)) as image:
                    return _on_white(image), 1, profile  # Pillow applies the orientation
            except SyntaxError:  # a layout that Pillow does not know
                pass
        raise BadPhoto(f"{_described(page)}; save it as RGB, uncompressed")


def tiff_values(page: tifffile.TiffPage) -> np.ndarray:
    """The stored values of a grey or RGB TIFF, (H, W, C), with alpha but without other extra channels.

    Raises:
        BadPhoto: the compression is refused, or dimensions or channels are ambiguous.
    """
    check_compression(page)
    if page.axes not in ("YX", "YXS", "SYX") or page.samplesperpixel > 8 or PREMULTIPLIED in page.extrasamples:
        raise BadPhoto(f"{_described(page)} and dimensions {page.shape}; save it as one RGB picture")
    pixels = page.asarray()
    if page.axes == "SYX":
        pixels = pixels.transpose(1, 2, 0)
    elif page.axes == "YX":
        pixels = pixels[..., None]
    return pixels[..., : TIFF_CHANNELS[page.photometric] + (page.extrasamples[:1] == (ALPHA,))]


def _tiff_image(page: tifffile.TiffPage, bits: int) -> Image.Image:
    """A grey or RGB TIFF of 8 to 16 bits a value -> 8-bit RGB or RGBA, not yet turned upright."""
    pixels, channels = tiff_values(page), TIFF_CHANNELS[page.photometric]
    levels = pixels if bits == 8 else _eight_bit(pixels, bits, colours=channels)
    shown = 255 - levels[..., :channels] if page.photometric == 0 else levels[..., :channels]
    shown = np.broadcast_to(shown, (*shown.shape[:2], 3))
    shown = np.concatenate([shown, levels[..., channels:]], axis=2)
    return Image.fromarray(np.ascontiguousarray(shown))


def _described(page: tifffile.TiffPage) -> str:
    photometric, compression = (getattr(fact, "name", fact) for fact in (page.photometric, page.compression))
    extra = f", {len(page.extrasamples)} extra channels" if page.extrasamples else ""
    return f"TIFF of {page.bitspersample}-bit {photometric} pixels{extra}, compression {compression}"


def _eight_bit(pixels: np.ndarray, bits: int, *, colours: int) -> np.ndarray:
    """Values of `bits` bits -> uint8, rounded.

    Args:
        colours: number of colour channels, which come first.

    Raises:
        BadPhoto: a 16-bit file with colours below 2^14: its values are probably not scaled to 16 bits.
    """
    if pixels.dtype != np.uint16:
        raise BadPhoto(f"16-bit integers expected, got {pixels.dtype}")
    largest = int((pixels[..., :colours] if pixels.ndim == 3 else pixels).max())
    if bits == 16 and largest < DARK:
        raise BadPhoto(
            f"the largest value of this 16-bit file is {largest} of 65535: it seems to hold fewer bits and would be "
            "too dark; scale its values to 16 bits, or save it with 8"
        )
    top = 2**bits - 1
    return ((np.arange(2**16, dtype=np.int64) * 255 + top // 2) // top).clip(0, 255).astype(np.uint8)[pixels]


def _on_white(image: Image.Image) -> np.ndarray:
    """An image on a white background, (H, W, 3) uint8."""
    if image.mode in ("F", "I"):
        raise BadPhoto(f"float or 32-bit pixels (mode {image.mode}); save it with 8 or 16 bits")
    image.load()
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8 or an invalid one; 1 if there is none."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # the EXIF block is damaged
        return 1


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadPhoto(f"claims {width}x{height} pixels; at most {MAX_PIXELS // 10**6} megapixels are decoded")
