"""Baselines: the networks' own degraded photographs, an unbiased inverse transform, scores kept and resumed."""

import sys

import numpy as np
import pytest
import scipy.integrate
import skimage.data
import torch
from PIL import Image

from restoration.datasets.photos import PackedSet
from restoration.errors import UserError
from restoration.files import write_text
from restoration.scoring import baselines
from restoration.scoring.anscombe import Anscombe
from restoration.scoring.baselines import baselines_for, denoised, score_baselines
from restoration.scoring.evaluate import degraded_photo, noise_of
from restoration.scoring.protocol import Protocol
from restoration.study.runs import Run, read_own_scores, write_scores
from restoration.study.tables import build_tables
from restoration.tasks import JPEG, Demosaic, SuperResolution
from scripts.train import score_runs, scoring
from tests.conftest import packed

CPU = torch.device("cpu")
A, B = 0.005, 0.0001


def as_tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255


def psnr(restored: torch.Tensor, image: torch.Tensor) -> float:
    return float(-10 * (restored.clamp(0, 1) - image).square().mean().log10())


def test_tasks_have_the_papers_baselines():
    assert list(baselines_for(Demosaic())) == ["malvar", "menon", "bm3d"]
    assert list(baselines_for(SuperResolution())) == ["bicubic"]
    assert baselines_for(JPEG()) == {}


@pytest.mark.parametrize("scale", [2, 3])
def test_bicubic_is_pillows_enlargement_of_the_low_resolution_file(photo, scale):
    """97 x 82 is a multiple of neither scale: the enlarged image is cut back."""
    task = SuperResolution(scale=scale)
    restored = baselines_for(task)["bicubic"](as_tensor(photo), torch.Generator())
    small = task.record(photo)
    size = (scale * small.shape[1], scale * small.shape[0])
    planes = (Image.fromarray(small[..., channel].astype(np.float32)) for channel in range(3))
    theirs = np.stack([np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes])[:, :97, :82]
    assert restored.numpy() == pytest.approx(theirs.clip(0, 255) / 255, abs=1e-5)
    assert psnr(restored, as_tensor(photo)) > psnr(task.degrade(as_tensor(photo), torch.Generator()), as_tensor(photo))


@pytest.mark.parametrize("name", ["malvar", "menon"])
@pytest.mark.parametrize("size", [(96, 82), (97, 81)])
def test_demosaicking_improves_on_bilinear_at_any_size(name, size):
    pytest.importorskip("colour")
    image = as_tensor(skimage.data.astronaut()[60 : 60 + size[0], 180 : 180 + size[1]])
    task = Demosaic(a=0, b=0)
    restored = baselines_for(task)[name](image, torch.Generator())
    assert restored.shape == image.shape
    assert psnr(restored, image) > psnr(task.degrade(image, torch.Generator()), image) + 1


def test_baselines_and_networks_meet_the_same_noise(photo):
    """Malvar's method keeps what was measured, and so does the bilinear interpolation of the input."""
    pytest.importorskip("colour")
    photos = packed(photo)
    degraded, target = degraded_photo(Demosaic(), photos, 0, CPU)
    restored = baselines_for(Demosaic())["malvar"](target, noise_of("0.png"))
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        site = (channel, slice(row, None, 2), slice(column, None, 2))
        assert torch.allclose(restored[site], degraded[site], atol=1e-7)
        assert not torch.equal(degraded[site], target[site])


@pytest.mark.parametrize("y", [0.0, 0.003, 0.02, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("noise", [(A, B), (0.02, 1e-5), (0, 0.01)])
def test_the_inverse_is_unbiased_for_gaussian_noise_of_variance_ay_plus_b_that_is_clipped(y, noise):
    """The mean of f over the noise, by SciPy's adaptive quadrature of the definition."""
    transform = Anscombe(*noise)
    a, b = noise
    sigma = (a * y + b) ** 0.5

    def weighted(n: float) -> float:
        noisy = np.array(min(max(y + sigma * n, 0), 1))
        return float(transform.forward(noisy)) * np.exp(-(n**2) / 2) / (2 * np.pi) ** 0.5

    kinks = [n for n in (-y / sigma, (1 - y) / sigma) if abs(n) < 9]
    mean, _ = scipy.integrate.quad(weighted, -9, 9, limit=200, epsabs=1e-10, points=kinks)
    assert float(transform.inverse(np.array(mean))) == pytest.approx(y, abs=1e-4)
    algebraic = (mean * a / 2) ** 2 / a - 0.375 * a - b / a if a else mean * b**0.5
    if a and y == 0.5:  # (E f)² = E f² - var f, and var f is about 1: the bias that the table takes away
        assert algebraic - y == pytest.approx(-a / 4, rel=0.1)
    if y == 1:  # half of the noise is cut off
        assert algebraic - y == pytest.approx(-sigma * 0.4, rel=0.1)


def test_the_transform_makes_the_noise_one():
    transform = Anscombe(A, B)
    normal = np.random.default_rng(0).standard_normal(400_000)
    for y, tolerance in ((0.0, 0.1), (0.05, 0.03), (0.3, 0.01), (1.0, 0.01)):
        noisy = y + (A * y + B) ** 0.5 * normal
        assert transform.forward(noisy).std() == pytest.approx(1, abs=tolerance)
    constant = Anscombe(0, 0.0004)
    assert constant.forward(0.3 + 0.02 * normal).std() == pytest.approx(1, abs=0.01)
    assert constant.inverse(constant.forward(np.array([0.3]))) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="variance a y \\+ b > 0"):
        Anscombe(0, 0)


def test_planes_are_denoised_apart_and_put_back():
    """A denoiser that averages a plane restores four flat planes of different levels, of odd sizes."""
    levels = np.empty((101, 121))
    for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        levels[row::2, column::2] = 0.15 + 0.2 * number
    noise = np.random.default_rng(0).standard_normal(levels.shape)
    noisy = levels + (A * levels + B) ** 0.5 * noise
    seen = []

    def average(plane: np.ndarray, sigma: float) -> np.ndarray:
        seen.append((plane.shape, float(plane.std() / sigma)))
        return np.full_like(plane, plane.mean())

    clean = denoised(noisy, Demosaic(a=A, b=B), average)
    assert clean == pytest.approx(levels, abs=0.004)  # 3000 pixels: the standard error is 0.001
    assert [shape for shape, _ in seen] == [(51, 61), (51, 60), (50, 61), (50, 60)]
    assert [ratio for _, ratio in seen] == pytest.approx([1] * 4, abs=0.05)
    assert denoised(levels, Demosaic(a=0, b=0), average) is levels


def test_bm3d_removes_noise_that_demosaicking_keeps():
    pytest.importorskip("bm3d")
    image = as_tensor(skimage.data.astronaut()[60:157, 180:262])
    both = {name: baselines_for(Demosaic())[name](image, noise_of("a")) for name in ("menon", "bm3d")}
    assert both["bm3d"].shape == image.shape
    assert psnr(both["bm3d"], image) > psnr(both["menon"], image) + 2


@pytest.mark.parametrize(("name", "module"), [("menon", "colour_demosaicing"), ("bm3d", "bm3d")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(photo, monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"needs {module}, .*pip install -e '\.\[baselines\]'"):
        baselines_for(Demosaic())[name](as_tensor(photo), torch.Generator())


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Two baselines of super-resolution, and the names of those that have been computed, in order."""
    calls: list[str] = []

    def named(name: str):
        def baseline(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            calls.append(name)
            return SuperResolution().degrade(image, generator)

        return baseline

    monkeypatch.setattr(baselines, "baselines_for", lambda task: {name: named(name) for name in ("bicubic", "bm3d")})
    return calls


def test_baselines_are_scored_once_resumed_and_shown_when_complete(photo, tmp_path, counted):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    photo_set, task = PackedSet(photos, photos, {"set": photos}), SuperResolution()
    runs = [Run(tmp_path, "data", "quick", "sr", loss, 0) for loss in ("l1", "mix")]
    score_runs(dict.fromkeys(runs, torch.nn.Identity()), task, photo_set, Protocol(), CPU)
    for run in runs:
        write_text(run.folder / "provenance.json", PROVENANCE)
    how = scoring(task, photo_set, Protocol())

    def steps(run: Run, how=how):
        return score_baselines(run, task, photo_set, how, protocol=Protocol(), device=CPU)

    def columns() -> tuple[str, ...]:
        (table,) = build_tables(runs, input_titles={"sr": "Bilinear"})
        return table.columns

    assert columns() == ("Bilinear", "L1", "Mix")
    interrupted = steps(runs[0])
    assert [next(interrupted) for _ in range(3)] == ["bicubic on set"] * 2 + ["bm3d on set"]
    interrupted.close()
    assert columns() == ("Bilinear", "Bicubic", "L1", "Mix")  # BM3D lacks a photograph
    assert len(list(steps(runs[1]))) == 4  # another run, scored in the same way
    assert counted == ["bicubic", "bicubic", "bm3d", "bm3d"]
    (table,) = build_tables(runs, input_titles={"sr": "Bilinear"})
    assert table.columns == ("Bilinear", "Bicubic", "BM3D", "L1", "Mix")
    for row in table.means:
        assert row == pytest.approx(row[[0]].repeat(5), nan_ok=True)  # all of them are the degraded input

    list(steps(runs[0], {**how, "protocol": "another"}))
    assert len(counted) == 8
    assert build_tables(runs, input_titles={"sr": "Bilinear"})[0].means == pytest.approx(table.means, nan_ok=True)


def test_scores_are_read_as_they_were_written(tmp_path, photo):
    run = Run(tmp_path, "data", "quick", "sr", "l1", 0)
    assert read_own_scores(run) == {}
    scores = {"set": [baselines.Score("l1", "a, b.png", "psnr", 1 / 3), baselines.Score("l1", "c.png", "l1", 1e-17)]}
    write_scores(run, scores, {})
    assert read_own_scores(run) == scores


PROVENANCE = """{"commit": "abc", "hardware": "abacus", "precision": "fp32", "photographs": {"train": 7},
"training_photographs_hash": "0123456789abcdef", "patches_seen": 98304, "batch": 8}"""
