"""A user's file after a network that changes nothing: bits, channels and metadata are kept."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
import torch
from PIL import Image

from restoration.datasets.decode import decode
from restoration.errors import UserError
from restoration.pictures import KINDS, Picture, quality_of, read_picture
from restoration.restoring import FileSkipped, restore_file
from restoration.saving import write_picture
from restoration.tasks import JPEG, SuperResolution
from tests.photographs import PROPHOTO

CPU = torch.device("cpu")
BLOCKS = JPEG()
PHOTO = skimage.data.astronaut()[:40, :300]
DEEP = PHOTO.astype(np.uint16) * 257 + np.arange(300, dtype=np.uint16)[None, :, None] % 3
ALPHA = np.broadcast_to(np.linspace(0, 255, 300).astype(np.uint8), (40, 300))
GREY_PROFILE = imagecodecs.cms_profile("gray", gamma=2.2)
FACTS = {"icc_profile": PROPHOTO, "dpi": (300, 200)}


class Same(torch.nn.Module):
    """Changes nothing; claims a receptive radius of 8 pixels, so that images are cut into tiles."""

    receptive_radius = 8

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.clone()


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[271], block[274] = "Camera maker", orientation
    block.get_ifd(0x8769)[36867] = "2024:05:06 07:08:09"
    return block


def through(path: Path, task=BLOCKS, **options) -> Picture:
    target = path.with_name(f"new{path.suffix}")
    restore_file(path, task, Same(), target, device=CPU, force=True, **options)
    return read_picture(target)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".bmp"])
def test_eight_bits(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    facts = {"lossless": True} if suffix == ".webp" else {"quality": 100} if suffix == ".jpg" else {}
    Image.fromarray(PHOTO).save(path, exif=exif(), **FACTS, **facts)
    if suffix == ".tif":  # Pillow writes no details
        write_picture(path, Picture(pixels=PHOTO, profile=PROPHOTO, dpi=(300, 200), exif=exif().tobytes()), "tiff")
    given, new = read_picture(path), through(path)
    assert (new.kind, new.pixels.dtype, new.alpha) == (given.kind, np.uint8, None)
    assert np.abs(new.pixels.astype(int) - given.pixels).mean() < (2 if suffix == ".jpg" else 1e-9)
    if suffix != ".bmp":
        assert new.profile == PROPHOTO
        with Image.open(tmp_path / f"new{suffix}") as image:
            assert image.getexif()[271] == "Camera maker"
            assert image.getexif().get_ifd(0x8769)[36867] == "2024:05:06 07:08:09"
    if suffix != ".webp":
        assert new.dpi == pytest.approx((300, 200), rel=1e-3)


@pytest.mark.parametrize("channels", ["grey", "grey with alpha", "RGB", "RGB with alpha"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits(tmp_path, suffix, channels):
    """All bits of colours and alpha are kept."""
    path = tmp_path / f"a{suffix}"
    pixels = DEEP if "RGB" in channels else DEEP[..., :1]
    profile = PROPHOTO if "RGB" in channels else GREY_PROFILE
    alpha = ALPHA.astype(np.uint16) * 256 if "alpha" in channels else None
    dpi = (300, 200)
    write_picture(
        path, Picture(pixels=pixels, alpha=alpha, profile=profile, exif=exif().tobytes(), dpi=dpi), KINDS_OF[suffix]
    )
    assert decode(path).shape == (40, 300, 3)
    new = through(path)
    assert np.array_equal(new.pixels, pixels)
    assert new.alpha is None if alpha is None else np.array_equal(new.alpha, alpha)
    assert new.profile == profile
    if (suffix, channels) != (".tif", "grey with alpha"):  # which Pillow does not open
        assert new.dpi == pytest.approx(dpi, rel=1e-3)
        with Image.open(path) as image:
            assert image.getexif()[271] == "Camera maker"
            assert image.getexif().get_ifd(0x8769)[36867] == "2024:05:06 07:08:09"


KINDS_OF = {suffix: kind for kind, suffix in KINDS.items()}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_transparency(tmp_path, suffix):
    """Colours of transparent pixels are restored as well; super-resolution enlarges alpha."""
    path = tmp_path / f"a{suffix}"
    facts = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    Image.fromarray(np.dstack([PHOTO, ALPHA])).save(path, **facts)
    new = through(path)
    assert np.array_equal(new.pixels, PHOTO)
    assert np.array_equal(new.alpha, ALPHA)
    (tmp_path / f"new{suffix}").unlink()
    large = through(path, SuperResolution())
    assert large.pixels.shape == (80, 600, 3)
    assert large.alpha.shape == (80, 600)
    assert np.abs(large.alpha[::2, ::2].astype(int) - ALPHA).max() <= 1


def test_grey_palette_and_transparent_colour(tmp_path):
    Image.fromarray(PHOTO[..., 0]).save(tmp_path / "grey.jpg", quality=100, icc_profile=GREY_PROFILE)
    grey = through(tmp_path / "grey.jpg")
    assert grey.pixels.shape == (40, 300, 1)
    assert grey.profile == GREY_PROFILE
    Image.fromarray(PHOTO).quantize(16).save(tmp_path / "palette.png", transparency=3)
    with Image.open(tmp_path / "palette.png") as image:
        expected = np.array(image.convert("RGBA"))
    palette = through(tmp_path / "palette.png")
    assert np.array_equal(np.dstack([palette.pixels, palette.alpha]), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_orientation(tmp_path, suffix, orientation):
    """The orientation is applied to the pixels and reset, so that viewers show the same picture."""
    path = tmp_path / f"a{suffix}"
    with_alpha = np.dstack([PHOTO, ALPHA]) if suffix == ".png" else PHOTO
    Image.fromarray(with_alpha).save(path, exif=exif(orientation))
    expected = decode(path)
    new = through(path)
    with Image.open(tmp_path / f"new{suffix}") as image:
        assert image.getexif().get(274, 1) == 1
    assert decode(tmp_path / f"new{suffix}").shape == expected.shape
    assert np.abs(decode(tmp_path / f"new{suffix}").astype(int) - expected).mean() < 2
    assert new.alpha is None or new.alpha.shape == expected.shape[:2]


def test_sixteen_bits_with_white_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", 65535 - DEEP[..., 0], photometric="miniswhite")
    assert np.array_equal(through(tmp_path / "a.tif").pixels[..., 0], DEEP[..., 0])


def test_big_tiff(tmp_path):
    """Which Pillow does not open, turned."""
    turned = [(274, "H", 1, 3, True)]
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", bigtiff=True, extratags=turned)
    assert np.array_equal(through(tmp_path / "a.tif").pixels, DEEP[::-1, ::-1])


def test_other_kinds(tmp_path):
    """16 bits become 8 if the new kind has only 8; a kind without transparency is refused."""
    deep = Picture(pixels=DEEP, alpha=ALPHA.astype(np.uint16) * 257)
    write_picture(tmp_path / "a.webp", deep, "webp")
    assert np.abs(read_picture(tmp_path / "a.webp").pixels.astype(int) - PHOTO).max() <= 1
    with pytest.raises(UserError, match="a JPEG file cannot keep transparency; give --format png"):
        write_picture(tmp_path / "a.jpg", deep, "jpeg")


@pytest.mark.parametrize("quality", [5, 25, 50, 75, 95, 100])
def test_quality_of_jpeg_files(tmp_path, quality):
    for subsampling in ("4:4:4", "4:2:0"):
        Image.fromarray(PHOTO).save(tmp_path / "a.jpg", quality=quality, subsampling=subsampling)
        assert read_picture(tmp_path / "a.jpg").quality == quality
    assert quality_of({0: [1] * 64}) == 100


def test_good_files_are_left_as_they_are(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "good.jpg", quality=60)
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    for name, reason in (("good.jpg", "quality is about 60; above 50"), ("a.png", "a PNG file, not JPEG")):
        with pytest.raises(FileSkipped, match=reason):
            restore_file(tmp_path / name, JPEG(), Same(), tmp_path / "new.png", device=CPU)
    assert {path.name for path in tmp_path.iterdir()} == {"good.jpg", "a.png"}
