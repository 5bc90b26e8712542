"""From a sensor's values to the network's range and back: self-made DNGs of known light, LibRaw, and a real file."""

from pathlib import Path

import numpy as np
import pytest
import rawpy
import tifffile
import torch

from restoration.errors import UserError
from restoration.sensor import (
    Sensor,
    _to_srgb,
    binned,
    decoded,
    displayed,
    encoded,
    mosaic,
    network_input,
    noisy,
    read_sensor,
)
from restoration.tasks import Demosaic
from tests.photographs import POSTSCRIPT, fake_ghostscript

RAW = Path(__file__).parents[1] / ".." / "shared" / "raw"
D70 = RAW / "a1692-jmac_DSC1701.dng"
needs_raw = pytest.mark.skipif(not RAW.exists(), reason="needs the raw files of ../shared/raw")

NEUTRAL = (5, 10, 10, 10, 7, 10)  # white is 0.5, 1, 0.7 of what green counts: gains 2, 1, 1 / 0.7
CAMERA = (7732, 10000, -2421, 10000, -789, 10000, -8238, 10000, 15883, 10000, 2498, 10000, -859, 10000, 783, 10000)
MATRIX = (*CAMERA, 7330, 10000)  # XYZ -> camera, of some camera
BLACK = np.array([[100, 120], [140, 160]])
WHITE = 16000


def write_dng(
    path: Path,
    light: np.ndarray,
    *,
    pattern: str = "RGGB",
    orientation: int = 1,
    black_levels: np.ndarray = BLACK,
    colours: bool = True,
) -> np.ndarray:
    """Writes a DNG of (3, H, W) light; returns the mosaic in [0, 1], rounded as in the file."""
    height, width = light.shape[1:]
    numbers = ["RGB".index(colour) for colour in pattern]
    rows, columns = np.mgrid[0:height, 0:width]
    seen = np.take_along_axis(light, np.array(numbers)[rows % 2 * 2 + columns % 2][None], axis=0)[0]
    black = black_levels[rows % 2, columns % 2]
    values = np.round(black + seen * (WHITE - black)).astype(np.uint16)
    tags = [
        (274, "H", 1, orientation),
        (33421, "H", 2, (2, 2)),  # CFARepeatPatternDim
        (33422, "B", 4, tuple(numbers)),  # CFAPattern
        (50706, "B", 4, (1, 4, 0, 0)),  # DNGVersion
        (50708, "s", 0, "test"),  # UniqueCameraModel
        (50713, "H", 2, (2, 2)),  # BlackLevelRepeatDim
        (50714, "H", 4, tuple(black_levels.flatten().tolist())),  # BlackLevel
        (50717, "H", 1, WHITE),  # WhiteLevel
        *([(50721, "2i", 9, MATRIX)] if colours else []),  # ColorMatrix1
        (50728, "2I", 3, NEUTRAL),  # AsShotNeutral
    ]
    tifffile.imwrite(path, values, photometric=32803, metadata=None, extratags=[(*tag, True) for tag in tags])
    return (values - black) / (WHITE - black)


def scene(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (3, height, width))


def sensor(light: torch.Tensor, gains: tuple[float, float, float] = (1, 1, 1)) -> Sensor:
    return Sensor(light=light, gains=torch.tensor(gains), to_srgb=torch.eye(3))


@pytest.mark.parametrize(("pattern", "top", "left"), [("RGGB", 0, 0), ("GRBG", 0, 1), ("GBRG", 1, 0), ("BGGR", 1, 1)])
def test_light(tmp_path, pattern, top, left):
    light = scene(66, 83) * np.array([0.3, 1, 0.6])[:, None, None]
    seen = write_dng(tmp_path / "a.dng", light, pattern=pattern)
    result = read_sensor(tmp_path / "a.dng")
    rows, columns = (66 - top) // 2 * 2, (83 - left) // 2 * 2
    assert result.light.shape == (rows, columns)
    assert np.abs(result.light.numpy() - seen[top : top + rows, left : left + columns]).max() < 1e-6
    assert 0.25 < result.light[::2, ::2].max() < 0.31  # red
    assert 0.5 < result.light[1::2, 1::2].max() < 0.61  # blue
    assert result.gains.tolist() == pytest.approx([2, 1, 1 / 0.7], rel=1e-4)


def test_clipping(tmp_path):
    write_dng(tmp_path / "a.dng", np.stack([np.full((64, 64), value) for value in (-0.004, 1.2, 0.5)]))
    light = read_sensor(tmp_path / "a.dng").light
    assert light[::2, ::2].unique().tolist() == [0]
    assert light[::2, 1::2].unique().tolist() == [1]


def test_grey_and_white():
    light = torch.empty(8, 8)
    for grey, value in ((0.2, 0.4845), (0.9, 0.9547), (3.0, 1.0)):  # sRGB's curve, from its formula
        light[::2, ::2], light[::2, 1::2], light[1::2, ::2], light[1::2, 1::2] = grey / 2, grey, grey, grey * 0.7
        image = network_input(sensor(light.clamp(0, 1), (2, 1, 1 / 0.7)))
        assert image.shape == (3, 8, 8)
        assert torch.allclose(image, torch.full_like(image, value), atol=1e-4)


def test_mosaic_of_the_task():
    """Without gains, a noiseless `Demosaic` of the encoded picture gives the same input."""
    light = torch.from_numpy(scene(20, 24)).float()
    raw = torch.where(torch.arange(24) % 2 == 0, light[0], light[1])
    raw[1::2] = torch.where(torch.arange(24) % 2 == 0, light[1], light[2])[1::2]
    result = network_input(sensor(raw))
    assert mosaic(sensor(raw)).shape == (1, 20, 24)
    assert torch.equal(result, Demosaic(a=0, b=0).degrade(encoded(light), torch.Generator()))


def test_srgb_curve():
    light = torch.tensor([0, 0.001, 0.0031308, 0.18, 0.5, 1])
    assert encoded(light).tolist() == pytest.approx([0, 0.01292, 0.04045, 0.46136, 0.73536, 1], abs=1e-5)
    ramp = torch.linspace(0, 1, 1001)
    assert torch.allclose(decoded(encoded(ramp)), ramp, atol=1e-6)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_displayed(tmp_path, orientation):
    """LibRaw at half size also bins quads; its colours, curve and rotation are independent code."""
    light = np.clip(scene(8, 12).repeat(8, axis=1).repeat(8, axis=2) * np.array([0.5, 1, 0.7])[:, None, None], 0, 1)
    even = np.full((2, 2), 128)  # LibRaw scales all colours by one range, ours and DNG's is each colour's own
    write_dng(tmp_path / "a.dng", light, orientation=orientation, black_levels=even)
    source = read_sensor(tmp_path / "a.dng")
    result = displayed(binned(source)[1], source).permute(1, 2, 0).numpy()
    with rawpy.imread(str(tmp_path / "a.dng")) as raw:
        expected = raw.postprocess(
            half_size=True,
            use_camera_wb=True,
            no_auto_bright=True,
            adjust_maximum_thr=0,
            output_color=rawpy.ColorSpace.sRGB,
            output_bps=16,
            gamma=(2.4, 12.92),
        )
    assert result.shape == expected.shape
    assert np.abs(result - expected / 65535).max() < 0.1 / 255
    assert result.std() > 0.2


def test_noise():
    light = torch.tensor([0.1, 0.3, 0.6])[:, None].repeat(1, 100_000)
    source = sensor(light)
    result = noisy(source, a=0.005, b=0.0001, generator=torch.Generator().manual_seed(0)).light
    assert (result - light).var(dim=1).tolist() == pytest.approx([0.0006, 0.0016, 0.0031], rel=0.02)
    assert torch.equal(noisy(source, a=0.005, b=0.0001, generator=torch.Generator().manual_seed(0)).light, result)
    wild = noisy(source, a=1, b=0, generator=torch.Generator().manual_seed(0)).light
    assert (wild.min(), wild.max()) == (0, 1)


def test_noise_in_the_networks_range():
    """(g f'(g y))² (a y + b), as the module says: most of it in the shadows."""
    a, b, gain = 0.0001, 0.000001, 2.0
    for y in (0.02, 0.1, 0.4):
        source = noisy(sensor(torch.full((400, 400), y)), a=a, b=b, generator=torch.Generator().manual_seed(0))
        red = mosaic(Sensor(light=source.light, gains=torch.tensor([gain, 1, 1]), to_srgb=torch.eye(3)))[0, ::2, ::2]
        slope = 1.055 / 2.4 * (gain * y) ** (1 / 2.4 - 1)
        assert red.var().item() == pytest.approx((gain * slope) ** 2 * (a * y + b), rel=0.05)


def test_binned():
    light = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.4, 0.3, 0.8, 0.7], [0.0, 0.1, 0.9, 1.0], [0.3, 0.2, 0.4, 0.5]])
    source, reference = binned(sensor(light, (2, 1, 1)))
    colours = torch.tensor([[[0.2, 1.0], [0.0, 1.0]], [[0.3, 0.7], [0.2, 0.7]], [[0.3, 0.7], [0.2, 0.5]]])
    assert torch.allclose(reference, encoded(colours), atol=1e-6)  # 0.9 x 2 is clipped
    assert torch.allclose(source.light, torch.tensor([[0.1, 0.7], [0.2, 0.5]]), atol=1e-6)
    assert binned(sensor(torch.zeros(10, 14)))[1].shape == (3, 4, 6)  # 5 x 7 quads: an even part of them


def test_positions_of_binned_light():
    source, reference = binned(sensor(torch.from_numpy(scene(40, 48)[0]).float(), (1.5, 1, 1.2)))
    seen = network_input(source)
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        pixels_of_channel = (channel, slice(row, None, 2), slice(column, None, 2))
        assert torch.allclose(seen[pixels_of_channel], reference[pixels_of_channel], atol=1e-6)
    assert not torch.allclose(seen, reference, atol=0.1)


def test_other_files(tmp_path, monkeypatch):
    """Other files are refused with a reason; LibRaw starts no Ghostscript."""
    fake_ghostscript(tmp_path, monkeypatch)
    (tmp_path / "text.dng").write_text("these are not pixels")
    (tmp_path / "script.dng").write_bytes(POSTSCRIPT)
    linear = [(50706, "B", 4, (1, 4, 0, 0), True), (50708, "s", 0, "test", True)]
    tifffile.imwrite(
        tmp_path / "rgb.dng", np.zeros((64, 64, 3), np.uint16), photometric=34892, metadata=None, extratags=linear
    )
    write_dng(tmp_path / "unknown.dng", scene(60, 80), colours=False)
    reasons = {
        "text": "LibRaw cannot read",
        "script": "LibRaw cannot read",
        "rgb": "colour pattern none",
        "absent": "absent",
        "unknown": "has no colour matrix",
    }
    for name, reason in reasons.items():
        with pytest.raises(UserError, match=reason):
            read_sensor(tmp_path / f"{name}.dng")
    assert not (tmp_path / "started").exists()


@needs_raw
def test_colours_of_a_real_sensor():
    """A Nikon D70, whose first row is B G B G: LibRaw's quads begin one row and one column earlier."""
    source = read_sensor(D70)
    assert source.light.shape == (2012, 3038)
    assert source.turns == -1
    _, reference = binned(source)
    with rawpy.imread(str(D70)) as raw:
        expected = raw.postprocess(
            half_size=True,
            use_camera_wb=True,
            no_auto_bright=True,
            adjust_maximum_thr=0,
            output_color=rawpy.ColorSpace.raw,
            output_bps=16,
            gamma=(1, 1),
            user_flip=0,
        )
    light = decoded(reference).numpy()
    assert np.abs(light[0] - expected[:1006, :1518, 0] / 65535).max() < 2e-4
    assert np.abs(light[2] - expected[1:1007, 1:1519, 2] / 65535).max() < 2e-4
    assert displayed(reference[:, :100, :60], source).shape == (3, 60, 100)


def test_camera_without_a_matrix(tmp_path):
    """LibRaw's table of cameras is used instead of the file's matrix."""
    write_dng(tmp_path / "a.dng", scene(60, 80))
    embedded = read_sensor(tmp_path / "a.dng").to_srgb
    derived = _to_srgb(np.zeros((3, 3)), np.array(MATRIX[::2]).reshape(3, 3) / 10000)
    assert derived is not None
    assert derived.sum(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-6)  # white stays white
    assert torch.allclose(derived, embedded, atol=1e-3)  # made by LibRaw of the same ColorMatrix


@needs_raw
def test_daylight():
    source = read_sensor(RAW / "emubayer_test.dng")
    with rawpy.imread(str(RAW / "emubayer_test.dng")) as raw:
        assert raw.camera_whitebalance[0] == 0
        daylight = torch.tensor(raw.daylight_whitebalance[:3])
    assert torch.allclose(source.gains, daylight / daylight.min())
    assert source.light.shape == (1024, 1024)
