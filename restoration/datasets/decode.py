"""An image file -> 8-bit RGB.

JPEG, PNG, TIFF, WebP and BMP files are recognised by their first bytes; no other decoder is started. The EXIF
orientation is applied. Grey becomes three equal channels, a palette its colours, CMYK its complement. Transparent
pixels are put on white. More than 8 bits are rounded to 8. Only the first frame is read. Colour profiles and gamma are
not applied. A file whose values are ambiguous is refused.
"""

import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from restoration.datasets.scans import scans_missing

SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
MAX_PIXELS = 2**28  # limits memory: a file of a few kilobytes can claim any size
MAX_PROFILE = 2**24  # bytes
ORIENTATION, PROFILE = 0x0112, 34675
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_TEXT, PNG_TURNS = (b"tEXt", b"zTXt", b"iTXt"), (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
SIZED_BY_THE_PAGE = {1, 5, 8, 32773, 32946}  # TIFF compressions: none, LZW, Deflate, PackBits, Deflate
TIFF_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # channels of white-is-zero, grey, RGB and CMYK
ALPHA = {1: "RGBa", 2: "RGBA"}  # TIFF's extra samples: premultiplied alpha, alpha
DARK = 2**14  # 16-bit files without larger values hold 10, 12 or 14 bits

Decoded = tuple[np.ndarray, int, bytes | None]  # (H, W, 3) uint8 as stored, EXIF orientation, ICC profile

warnings.filterwarnings("ignore", "(?s).*EXIF", module="PIL")  # a damaged EXIF block does not concern the pixels


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
    try:
        encoded = read_file(path)
        pixels, orientation, profile = _reader(encoded)(encoded)
    except (BadPhoto, MemoryError):
        raise
    except OSError as error:
        raise BadPhoto(error.strerror or str(error)) from error
    except Exception as error:  # decoders of damaged files raise all kinds of errors
        raise BadPhoto(f"damaged or of an unknown kind: {type(error).__name__}: {error}".splitlines()[0]) from error
    return np.ascontiguousarray(upright(pixels, orientation)), profile


def read_file(path: Path) -> bytes:
    """The bytes of a regular file; a pipe would wait for its writer.

    Raises:
        BadPhoto: the path is not a regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise BadPhoto("not a regular file")
    return path.read_bytes()


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes an EXIF orientation, 1 to 8; others leave the pixels as they are."""
    if orientation in (2, 4, 5, 7):
        pixels = pixels[:, ::-1]
    return np.rot90(pixels, {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0))


def check_compression(page: tifffile.TiffPage) -> None:
    """Refuses compressions whose data have a size of their own, which may differ from the page's.

    Raises:
        BadPhoto: the page is compressed by anything but LZW, Deflate or PackBits.
    """
    if page.compression not in SIZED_BY_THE_PAGE:
        raise BadPhoto(f"{_described(page)}; save it without compression, or with LZW or Deflate")


def _reader(encoded: bytes) -> Callable[[bytes], Decoded]:
    if encoded.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if encoded.startswith(PNG_SIGNATURE):
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
            raise BadPhoto("damaged JPEG file: scans are missing, it was cut and closed")
        if image.mode == "CMYK":
            pixels = _on_white(image)
        return pixels, _orientation(image), image.info.get("icc_profile")


def _png(encoded: bytes) -> Decoded:
    """Decodes a PNG without its text and profile, since Pillow refuses large ones."""
    kept, profile = [PNG_SIGNATURE], None
    for kind, content, chunk in _png_chunks(encoded):
        if kind == b"iCCP":
            profile = _png_profile(content)
        elif kind not in PNG_TEXT or content.startswith(PNG_TURNS):
            kept.append(chunk)
    cleaned = b"".join(kept)
    with PngImageFile(BytesIO(cleaned)) as image:
        _check_size(*image.size)
        if encoded[24] == 16:  # bits; Pillow would cut off the lower eight
            deep = imagecodecs.png_decode(cleaned)
            pixels = _on_white(Image.fromarray(_eight_bit(deep, 16, colours=3 if deep.shape[-1] in (3, 4) else 1)))
        else:
            pixels = _on_white(image)
        return pixels, _orientation(image), profile


def _png_chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, content and whole chunk of each undamaged chunk of a PNG file.

    Raises:
        BadPhoto: a chunk that the picture needs is damaged, or the file is cut short.
    """
    start, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if start + 12 > len(encoded):
            raise BadPhoto("truncated PNG file")
        length, kind = struct.unpack(">I4s", encoded[start : start + 8])
        end = start + 12 + length
        content, checksum = encoded[start + 8 : end - 4], encoded[end - 4 : end]
        if zlib.crc32(kind + content).to_bytes(4) == checksum:
            yield kind, content, encoded[start:end]
        elif not kind[0] & 0x20:  # a capital letter: the decoder needs this chunk
            raise BadPhoto(f"truncated PNG file, or damaged in its {kind.decode(errors='replace')} chunk")
        start = end


def _png_profile(content: bytes) -> bytes | None:
    """The profile of an iCCP chunk: a name, 0, 0, and compressed bytes; None where these are damaged or too many."""
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(content[content.index(0) + 2 :], MAX_PROFILE)
    except (ValueError, zlib.error):
        return None
    return profile if unpacker.eof else None


def _webp(encoded: bytes) -> Decoded:
    with WebPImageFile(BytesIO(encoded)) as image:
        _check_size(*image.size)
        return _on_white(image), _orientation(image), image.info.get("icc_profile")


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
        if bits >= 8 and kind in TIFF_COLOURS and (bits > 8 or page.compression in SIZED_BY_THE_PAGE):
            pixels, orientation = _on_white(_tiff_image(page, bits)), page.tags.valueof(ORIENTATION, 1)
        elif bits <= 8 and kind in (*TIFF_COLOURS, 3, 6) and not page.extrasamples:  # 3: palette, 6: YCbCr
            try:
                with TiffImageFile(BytesIO(encoded)) as image:
                    pixels, orientation = _on_white(image), 1  # Pillow applies the orientation
            except SyntaxError:
                raise BadPhoto(f"{_described(page)}; save it as RGB, uncompressed") from None
        else:
            raise BadPhoto(f"{_described(page)}; save it as RGB, uncompressed")
        return pixels, orientation, page.tags.valueof(PROFILE)


def _tiff_image(page: tifffile.TiffPage, bits: int) -> Image.Image:
    """A TIFF of 8 to 16 bits a value -> 8 bits, RGB with its alpha channel, as stored."""
    check_compression(page)
    if page.axes not in ("YX", "YXS", "SYX") or page.samplesperpixel > 8:
        raise BadPhoto(f"{_described(page)} and dimensions {page.shape}; save it as one RGB picture")
    pixels = page.asarray()
    if page.axes == "SYX":
        pixels = pixels.transpose(1, 2, 0)
    elif page.axes == "YX":
        pixels = pixels[..., None]
    colours = TIFF_COLOURS[page.photometric]
    levels = pixels if bits == 8 else _eight_bit(pixels, bits, colours=colours)
    shown = np.ascontiguousarray(levels[..., :colours])
    if page.photometric == 0:  # white is zero
        shown = 255 - shown
    if colours == 1:
        shown = shown.repeat(3, axis=2)
    elif colours == 4:
        shown = np.array(Image.fromarray(shown, "CMYK").convert("RGB"))
    alpha = page.extrasamples[0] if page.extrasamples else 0
    if alpha not in ALPHA:
        return Image.fromarray(shown)
    if ALPHA[alpha] == "RGBa" and page.photometric not in (1, 2):
        raise BadPhoto(f"{_described(page)} and premultiplied alpha; save it as RGB")
    rgba = np.ascontiguousarray(np.concatenate([shown, levels[..., colours : colours + 1]], axis=2))
    return Image.frombuffer(ALPHA[alpha], rgba.shape[1::-1], rgba, "raw", ALPHA[alpha], 0, 1)


def _described(page: tifffile.TiffPage) -> str:
    photometric, compression = (getattr(fact, "name", fact) for fact in (page.photometric, page.compression))
    extra = f", {len(page.extrasamples)} extra channels" if page.extrasamples else ""
    return f"TIFF of {page.bitspersample}-bit {photometric} pixels{extra}, compression {compression}"


def _eight_bit(pixels: np.ndarray, bits: int, *, colours: int) -> np.ndarray:
    """Values of `bits` bits -> uint8, rounded.

    Raises:
        BadPhoto: a 16-bit file whose colours, the first so many channels, fill less than 15 bits.
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
    """(H, W, 3) uint8."""
    if image.mode in ("F", "I"):
        raise BadPhoto(f"float or 32-bit pixels (mode {image.mode}); save it with 8 or 16 bits")
    image.load()
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # the EXIF block is damaged
        return 1


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadPhoto(f"claims {width}x{height} pixels; at most {MAX_PIXELS // 10**6} megapixels are decoded")
