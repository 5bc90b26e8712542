"""Degradations: truth on whole images, patches that equal crops of them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from restoration.datasets.photos import PackedPhotos
from restoration.tasks import JPEG, Demosaic, SuperResolution
from restoration.training.patches import PatchSampler
from tests.conftest import packed

NOISELESS = Demosaic(a=0, b=0)
TASKS = [
    NOISELESS,
    SuperResolution(),
    SuperResolution(filter="area"),
    SuperResolution(filter="lanczos"),
    SuperResolution(scale=3),
    SuperResolution(scale=4, filter="bilinear"),
    JPEG(),
    JPEG(quality=90, subsampling="4:4:4"),
]


def recorded(task, photos: PackedPhotos) -> PackedPhotos:
    if not task.records:
        return photos
    return packed(*(task.record(photos.array(index)) for index in range(len(photos))))


def as_tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_patches_equal_crops_of_the_degraded_photograph(task, photo):
    """At every Bayer phase and offset parity, and up to the edges of photographs of odd and even sizes."""
    photos = packed(photo, np.ascontiguousarray(photo[:64, :70]))
    generator = torch.Generator()
    tolerance = 1e-6 if getattr(task, "scale", 2) == 2 else 1e-5  # 1/3 and 1/4 of a pixel are rounded in float32
    for index in range(len(photos)):
        whole = task.degrade(photos.image(index), generator)
        height, width = photos.sizes[index].tolist()
        last_row, last_column = height - 31 - task.margin, width - 31 - task.margin
        corners = [
            (row, column)
            for row in {task.margin, task.margin + 1, 10, 11, 12, last_row - 1, last_row}
            for column in {task.margin, task.margin + 1, 20, 21, 22, last_column - 1, last_column}
        ]
        top, left = torch.tensor(corners).T
        places = (torch.full_like(top, index), top, left)
        patches, targets = task.patches(photos, recorded(task, photos), places, 31, torch.Generator().manual_seed(0))
        for patch, target, (row, column) in zip(patches, targets, corners, strict=True):
            crop = (..., slice(row, row + 31), slice(column, column + 31))
            assert (patch - whole[crop]).abs().max() <= tolerance
            assert torch.equal(target, photos.image(index)[crop])


@pytest.mark.parametrize("task", [Demosaic(), SuperResolution(), JPEG()], ids=repr)
def test_sampled_targets_are_crops_and_inputs_belong_to_them(task, photo):
    photos = packed(photo, np.ascontiguousarray(photo[::-1]))
    sampler = PatchSampler(task, photos, recorded(task, photos), 64, torch.Generator().manual_seed(0))
    degraded, target = sampler.sample()
    assert degraded.shape == target.shape == (64, 3, 31, 31)
    assert degraded.dtype == target.dtype == torch.float32
    windows = torch.stack([photos.image(0), photos.image(1)]).unfold(2, 31, 1).unfold(3, 31, 1)
    windows = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 31, 31)
    for patch in target[:8]:
        assert (windows == patch).flatten(1).all(dim=1).any()
    error, shuffled = (degraded - target).abs().mean(), (degraded - target.roll(1, dims=0)).abs().mean()
    assert error < shuffled / 2


@pytest.mark.parametrize("task", [Demosaic(), SuperResolution(), SuperResolution(scale=3), JPEG()], ids=repr)
def test_degraded_images_keep_size_range_and_seed(task, photo):
    image = as_tensor(photo)
    first, again, other = (task.degrade(image, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == image.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert torch.equal(first, other) == task.records  # only the noise of demosaic is random


def test_mosaic_keeps_measured_colours_and_averages_the_others(photo):
    image = as_tensor(photo)
    restored = NOISELESS.degrade(image, torch.Generator())
    red, green, blue = image
    assert torch.equal(restored[0, ::2, ::2], red[::2, ::2])
    assert torch.equal(restored[1, ::2, 1::2], green[::2, 1::2])
    assert torch.equal(restored[1, 1::2, ::2], green[1::2, ::2])
    assert torch.equal(restored[2, 1::2, 1::2], blue[1::2, 1::2])
    row, column = 10, 20  # a red site
    neighbours = [green[row - 1, column], green[row + 1, column], green[row, column - 1], green[row, column + 1]]
    assert restored[1, row, column] == pytest.approx(float(sum(neighbours)) / 4, abs=1e-6)
    diagonal = [blue[row + i, column + j] for i in (-1, 1) for j in (-1, 1)]
    assert restored[2, row, column] == pytest.approx(float(sum(diagonal)) / 4, abs=1e-6)
    assert restored[0, row, column + 1] == pytest.approx(float(red[row, column] + red[row, column + 2]) / 2, abs=1e-6)


@pytest.mark.parametrize("level", [0.2, 0.5])
@pytest.mark.parametrize("path", ["whole", "patches"])
def test_noise_variance_is_a_y_plus_b(level, path):
    task = Demosaic()
    grey = np.full((256, 256, 3), round(level * 255), dtype=np.uint8)
    level = round(level * 255) / 255
    generator = torch.Generator().manual_seed(0)
    if path == "whole":
        measured = task.degrade(as_tensor(grey), generator)[0, ::2, ::2]  # red where red was measured
    else:
        top = left = torch.full((64,), 100)
        photos = packed(grey)
        measured = task.patches(photos, photos, (torch.zeros_like(top), top, left), 31, generator)[0][:, 0, ::2, ::2]
    assert float(measured.mean()) == pytest.approx(level, abs=0.002)
    assert float(measured.var()) == pytest.approx(0.005 * level + 0.0001, rel=0.05)


def test_jpeg_is_what_a_saved_file_holds(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=25)  # Pillow's default subsampling is 4:2:0
    decoded = np.asarray(Image.open(file))
    assert np.array_equal(JPEG().record(photo), decoded)
    assert torch.equal(JPEG().degrade(as_tensor(photo), torch.Generator()), as_tensor(decoded))


def test_low_resolution_image_is_what_a_saved_file_holds(photo):
    """Pillow's bicubic is antialiased with the same kernel; it rounds to 8 bits between its two passes."""
    even = np.ascontiguousarray(photo[:96])
    theirs = np.asarray(Image.fromarray(even).resize((41, 48), Image.Resampling.BICUBIC)).astype(int)
    ours = SuperResolution().record(even).astype(int)
    inside = (slice(2, -2), slice(2, -2))  # at the edges Pillow renormalises its kernel
    assert np.abs(ours - theirs)[inside].max() <= 1
    assert (ours == theirs)[inside].mean() > 0.8


def test_enlargement_stays_aligned(photo):
    """A linear ramp passes reduction and enlargement unchanged, but for rounding: no half-pixel shift."""
    ramp = torch.linspace(0.2, 0.8, 97)[None, None, :].expand(3, 60, 97).contiguous()
    for scale in (2, 3, 4):
        degraded = SuperResolution(scale=scale).degrade(ramp, torch.Generator())
        inside = slice(4 * scale, -4 * scale)
        assert (degraded - ramp)[..., inside, inside].abs().max() <= 0.51 / 255


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JPEG(quality=0), "quality runs from 1 to 95"),
        (lambda: SuperResolution(scale=1), "at least 2"),
        (lambda: SuperResolution(filter="magic"), "bicubic, bilinear, lanczos, area"),
        (lambda: Demosaic(a=-1), "not negative"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
