"""Every common kind of image file is read with the right pixels, or refused with a reason."""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

from restoration.datasets.decode import BadPhoto, decode, decode_with_profile
from tests.photographs import POSTSCRIPT, fake_ghostscript

PHOTO = skimage.data.chelsea()[60:124, 100:180].copy()
HEIGHT, WIDTH = PHOTO.shape[:2]
IMAGE = Image.fromarray(PHOTO)
GREY = np.asarray(IMAGE.convert("L"))
DEEP, DEEP_GREY = PHOTO.astype(np.uint16) * 257, GREY.astype(np.uint16) * 257
CMYK = np.asarray(IMAGE.convert("CMYK"))
RAMP = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))  # of transparency
PALETTE = IMAGE.quantize(64)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

Case = tuple[bytes, np.ndarray | str]  # a file, and its picture or why it is refused


def coloured(grey: np.ndarray) -> np.ndarray:
    return grey[..., None].repeat(3, axis=2)


def on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return pixels * (alpha / 255)[..., None] + (255 - alpha.astype(float))[..., None]


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(image: Image.Image = IMAGE, **options) -> bytes:
    return saved(image, "JPEG", **{"quality": 95, **options})


def tiff(pixels: np.ndarray, photometric: str | int = "rgb", **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric=photometric, **options)
    return file.getvalue()


def packed_tiff(pixels: np.ndarray, bits: int) -> bytes:
    """8-bit values stored with `bits` bits each, next to one another."""
    values = np.round(pixels * ((2**bits - 1) / 255)).astype(np.uint16).reshape(HEIGHT, -1, 1)
    rows = np.packbits((values >> np.arange(bits)[::-1] & 1).astype(np.uint8).reshape(HEIGHT, -1), axis=1)
    channels = pixels.size // (HEIGHT * WIDTH)
    file = io.BytesIO(tiff(rows, "minisblack", metadata=None))
    with tifffile.TiffFile(file, mode="r+") as content:
        tags = content.pages.first.tags
        tags["ImageWidth"].overwrite(WIDTH)
        tags["PhotometricInterpretation"].overwrite(2 if channels == 3 else 1)
        tags["BitsPerSample"].overwrite((bits,) * channels, dtype="H")
        tags["SamplesPerPixel"].overwrite(channels)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels: np.ndarray, *, bits: int = 8, kind: int = 2, extra: bytes = b"", width: int = WIDTH) -> bytes:
    """A PNG file of (H, ...) values as stored; `kind` is its colour type, `extra` chunks before the pixels."""
    rows = b"".join(b"\0" + row.astype(">u2" if bits == 16 else np.uint8).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, len(pixels), bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def interlaced(pixels: np.ndarray, bits: int) -> bytes:
    """A PNG file whose rows come in the seven passes of Adam7."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    big = pixels.astype(">u2") if bits == 16 else pixels
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in big[y::dy, x::dx])
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, 2, 0, 0, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def turned(orientation: object, kind: str, **options) -> bytes:
    """A file that shows PHOTO once its EXIF orientation is applied; unknown orientations are ignored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}.get(orientation)
    return saved(IMAGE if stored is None else IMAGE.transpose(stored), kind, exif=exif, **options)


def with_hole(content: bytes, size: int = 600) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(size) + content[middle + size :]


def jpegs() -> Iterator[tuple[str, Case]]:
    whole = jpeg()
    large = Image.Exif()
    large[0x9286] = "x" * 60_000
    cut_exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff\xff\xff"
    mirrored = IMAGE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    yield "progressive", (jpeg(progressive=True), PHOTO)
    yield "cmyk", (jpeg(IMAGE.convert("CMYK")), PHOTO)
    yield "grey", (jpeg(IMAGE.convert("L")), coloured(GREY))
    yield "libjpeg", (imagecodecs.jpeg8_encode(PHOTO, level=95), PHOTO)
    yield "two frames", (saved(IMAGE, "MPO", save_all=True, append_images=[mirrored], quality=95), PHOTO)
    yield "trailer", (whole + bytes(100) + b"SEFT", PHOTO)
    yield "exif of garbage", (jpeg(exif=b"Exif\0\0XXXXgarbage not tiff"), PHOTO)
    yield "exif cut", (jpeg(exif=cut_exif), PHOTO)
    yield "exif large", (jpeg(exif=large), PHOTO)
    yield "rgb", (jpeg(keep_rgb=True), PHOTO)
    yield "subsampled", (jpeg(subsampling="4:1:1"), PHOTO)
    yield "panorama", (jpeg(Image.fromarray(np.tile(PHOTO, (1, 100, 1)))), np.tile(PHOTO, (1, 100, 1)))
    yield "banner", (jpeg(Image.fromarray(np.tile(PHOTO[:40], (1, 20, 1)))), np.tile(PHOTO[:40], (1, 20, 1)))
    for orientation in (0, 3, 6, 9):
        yield f"orientation {orientation}", (turned(orientation, "JPEG", quality=95), PHOTO)
    yield "end missing", (whole[:-2], "damaged JPEG file: Premature end")
    yield "cut", (whole[: len(whole) // 2], "damaged JPEG file: Premature end")
    for name, content in (
        ("", whole),
        (" progressive", jpeg(progressive=True)),
        (" cmyk", jpeg(IMAGE.convert("CMYK"))),
    ):
        yield f"hole{name}", (with_hole(content), "damaged JPEG file: Corrupt JPEG data")
        yield f"cut and closed{name}", (content[: len(content) * 2 // 3] + b"\xff\xd9", "damaged JPEG file")
    for mode in ("RGB", "L", "CMYK"):
        content = jpeg(IMAGE.convert(mode), progressive=True, restart_marker_rows=1)
        for number, scan in enumerate(list(re.finditer(rb"\xff\xda", content))[1:], 1):
            cut = content[: scan.start()]
            yield f"{number} scans {mode}", (cut, "damaged JPEG file: Premature end")
            yield (
                f"{number} scans closed {mode}",
                (cut + b"\xff\xd9", "damaged JPEG file: scans are missing at the end"),
            )


def pngs() -> Iterator[tuple[str, Case]]:
    whole = saved(IMAGE, "PNG")
    opaque = np.full((HEIGHT, WIDTH, 1), 65535, np.uint16)
    bilevel = GREY > 127
    first = tuple(int(value) for value in DEEP[0, 0])
    shown = np.where((PHOTO[0, 0] == PHOTO).all(-1, keepdims=True), 255, PHOTO)
    transparent = saved(PALETTE, "PNG", transparency=bytes([0] + [255] * 63))
    first_colour = (np.asarray(PALETTE) == 0)[..., None]
    frames = [IMAGE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    text = b"parameters\0\0" + zlib.compress(bytes(3_000_000))
    printer = b"icc\0\0" + zlib.compress(SRGB + np.random.default_rng(0).bytes(2_000_000))
    yield "plain", (whole, PHOTO)
    yield "grey 16", (png(DEEP_GREY, bits=16, kind=0), coloured(GREY))
    yield "rgb 16", (png(DEEP, bits=16), PHOTO)
    yield "grey alpha 16", (png(np.concatenate([DEEP_GREY[..., None], opaque], 2), bits=16, kind=4), coloured(GREY))
    yield "rgb alpha 16", (png(np.concatenate([DEEP, opaque], 2), bits=16, kind=6), PHOTO)
    yield "bilevel", (png(np.packbits(bilevel, axis=1), bits=1, kind=0), coloured(bilevel * 255))
    key = chunk(b"tRNS", struct.pack(">H", DEEP_GREY[0, 0]))
    yield (
        "grey 16 key",
        (
            png(DEEP_GREY, bits=16, kind=0, extra=key),
            coloured(np.where(GREY[0, 0] == GREY, 255, GREY)),
        ),
    )
    yield "rgb 16 key", (png(DEEP, bits=16, extra=chunk(b"tRNS", struct.pack(">HHH", *first))), shown)
    yield "interlaced", (interlaced(PHOTO, 8), PHOTO)
    yield "interlaced 16", (interlaced(DEEP, 16), PHOTO)
    yield "gamma", (png(PHOTO, extra=chunk(b"gAMA", struct.pack(">I", 100_000))), PHOTO)
    yield "profile", (png(PHOTO, extra=chunk(b"iCCP", b"icc\0\0" + zlib.compress(SRGB))), PHOTO)
    yield "profile damaged", (png(PHOTO, extra=chunk(b"iCCP", b"icc\0\0not zlib")), PHOTO)
    yield "profile large", (png(PHOTO, extra=chunk(b"iCCP", printer)), PHOTO)
    yield "text large", (png(PHOTO, extra=chunk(b"zTXt", text)), PHOTO)
    yield "xmp large", (png(PHOTO, extra=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * 3_000_000)), PHOTO)
    yield "text damaged", (png(PHOTO, extra=b"\0\0\0\4tEXtabcd\0\0\0\0"), "damaged .* checksum in b'tEXt'")
    yield "one row", (png(PHOTO[:1]), PHOTO[:1])
    yield "icon", (saved(IMAGE.crop((0, 0, 40, 40)), "PNG"), PHOTO[:40, :40])
    yield "palette", (saved(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB")))
    yield "palette transparent", (transparent, np.where(first_colour, 255, np.asarray(PALETTE.convert("RGB"))))
    yield "alpha", (saved(Image.fromarray(np.dstack([PHOTO, RAMP])), "PNG"), on_white(PHOTO, RAMP))
    yield "animated", (saved(IMAGE, "PNG", save_all=True, append_images=frames), PHOTO)
    for orientation in (3, 6):
        yield f"orientation {orientation}", (turned(orientation, "PNG"), PHOTO)
    yield "12 bits in 16", (png(DEEP >> 4, bits=16), r"largest value .* is \d+ of 65535: it seems to hold fewer bits")
    yield "cut", (whole[: len(whole) // 2], "damaged file: [Tt]runcated")
    yield "end missing", (whole[:-12], "damaged file: [Tt]runcated")
    yield "hole", (with_hole(whole, 50), "damaged .* checksum in b'IDAT'")
    yield "huge", (png(PHOTO[:1], width=2**30), "claims 1073741824x1 pixels")


def tiffs() -> Iterator[tuple[str, Case]]:
    yield "palette", (saved(PALETTE, "TIFF"), np.asarray(PALETTE.convert("RGB")))
    yield "bilevel", (tiff(GREY > 127, "minisblack"), coloured((GREY > 127) * 255))
    yield (
        "fax",
        (saved(IMAGE.convert("1"), "TIFF", compression="group4"), np.asarray(IMAGE.convert("1").convert("RGB"))),
    )
    yield "jpeg", (saved(IMAGE, "TIFF", compression="jpeg", quality=95), PHOTO)
    yield "zstd", (tiff(PHOTO, compression="zstd"), PHOTO)
    yield "big", (tiff(PHOTO, bigtiff=True), PHOTO)
    yield "big 16", (tiff(DEEP, bigtiff=True), PHOTO)
    yield "tiled", (tiff(PHOTO, tile=(16, 16)), PHOTO)
    yield "tiled 16", (tiff(DEEP, tile=(16, 16)), PHOTO)
    yield "lzw predictor 16", (tiff(DEEP, compression="lzw", predictor=True), PHOTO)
    yield "big endian 16", (tiff(DEEP_GREY, "minisblack", byteorder=">"), coloured(GREY))
    yield "two pages", (tiff(np.stack([PHOTO, PHOTO[::-1]])), PHOTO)
    for bits in (10, 12, 14):
        yield f"{bits} bits", (packed_tiff(PHOTO, bits), PHOTO)
        yield f"{bits} bits grey", (packed_tiff(GREY, bits), coloured(GREY))
        yield f"{bits} bits in 16", (tiff(DEEP >> (16 - bits)), "seems to hold fewer bits")
    for orientation in (3, 6):
        yield f"orientation {orientation}", (turned(orientation, "TIFF"), PHOTO)
        yield f"orientation {orientation} jpeg", (turned(orientation, "TIFF", compression="jpeg", quality=95), PHOTO)
    yield "orientation 6 16", (tiff(np.rot90(DEEP).copy(), extratags=[(274, "H", 1, 6, True)]), PHOTO)
    for kind in (np.int8, np.int16, np.uint32, np.float16, np.float32, np.float64):
        yield f"{kind.__name__}", (tiff(PHOTO.astype(kind)), f"TIFF of {kind.__name__} values; save it with 8 or 16")
        yield f"{kind.__name__} grey", (tiff(GREY.astype(kind), "minisblack"), f"TIFF of {kind.__name__} values")
    yield "lab", (tiff(PHOTO, "cielab"), "8-bit CIELAB pixels")
    yield "lab 16", (tiff(DEEP, "cielab"), "16-bit CIELAB pixels")
    yield "sensor", (tiff(DEEP_GREY, "cfa"), "16-bit CFA pixels")
    yield "zstd 16", (tiff(DEEP, compression="zstd"), "compression ZSTD")
    yield "jpeg 2000", (tiff(PHOTO, compression="jpeg2000"), "compression JPEG2000")
    yield "thumbnail", (tiff(PHOTO, subfiletype=1), "first picture of this TIFF is a thumbnail")
    yield "cut", (tiff(PHOTO)[:-3000], "damaged file: .*truncated")
    yield "cut 16", (tiff(DEEP)[:-3000], "damaged")


def tiff_channels() -> Iterator[tuple[str, Case]]:
    """Colours x extra channels x order x depth."""
    colours = {
        "minisblack": (GREY[..., None], coloured(GREY)),
        "miniswhite": (255 - GREY[..., None], coloured(GREY)),
        "rgb": (PHOTO, PHOTO),
        "separated": (CMYK, PHOTO),
    }
    for photometric, (values, shown) in colours.items():
        for extra in (None, "unspecified", "unassalpha", "assocalpha"):
            stored, picture = values, on_white(shown, RAMP) if extra and extra != "unspecified" else shown
            if extra == "assocalpha" or (extra and photometric == "separated"):
                picture = "extra channels, .*save it as"
            if extra:
                stored = np.dstack([stored, np.zeros_like(RAMP) if extra == "unspecified" else RAMP])
            for order in ("contig", "separate"):
                pixels = stored.squeeze() if order == "contig" or stored.shape[2] == 1 else stored.transpose(2, 0, 1)
                for depth in (8, 16):
                    refused = photometric == "separated" and depth == 16
                    name = f"{photometric} {extra} {order} {depth}"
                    pixels = np.ascontiguousarray(pixels.astype(np.uint16) * 257 if depth == 16 else pixels)
                    options = {"extrasamples": [extra] if extra else None, "planarconfig": order if extra else None}
                    yield name, (tiff(pixels, photometric, **options), "16-bit SEPARATED" if refused else picture)


def others() -> Iterator[tuple[str, Case]]:
    frames = [IMAGE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    unknown = "not a JPEG, PNG, TIFF, WebP or BMP image"
    yield "webp", (saved(IMAGE, "WEBP", lossless=True), PHOTO)
    yield "webp animated", (saved(IMAGE, "WEBP", save_all=True, append_images=frames, lossless=True), PHOTO)
    for orientation in (3, 6):
        yield f"webp orientation {orientation}", (turned(orientation, "WEBP", lossless=True), PHOTO)
    yield "webp cut", (saved(IMAGE, "WEBP")[:-100], "decoder")
    yield "bmp", (saved(IMAGE, "BMP"), PHOTO)
    yield "bmp cut", (saved(IMAGE, "BMP")[:-100], "truncated")
    for kind in ("GIF", "AVIF", "PPM", "JPEG2000"):
        yield kind, (saved(IMAGE, kind), unknown)
    yield "postscript", (POSTSCRIPT, unknown)
    yield "macOS attributes", (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(60), unknown)
    yield "text", (b"these are not pixels", unknown)
    yield "empty", (b"", "empty file")


CASES = {
    f"{group.__name__}: {name}": case for group in (jpegs, pngs, tiffs, tiff_channels, others) for name, case in group()
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("name", CASES)
def test_kinds_of_files(tmp_path, name):
    """The kind is read from the content: every file is called a.png."""
    content, picture = CASES[name]
    (tmp_path / "a.png").write_bytes(content)
    if isinstance(picture, str):
        with pytest.raises(BadPhoto, match=picture):
            decode(tmp_path / "a.png")
    else:
        decoded = decode(tmp_path / "a.png")
        assert decoded.shape == picture.shape
        difference = np.abs(decoded.astype(float) - picture)
        lossy = b"JFIF" in content or b"\xff\xd8\xff" in content
        assert difference.mean() < (4 if lossy else 0.5)
        assert difference.max() <= (60 if lossy else 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_files_are_exact(tmp_path, kind):
    IMAGE.save(tmp_path / "a", kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(decode(tmp_path / "a"), PHOTO)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 10}])
def test_jpegs_have_pillows_pixels(tmp_path, mode, options):
    IMAGE.convert(mode).save(tmp_path / "a.jpg", **options)
    with Image.open(tmp_path / "a.jpg") as image:
        assert np.array_equal(decode(tmp_path / "a.jpg"), np.asarray(image.convert("RGB")))


def test_16_bits_are_rounded(tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, PHOTO.shape, dtype=np.uint16)
    for content in (png(deep, bits=16), tiff(deep)):
        (tmp_path / "a").write_bytes(content)
        assert np.array_equal(decode(tmp_path / "a"), np.round(deep / 257))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_profiles(tmp_path, kind):
    IMAGE.save(tmp_path / "a", kind, icc_profile=SRGB)
    assert decode_with_profile(tmp_path / "a")[1] == SRGB
    IMAGE.save(tmp_path / "a", kind)
    assert decode_with_profile(tmp_path / "a")[1] is None


def test_claimed_sizes(tmp_path):
    """All kinds have the same limit; no memory is allocated for a claimed size."""
    content = bytearray(saved(IMAGE, "BMP"))
    struct.pack_into("<ii", content, 18, 40_000, 40_000)
    jpeg_content = bytearray(jpeg())
    struct.pack_into(">HH", jpeg_content, jpeg_content.index(b"\xff\xc0") + 5, 40_000, 40_000)
    for claim in (content, jpeg_content):
        (tmp_path / "a").write_bytes(claim)
        with pytest.raises(BadPhoto, match="claims 40000x40000 pixels; at most 268 megapixels"):
            decode(tmp_path / "a")


def test_postscript_starts_no_ghostscript(tmp_path, monkeypatch):
    """Pillow would run `gs` for a PostScript file of any name."""
    fake_ghostscript(tmp_path, monkeypatch)
    (tmp_path / "a.jpg").write_bytes(POSTSCRIPT)
    with pytest.raises(BadPhoto, match="not a JPEG"):
        decode(tmp_path / "a.jpg")
    assert not (tmp_path / "started").exists()
    with Image.open(tmp_path / "a.jpg") as image, pytest.raises(OSError, match=r"."):
        image.load()
    assert (tmp_path / "started").exists()  # the fake gs itself works


def test_external_pictures_are_not_read(tmp_path):
    with pytest.raises(BadPhoto, match="No such file"):
        decode(tmp_path / "absent.png")
    with pytest.raises(BadPhoto, match="not a regular file"):
        decode(tmp_path)
    with pytest.raises(BadPhoto, match="not a regular file"):
        decode(Path("/dev/zero"))
