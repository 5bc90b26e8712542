"""A synthetic scene and sensor: noise, versions and scores equal those computed by brute force."""

import json

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.scoring.evaluate import noise_of
from restoration.sensor import Sensor, binned, decoded, displayed, encoded, estimated_noise, mosaic, noisy
from restoration.study import observations
from restoration.study.observations import (
    Observation,
    as_it_is,
    bm3d_once,
    reference_floor,
    restorations,
    with_reference,
)
from restoration.study.raw import COLUMNS, CROP, crops, pictures, score_file, tile_scores, write_raw
from restoration.study.runs import read_table
from restoration.tasks import Demosaic
from restoration.tasks.demosaic import interpolated, mosaic_of
from tests.test_raw import write_dng

CPU = torch.device("cpu")
TRAINED = Demosaic()
LEVELS = [(0.001, 0.00002), (0.01, 0.0002)]


def scene() -> Tensor:
    """A photograph's light, (3, 200, 400)."""
    pixels = skimage.data.astronaut()[:200, :400]
    return decoded(torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255) * 0.8


def sensor_of(light: Tensor, gains: tuple[float, float, float] = (1.0, 1.0, 1.0), turns: int = 0) -> Sensor:
    """A sensor with one colour in each block of 2 x 2 pixels; averaging the blocks gives `light` again."""
    quads = light.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    return Sensor(light=mosaic_of(quads)[0], gains=torch.tensor(gains), to_srgb=torch.eye(3), turns=turns)


def seen(sensor: Sensor) -> list[Observation]:
    return list(with_reference(sensor, "a", levels=LEVELS, trained=TRAINED))


@pytest.mark.parametrize(("a", "b"), [(0.001, 0.00002), (0.01, 0.0001), (0.0, 0.0001), (0.00005, 0.000001)])
def test_estimated_noise(a, b):
    """A slope of light from dark to bright; a step and a stripe must not count as noise."""
    light = torch.linspace(0.05, 0.8, 800).repeat(600, 1)
    light[200:] *= 0.7
    light[:, 300:310] = 0.9
    source = Sensor(light=light, gains=torch.ones(3), to_srgb=torch.eye(3))
    estimated_a, estimated_b = estimated_noise(noisy(source, a=a, b=b, generator=noise_of("a")).light)
    for y in (0.1, 0.3, 0.6):
        assert estimated_a * y + estimated_b == pytest.approx(a * y + b, rel=0.12)


def test_clipped_photograph_has_no_noise():
    assert estimated_noise(torch.ones(200, 200)) == (0, 0)


def test_noise_in_light():
    light = scene()
    weak, strong, control = seen(sensor_of(light, (1.25, 1, 1.1)))
    assert [one.name for one in (weak, strong, control)] == [
        "raw-light-0.001-2e-05",
        "raw-light-0.01-0.0002",
        "raw-encoded-0.005-0.0001",
    ]
    bright = (mosaic_of(light)[0] > 0.15) & (mosaic_of(light)[0] < 0.6)  # nothing is clipped there
    y = mosaic_of(light)[0][bright]
    for one, (a, b) in zip((weak, strong), LEVELS, strict=True):
        assert torch.allclose(one.reference, encoded((light * torch.tensor([1.25, 1, 1.1])[:, None, None]).clamp(0, 1)))
        noise = one.seen.light[bright] - y
        assert (noise / (a * y + b).sqrt()).std() == pytest.approx(1, abs=0.02)
        assert torch.equal(one.values, mosaic(one.seen)[0])
    assert torch.equal(weak.values, seen(sensor_of(light, (1.25, 1, 1.1)))[0].values)  # the same in every call
    assert control.seen is None
    by_task = TRAINED.degrade(control.reference, noise_of(f"a {control.name}"))
    assert torch.equal(interpolated(control.values[None]), by_task)


def test_denoiser_knows_the_noise():
    """BM3D as an oracle that knows the scene: on light it restores the encoded mosaic exactly."""
    light = scene()
    weak, _, control = seen(sensor_of(light, (1.25, 1, 1.1)))
    told = []

    def oracle(values: Tensor, a: float, b: float) -> Tensor:
        told.append((values, a, b))
        return mosaic_of(light)[0]

    clean = weak.denoised(oracle)
    assert torch.allclose(clean, mosaic_of(weak.reference)[0], atol=1e-6)
    assert torch.equal(told[0][0], weak.seen.light)
    assert told[0][1:] == LEVELS[0]
    control.denoised(oracle)
    assert torch.equal(told[1][0], control.values)
    assert told[1][1:] == (TRAINED.a, TRAINED.b)


def test_versions_share_the_mosaic():
    pytest.importorskip("colour")
    weak = seen(sensor_of(scene()))[0]
    told = []

    def nothing(values: Tensor, a: float, b: float) -> Tensor:
        told.append((a, b))
        return values

    networks = {("l1", 0): nn.Identity(), ("l1", 1): nn.Identity()}
    versions = dict(restorations(weak, networks, trained=TRAINED, denoise=nothing, device=CPU))
    assert list(versions) == [("input", 0), ("l1", 0), ("l1", 1), ("menon", 0), ("bm3d", 0), ("bm3d_blind", 0)]
    assert told == [LEVELS[0], (TRAINED.a, TRAINED.b)]
    exact = interpolated(weak.values[None])
    assert (versions["input", 0].float() / 255 - exact).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(versions["l1", 1], versions["input", 0])
    assert torch.equal(versions["bm3d", 0], versions["menon", 0])  # nothing was denoised
    assert torch.equal(versions["bm3d_blind", 0], versions["menon", 0])
    assert not torch.equal(versions["menon", 0], versions["input", 0])
    bare = dict(restorations(weak, networks, trained=TRAINED, denoise=None, device=CPU))
    assert list(bare) == [("input", 0), ("l1", 0), ("l1", 1)]


def test_bm3d_results_are_kept(tmp_path, monkeypatch):
    planes = []

    def averaging(plane: np.ndarray, sigma: float) -> np.ndarray:
        planes.append(plane.shape)
        return np.full_like(plane, plane.mean())

    monkeypatch.setattr(observations, "bm3d", lambda: averaging)
    monkeypatch.setattr(observations, "version", lambda package: "1")
    values = torch.full((20, 24), 0.25) + 0.01 * torch.randn(20, 24, generator=noise_of("a"))
    denoise = bm3d_once(tmp_path)
    clean = denoise(values, 0.005, 0.0001)
    assert clean.numpy() == pytest.approx(0.25, abs=0.01)
    assert len(planes) == 4
    assert torch.equal(bm3d_once(tmp_path)(values, 0.005, 0.0001), clean)
    assert len(planes) == 4
    for changed in ((values, 0.006, 0.0001), (values, 0.005, 0.0002), (values + 0.001, 0.005, 0.0001)):
        denoise(*changed)
    assert len(planes) == 16
    assert len(list(tmp_path.iterdir())) == 4  # nothing unfinished


def test_bm3d_denoises_light():
    pytest.importorskip("bm3d")
    pytest.importorskip("colour")
    source = binned(sensor_of(scene()[:, 60:156, 180:276], (1.25, 1, 1.1)))
    light = noisy(source[0], a=0.01, b=0.0002, generator=noise_of("a"))
    strong = Observation(name="", values=mosaic(light)[0], a=0.01, b=0.0002, seen=light, reference=source[1])

    def error(image: Tensor) -> float:
        return float((image - mosaic_of(strong.reference)[0]).square().mean())

    denoise = observations.bm3d()

    def by_bm3d(values: Tensor, a: float, b: float) -> Tensor:
        clean = observations.denoised(values.double().numpy(), Demosaic(a=a, b=b), denoise)
        return torch.from_numpy(clean).float()

    assert error(strong.denoised(by_bm3d)) < error(strong.values) / 2


def test_tile_scores():
    reference = encoded(scene())
    versions = {("input", 0): (reference * 255).round().byte(), ("l1", 3): (reference * 0.9 * 255).round().byte()}
    records = tile_scores(versions, reference, "a", "raw-light-x")
    assert list(records) == COLUMNS
    assert sorted(records["image"].unique()) == ["a row 0 column 0", "a row 0 column 192"]
    assert set(records["task"]) == {"demosaic"}
    exact = (reference * 255).round() / 255
    for left in (0, 192):  # 8 rows and 16 columns are left over
        tile = (..., slice(0, 192), slice(left, left + 192))
        expected = -10 * (versions["l1", 3][tile].float() / 255 - exact[tile]).square().mean().log10()
        row = records.query(f"loss == 'l1' and metric == 'psnr' and image == 'a row 0 column {left}'")
        assert row["value"].item() == pytest.approx(expected.item(), abs=1e-3)
        assert row["seed"].item() == 3
    assert records.query("loss == 'input' and metric == 'ssim'")["value"].tolist() == [1, 1]
    assert records["value"].notna().all()


def test_file_as_it_is(monkeypatch):
    monkeypatch.setattr(observations, "CENTRE", (100, 200))
    source = sensor_of(scene()[:, :61], (1.25, 1, 1.1))  # 122 rows: 11 too many at either end, of which 10 keep RGGB
    whole = as_it_is(source)
    assert whole.reference is None
    assert torch.equal(whole.seen.light, source.light[10:110, 300:500])
    assert torch.equal(whole.values, mosaic(source)[0, 10:110, 300:500])


def test_pictures_and_crops():
    source = sensor_of(scene(), turns=1)
    weak = seen(source)[0]
    plain = (weak.reference * 255).round().byte()
    spotted = plain.clone()
    spotted[:, 120:140, 300:320] = 255
    versions = {("input", 0): plain, ("l1", 0): plain, ("l1", 1): spotted, ("mix", 0): spotted}
    images = pictures(versions, weak, source)
    assert list(images) == ["input", "l1", "mix", "reference"]
    assert images["l1"].shape == (400, 200, 3)
    expected = (displayed(plain.float() / 255, source) * 255).round().byte().permute(1, 2, 0).numpy()
    assert (images["l1"] == expected).all()  # of its first seed
    (crop,) = crops(images, count=1)
    assert list(crop) == ["input", "l1", "mix", "reference"]
    assert crop["mix"].shape == (CROP, CROP, 3)
    assert (crop["mix"] != crop["l1"]).sum() > 0.9 * (images["mix"] != images["l1"]).sum()
    blind = {name: image for name, image in images.items() if name != "reference"}
    (same,) = crops(blind, count=1)
    assert (same["mix"] != same["l1"]).sum() > 0.9 * (images["mix"] != images["l1"]).sum()
    assert list(crops({"input": images["mix"], "l1": images["l1"]}, count=1)[0]) == ["input", "l1"]


def test_reference_floor():
    """Green of white light is the mean of two: its noise is half; without a curve's slope the figure is by hand."""
    source = sensor_of(torch.full((3, 300, 300), 0.25))
    noise = noisy(source, a=0.001, b=0.00002, generator=noise_of("a"))
    slope = 1.055 / 2.4 * 0.25 ** (1 / 2.4 - 1)
    expected = -10 * np.log10(slope**2 * (0.001 * 0.25 + 0.00002) * (1 + 0.5 + 1) / 3)
    assert reference_floor(noise) == pytest.approx(expected, abs=0.5)


def test_small_file():
    with pytest.raises(UserError, match=r"a has 700 x 380 pixels; 384 or more"):
        seen(sensor_of(torch.rand(3, 190, 350)))


def test_file_is_scored_and_saved(tmp_path):
    """Scores, facts of test sets, notes and crops of a small file, by untrained networks."""
    path = tmp_path / "cat.dng"
    write_dng(path, sensor_of(scene()[:, :196, :196]).light[None].expand(3, -1, -1).numpy())
    told = []
    file = score_file(
        path,
        {("l1", 0): nn.Identity()},
        trained=TRAINED,
        levels=[(0.00125, 0.000025), (0.01, 0.0001)],
        denoise=None,
        device=CPU,
        announce=told.append,
    )
    write_raw(tmp_path, [file], ["a note"])
    assert read_table(tmp_path / "records.csv").equals(file.scores)
    assert set(file.scores["loss"]) == {"input", "l1"}
    facts = json.loads((tmp_path / "test_sets.json").read_text())
    assert facts == file.test_sets
    light, other, encoded_ = facts.values()
    noise = {"noise": "light", "noise_a": 0.00125, "noise_b": 0.000025}
    assert light == {"title": "Raw file, noise × 0.5 in light", **noise}
    assert other["title"] == "Raw file, noise a = 0.01, b = 0.0001 in light"
    assert (encoded_["noise"], encoded_["noise_a"]) == ("encoded", TRAINED.a)
    assert (tmp_path / "notes.txt").read_text().startswith("a note\ncat.dng: the noise of the file itself is estimated")
    assert list(file.crops["Raw file as it is, no. 1"]) == ["input", "l1"]
    assert len(file.crops) == 8
    assert told[-1] == "Raw file, the training's own noise: l1"
