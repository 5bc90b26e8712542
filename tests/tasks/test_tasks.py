"""Degradations of whole images are correct; patches equal crops of whole images, on every device."""

import io
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from scipy.ndimage import correlate
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from restoration.datasets.photos import PackedPhotos, PackedSet
from restoration.tasks import JPEG, Demosaic, SuperResolution, Task
from restoration.tasks.task import from_levels
from restoration.training.patches import PatchSampler
from scripts.train import training_sampler
from tests.conftest import packed

NOISELESS = Demosaic(a=0, b=0)
PAPER = [Demosaic(), SuperResolution(), JPEG()]


@dataclass(frozen=True)
class Darker(Task):
    """A task of a user: `degrade` alone, with noise."""

    factor: float = 0.5

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        return (self.factor * image + 0.1 * torch.rand(image.shape, generator=generator).to(image)).clamp(0, 1)


class Plain(Task):
    """A task whose settings are no dataclass fields."""

    def __init__(self, strength: float):
        self.strength = strength


def stored_photos(task: Task, photos: PackedPhotos) -> PackedPhotos:
    if not task.stores:
        return photos
    return packed(*(task.store(photos.array(index)) for index in range(len(photos))))


@pytest.mark.parametrize(
    "task",
    [
        NOISELESS,
        SuperResolution(),
        SuperResolution(filter="area"),
        SuperResolution(filter="lanczos"),
        SuperResolution(scale=3),
        SuperResolution(scale=4, filter="bilinear"),
        JPEG(quality=90, subsampling="4:4:4"),
    ],
    ids=repr,
)
def test_patches_equal_crops(task, photo, device):
    """At every Bayer phase and offset parity, and up to the edges of photographs of odd and even sizes."""
    photos = packed(photo, np.ascontiguousarray(photo[:64, :70]))
    tolerance = 1e-6 if getattr(task, "scale", 2) == 2 else 1e-5  # 1/3 and 1/4 of a pixel are rounded in float32
    clean, stored = photos.to(device), stored_photos(task, photos).to(device)
    for index in range(len(photos)):
        target = photos.image(index).to(device)
        whole = task.degrade(target, torch.Generator())
        assert whole.device.type == device.type
        height, width = photos.sizes[index].tolist()
        last_row, last_column = height - 31 - task.margin, width - 31 - task.margin
        corners = [
            (row, column)
            for row in {task.margin, task.margin + 1, 10, 11, 12, last_row - 1, last_row}
            for column in {task.margin, task.margin + 1, 20, 21, 22, last_column - 1, last_column}
        ]
        top, left = torch.tensor(corners, device=device).T
        places = (torch.full_like(top, index), top, left)
        patches, targets = task.patches(clean, stored, places, 31, torch.Generator(device))
        crops = [(..., slice(row, row + 31), slice(column, column + 31)) for row, column in corners]
        assert (patches - torch.stack([whole[crop] for crop in crops])).abs().max() <= tolerance
        assert torch.equal(targets, torch.stack([target[crop] for crop in crops]))


@pytest.mark.parametrize("task", [*PAPER, Darker()], ids=repr)
def test_sampled_patches(task, photo, device):
    """Targets are crops of the photographs, and each input resembles its target more than the next one."""
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    generator = torch.Generator(device).manual_seed(0)
    sampler = PatchSampler(task, photos.to(device), stored_photos(task, photos).to(device), 64, generator)
    degraded, target = (patches.cpu() for patches in sampler.sample())
    assert degraded.shape == target.shape == (64, 3, 31, 31)
    assert degraded.dtype == target.dtype == torch.float32
    crops = torch.cat([photos.image(index).unfold(1, 31, 1).unfold(2, 31, 1).flatten(1, 2) for index in (0, 1)], dim=1)
    for patch in target[:2]:
        assert (crops == patch[:, None]).all(dim=(0, 2, 3)).any()
    centred = degraded - degraded.mean(dim=(2, 3), keepdim=True)
    correlation, shuffled = ((centred * other).mean().item() for other in (target, target.roll(1, dims=0)))
    assert correlation > 2 * abs(shuffled)


@pytest.mark.parametrize("task", [*PAPER, SuperResolution(scale=3), Darker()], ids=repr)
def test_size_range_and_seed(task, photo, device):
    image = from_levels(photo).to(device)
    first, again, other = (task.degrade(image, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert (first.shape, first.device) == (image.shape, image.device)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert torch.equal(first, other) == isinstance(task, SuperResolution | JPEG)
    assert torch.allclose(first.cpu(), task.degrade(image.cpu(), torch.Generator().manual_seed(1)), atol=1 / 255)


def test_new_task(photo):
    """`degrade` alone makes a task: each photograph has its noise, the same in every run, and settings in its name."""
    task = Darker(factor=0.3)
    first, again, other = (task.store(pixels) for pixels in (photo, photo.copy(), np.ascontiguousarray(photo[::-1])))
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    noise, other_noise = (
        from_levels(stored) - 0.3 * from_levels(pixels) for stored, pixels in ((first, photo), (other, photo[::-1]))
    )
    assert not torch.allclose(noise, other_noise, atol=0.05)
    assert -0.01 <= noise.min() < noise.max() <= 0.11
    assert repr(Plain(0.5)) == "Plain(strength=0.5)"
    with pytest.raises(NotImplementedError, match=r"Plain must define degrade\(image, generator\)"):
        Plain(0.5).degrade(from_levels(photo), torch.Generator())


def test_changed_task_is_packed_again(photo, tmp_path, monkeypatch):
    """Packed photographs of a user's task depend on its code, not on its settings alone."""
    photos = packed(photo)
    config = {"task": {"_target_": "user_task.Darker"}, "packs": str(tmp_path), "seed": 0, "budget": {"batch": 4}}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    means = []
    for factor in ("0.5", "0.25"):
        lines = ["from restoration.tasks import Task", "class Darker(Task):", "    def degrade(self, image, _):"]
        (tmp_path / "user_task.py").write_text("\n".join([*lines, f"        return {factor} * image"]))
        monkeypatch.delitem(sys.modules, "user_task", raising=False)
        sampler = training_sampler(OmegaConf.create(config), PackedSet(photos, photos, {}), torch.device("cpu"))
        degraded, target = sampler.sample()
        means.append((degraded.mean() / target.mean()).item())
    assert means == pytest.approx([0.5, 0.25], abs=0.01)


@pytest.mark.parametrize("task", [Demosaic(), SuperResolution(), SuperResolution(filter="area")], ids=repr)
def test_fake_gpu(task):
    """Noise is always drawn on the CPU; everything else is computed on the device of the image."""
    with FakeTensorMode():
        degraded = task.degrade(torch.rand(3, 41, 50, device="cuda"), torch.Generator())
    assert degraded.device.type == "cuda"
    assert degraded.shape == (3, 41, 50)


def test_bilinear_demosaicking(photo):
    """Each colour is the mean of its samples in 3 x 3 pixels, with the weights 1, 1/2 and 1/4."""
    image = from_levels(photo).numpy()
    rows, columns = np.indices(image.shape[1:])
    red, blue = (rows % 2 == 0) & (columns % 2 == 0), (rows % 2 == 1) & (columns % 2 == 1)
    tent = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
    restored = NOISELESS.degrade(torch.from_numpy(image), torch.Generator()).numpy()
    for plane, interpolated, measured in zip(image, restored, (red, ~(red | blue), blue), strict=True):
        weights, sums = (correlate(1.0 * values, tent, mode="mirror") for values in (measured, measured * plane))
        assert interpolated == pytest.approx(np.where(measured, plane, sums / weights), abs=1e-6)


@pytest.mark.parametrize("level", [51, 128])
@pytest.mark.parametrize("path", ["whole", "patches"])
def test_noise_variance(level, path, device):
    """The variance is a y + b for measured values, such as red at red pixels, which are not averages."""
    task, grey = Demosaic(), np.full((256, 256, 3), level, dtype=np.uint8)
    if path == "whole":
        red = task.degrade(from_levels(grey).to(device), torch.Generator().manual_seed(0))[0, ::2, ::2]
    else:
        top = left = torch.full((64,), 100, device=device)
        photos = packed(grey).to(device)
        generator = torch.Generator(device).manual_seed(0)
        red = task.patches(photos, photos, (torch.zeros_like(top), top, left), 31, generator)[0][:, 0, ::2, ::2]
    assert float(red.mean()) == pytest.approx(level / 255, abs=0.002)
    assert float(red.var()) == pytest.approx(0.005 * level / 255 + 0.0001, rel=0.05)


def test_jpeg_file(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=25)  # Pillow's default subsampling is 4:2:0
    decoded = np.asarray(Image.open(file))
    assert np.array_equal(JPEG().store(photo), decoded)
    assert torch.equal(JPEG().degrade(from_levels(photo), torch.Generator()), from_levels(decoded))


def test_low_resolution_file(photo):
    """Pillow's bicubic is antialiased with the same kernel; it rounds to 8 bits between its two passes."""
    even = np.ascontiguousarray(photo[:96])
    theirs = np.asarray(Image.fromarray(even).resize((41, 48), Image.Resampling.BICUBIC)).astype(int)
    ours = SuperResolution().store(even).astype(int)
    inside = (slice(2, -2), slice(2, -2))  # at the edges Pillow renormalises its kernel
    assert np.abs(ours - theirs)[inside].max() <= 1
    assert (ours == theirs)[inside].mean() > 0.8


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_aligned_grids(scale):
    """A linear ramp passes reduction and enlargement unchanged, except for rounding: no half-pixel shift."""
    ramp = torch.linspace(0.2, 0.8, 97)[None, None, :].expand(3, 60, 97).contiguous()
    degraded = SuperResolution(scale=scale).degrade(ramp, torch.Generator())
    inside = slice(4 * scale, -4 * scale)
    assert (degraded - ramp)[..., inside, inside].abs().max() <= 0.51 / 255


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JPEG(quality=0), "quality must be from 1 to 95, got 0"),
        (lambda: SuperResolution(scale=1), "at least 2, got 1"),
        (lambda: SuperResolution(scale=2.5), "an integer of at least 2, got 2.5"),
        (lambda: SuperResolution(filter="magic"), "one of bicubic, bilinear, lanczos, area, got magic"),
        (lambda: Demosaic(a=-1), "must not be negative, got a=-1"),
    ],
)
def test_refused_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
