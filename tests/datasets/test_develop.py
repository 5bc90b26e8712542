"""16 bits of any colour space -> 8 bits of sRGB at the paper's size, for known colours."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from restoration.datasets.decode import BadPhoto
from restoration.datasets.develop import Reduction, TooSmall, read_dng, read_tiff
from tests.photographs import PROPHOTO, light, prophoto, write_tiff

RAW = Path(__file__).parents[2] / ".." / "shared" / "raw"
COLORCHECKER = np.array(  # sRGB values of the 24 patches as X-Rite published them for charts before November 2014
    [
        [115, 82, 68], [194, 150, 130], [98, 122, 157], [87, 108, 67], [133, 128, 177], [103, 189, 170],
        [214, 126, 44], [80, 91, 166], [193, 90, 99], [94, 60, 108], [157, 188, 64], [224, 163, 46],
        [56, 61, 150], [70, 148, 73], [175, 54, 60], [231, 199, 31], [187, 86, 149], [8, 133, 161],
        [243, 243, 242], [200, 200, 200], [160, 160, 160], [122, 122, 121], [85, 85, 85], [52, 52, 52],
    ]
)  # fmt: skip
SATURATED = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255]])
RAMP = np.arange(256)[:, None].repeat(3, axis=1)
COLOURS = np.concatenate([COLORCHECKER, SATURATED, RAMP])


def chart(colours: np.ndarray, *, columns: int = 22, patch: int = 60) -> np.ndarray:
    """(n, 3) -> (H, W, 3): a patch of each colour, in rows; the last row is filled with the last colour."""
    rows = -(-len(colours) // columns)
    indices = np.minimum(np.arange(rows * columns), len(colours) - 1).reshape(rows, columns)
    return colours[indices].repeat(patch, axis=0).repeat(patch, axis=1)


@pytest.mark.parametrize("resample", ["lanczos", "area"])
@pytest.mark.parametrize("light", ["gamma", "linear"])
def test_colours_of_a_reduced_chart(tmp_path, resample, light):
    values = chart(COLOURS, columns=21, patch=100)
    assert values.shape == (1400, 2100, 3)
    write_tiff(tmp_path / "a.tif", prophoto(values / 255))
    reduced = Reduction(resample=resample, light=light)(read_tiff(tmp_path / "a.tif"))
    assert reduced.shape == (666, 999, 3)
    side = 999 / 21
    middle = ((np.arange(21) + 0.5) * side).astype(int)
    developed = reduced[middle[:14]][:, middle].reshape(-1, 3)[: len(COLOURS)].astype(int)
    assert np.abs(developed - COLOURS).max() <= 1


def test_colours_outside_srgb(tmp_path):
    purest = np.array([[65535, 0, 0], [0, 65535, 0], [0, 0, 65535]], np.uint16)  # of ProPhoto
    write_tiff(tmp_path / "a.tif", chart(purest, columns=3, patch=8))
    developed = read_tiff(tmp_path / "a.tif")[4, 4::8] / 65535
    assert np.allclose(developed, np.eye(3), atol=0.01)


def test_no_early_rounding(tmp_path):
    """A slow ramp, averaged over an area, has no steps: 8 bits before the average would give steps."""
    ramp = np.linspace(0.5, 0.51, 1998)[None, :, None].repeat(1332, axis=0).repeat(3, axis=2)
    write_tiff(tmp_path / "a.tif", prophoto(ramp))
    pixels = read_tiff(tmp_path / "a.tif")
    assert len(np.unique(pixels[0, :, 0])) > 300
    expected = np.round(ramp[0].reshape(999, 2, 3).mean(axis=1) * 255)
    assert np.abs(Reduction(resample="area")(pixels)[333] - expected).max() <= 1


def test_reduction_by_area():
    pixels = np.random.default_rng(0).integers(0, 2**16, (1332, 1998, 3), dtype=np.uint16)
    quarters = (pixels / 65535).reshape(666, 2, 999, 2, 3)
    assert np.abs(Reduction(resample="area")(pixels) - quarters.mean(axis=(1, 3)) * 255).max() < 0.501
    mean = light(quarters).mean(axis=(1, 3))
    encoded = np.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1 / 2.4) - 0.055)
    developed = Reduction(resample="area", light="linear")(pixels).astype(int)
    assert np.abs(developed - encoded * 255).max() < 0.501


@pytest.mark.parametrize("shape", [(2000, 3000), (2100, 2800), (1000, 3000), (700, 1050), (666, 999), (2000, 2000)])
@pytest.mark.parametrize("turned", [False, True])
def test_crop(shape, turned):
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    pixels = np.stack([rows, columns, np.zeros(shape)], axis=2) * 16  # a pixel's value is its position
    if turned and height != width:
        pixels = pixels.transpose(1, 0, 2)[..., [1, 0, 2]]
        height, width = width, height
    reduced = Reduction(resample="area")(pixels.astype(np.uint16)).astype(float) * 257 / 16
    assert reduced.shape[:2] == ((666, 999) if width >= height else (999, 666))
    scale = min(height / reduced.shape[0], width / reduced.shape[1])
    top, left = (height - scale * reduced.shape[0]) / 2, (width - scale * reduced.shape[1]) / 2
    assert np.abs(reduced[:, 0, 0] - (top + scale * (np.arange(reduced.shape[0]) + 0.5))).max() < 9.5  # half a level
    assert np.abs(reduced[0, :, 1] - (left + scale * (np.arange(reduced.shape[1]) + 0.5))).max() < 9.5


@pytest.mark.parametrize("shape", [(665, 2000), (2000, 665), (998, 666), (666, 998), (500, 500)])
def test_nothing_is_enlarged(shape):
    with pytest.raises(TooSmall):
        Reduction()(np.zeros((*shape, 3), np.uint16))


def test_unknown_filters():
    with pytest.raises(ValueError, match="lanczos or area"):
        Reduction(resample="nearest")
    with pytest.raises(ValueError, match="gamma or linear"):
        Reduction(light="dark")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, photo, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    write_tiff(
        tmp_path / "a.tif",
        photo.astype(np.uint16) * 257,
        profile=imagecodecs.cms_profile("srgb"),
        extratags=[(274, "H", 1, orientation, True)],
    )
    assert np.abs(read_tiff(tmp_path / "a.tif") / 257 - expected).max() < 0.1


def test_other_tiffs(tmp_path):
    sound = np.zeros((100, 120, 3), np.uint16)
    write_tiff(tmp_path / "plain.tif", sound, profile=None)
    write_tiff(tmp_path / "eight.tif", sound.astype(np.uint8))
    tifffile.imwrite(tmp_path / "grey.tif", sound[..., 0], iccprofile=PROPHOTO)
    write_tiff(tmp_path / "whole.tif", sound, profile=PROPHOTO)
    whole = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tif").write_text("these are not pixels")
    write_tiff(tmp_path / "profile.tif", sound, profile=b"not a profile" * 20)
    reasons = {
        "plain": "no colour profile",
        "eight": "16-bit RGB expected, got uint8",
        "grey": "16-bit RGB expected",
        "cut": "failed to read",
        "text": "not a TIFF",
        "profile": "cmsOpenProfile",
    }
    for name, reason in reasons.items():
        with pytest.raises(BadPhoto, match=reason):
            read_tiff(tmp_path / f"{name}.tif")


def test_huge_pictures(tmp_path):
    """Refused: a claim of 40000 x 40000 pixels; a compression whose data contain another size."""
    pixels = np.zeros((100, 100, 3), np.uint16)
    write_tiff(tmp_path / "claim.tif", pixels)
    with tifffile.TiffFile(tmp_path / "claim.tif", mode="r+") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages.first.tags[name].overwrite(40000)
    write_tiff(tmp_path / "stream.tif", pixels, compression="jpeg2000")
    for name, reason in (("claim", "claims 40000x40000"), ("stream", "without compression, or with LZW or Deflate")):
        with pytest.raises(BadPhoto, match=reason):
            read_tiff(tmp_path / f"{name}.tif")


def write_dng(path: Path, raw: np.ndarray, *, orientation: int, crop: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """A DNG of 16-bit RGGB values with a DefaultCrop of (left, top), (width, height), stored as fractions."""
    (left, top), (width, height) = crop
    identity = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    tags = [
        (274, "H", 1, orientation),
        (33421, "H", 2, (2, 2)),  # CFARepeatPatternDim
        (33422, "B", 4, (0, 1, 1, 2)),  # CFAPattern
        (50706, "B", 4, (1, 4, 0, 0)),  # DNGVersion
        (50708, "s", 0, "test"),  # UniqueCameraModel
        (50719, "2I", 2, (left * 2, 2, top * 2, 2)),  # DefaultCropOrigin
        (50720, "2I", 2, (width * 3, 3, height * 3, 3)),  # DefaultCropSize
        (50721, "2i", 9, identity),  # ColorMatrix1
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1)),  # AsShotNeutral
    ]
    tifffile.imwrite(path, raw, photometric=32803, metadata=None, extratags=[(*tag, True) for tag in tags])


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_crop_and_orientation_of_raw_files(tmp_path, orientation, turns):
    rows, columns = np.mgrid[0:120, 0:160]
    raw = (2000 + 100 * columns + 300 * rows).astype(np.uint16)  # brighter to the right and below
    write_dng(tmp_path / "whole.dng", raw, orientation=1, crop=((0, 0), (160, 120)))
    write_dng(tmp_path / "cropped.dng", raw, orientation=orientation, crop=((7, 5), (140, 100)))
    whole, cropped = read_dng(tmp_path / "whole.dng"), read_dng(tmp_path / "cropped.dng")
    assert whole.shape == (120, 160, 3)
    assert whole[100, 150].min() > 2 * whole[10, 10].max()
    assert np.array_equal(cropped, np.rot90(whole[5:105, 7:147], turns))


@pytest.mark.skipif(not RAW.exists(), reason="needs the raw files of ../shared/raw")
def test_a_raw_file_of_fivek():
    import rawpy

    path = RAW / "a1692-jmac_DSC1701.dng"
    pixels = read_dng(path)
    assert pixels.shape == (3008, 2000, 3)  # its DefaultCrop is 3008 x 2000 of 3040 x 2014, its orientation a quarter
    assert pixels.dtype == np.uint16
    with rawpy.imread(str(path)) as raw:
        whole = raw.postprocess(
            use_camera_wb=True, no_auto_bright=True, output_bps=16, gamma=(2.4, 12.92), user_flip=None
        )
    assert whole.shape == (3040, 2014, 3)
    assert np.array_equal(pixels, np.rot90(np.rot90(whole)[7:2007, 15:3023], -1))


def test_damaged_raw_files(tmp_path):
    (tmp_path / "a.dng").write_bytes(b"II*\0" + bytes(1000))
    with pytest.raises(BadPhoto):
        read_dng(tmp_path / "a.dng")
