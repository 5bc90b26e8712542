"""The curve of the loss equals that of the plainest code, to 1e-6 over 50 steps.

The reference draws patches one by one from whole degraded photographs, takes the losses from their formulas with
autograd, and steps with the simplest Adam. Both curves are computed in float64: rounding errors of float32 grow tenfold
every few steps, so that two float32 curves agree to 1e-6 for a few steps only.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.datasets.photos import PackedPhotos
from restoration.losses import paper as losses
from restoration.tasks import JPEG, Demosaic, SuperResolution, Task
from restoration.training.budget import Budget
from restoration.training.patches import AT_ONCE, PATCH, PatchSampler
from restoration.training.train import train
from tests.conftest import packed
from tests.tasks.test_tasks import stored_photos
from tests.training.runs import LOSS, NoValidation, scalars

STEPS = 50
BUDGET = Budget(patches=2 * STEPS, batch=2, learning_rate=1e-3, validations=1)
C1, C2 = 0.01**2, 0.03**2


def small_network() -> nn.Module:
    """Ten times as fast as the paper's; tests/networks has that one."""
    return nn.Sequential(nn.Conv2d(3, 6, 5, padding=2), nn.PReLU(6), nn.Conv2d(6, 3, 3, padding=1))


def plain_batches(task: Task, photos: PackedPhotos):
    """Batches of the random numbers that the sampler draws, made without the sampler."""
    generator = torch.Generator().manual_seed(0)
    while True:
        draws = torch.randint(2**40, (3, AT_ONCE), generator=generator).tolist()
        side = PATCH + 2 * task.margin
        noise = torch.zeros(AT_ONCE, side, side)
        if isinstance(task, Demosaic):
            noise.normal_(generator=generator)
        pairs = [
            plain_patch(task, photos, *draw, noise[number]) for number, draw in enumerate(zip(*draws, strict=True))
        ]
        for start in range(0, AT_ONCE, BUDGET.batch):
            degraded, target = zip(*pairs[start : start + BUDGET.batch], strict=True)
            yield torch.stack(degraded), torch.stack(target)


def plain_patch(task: Task, photos: PackedPhotos, one: int, two: int, three: int, noise: Tensor):
    image = photos.image(one % len(photos))
    height, width = image.shape[1:]
    top = task.margin + two % (height - PATCH - 2 * task.margin + 1)
    left = task.margin + three % (width - PATCH - 2 * task.margin + 1)
    inside = (slice(None), slice(top, top + PATCH), slice(left, left + PATCH))
    if isinstance(task, Demosaic):
        return plain_demosaic(task, image, top, left, noise)[inside], image[inside]
    return task.degrade(image, torch.Generator())[inside], image[inside]


def plain_demosaic(task: Demosaic, image: Tensor, top: int, left: int, noise: Tensor) -> Tensor:
    """The whole photograph, with this noise around this patch and none elsewhere."""
    everywhere = torch.zeros(image.shape[1:])
    everywhere[top - 1 : top + PATCH + 1, left - 1 : left + PATCH + 1] = noise
    samples, mask = torch.zeros_like(image), torch.zeros_like(image)
    for colour, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        mask[colour, row::2, column::2] = 1
    clean = (image * mask).sum(dim=0)
    samples = mask * (clean + (task.a * clean + task.b).sqrt() * everywhere).clamp(0, 1)
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).expand(3, 1, 3, 3)
    mean = functional.conv2d(samples, kernel, padding=1, groups=3) / functional.conv2d(
        mask, kernel, padding=1, groups=3
    )
    return torch.where(mask == 1, samples, mean)


def plain_loss(name: str, x: Tensor, y: Tensor) -> Tensor:
    """From the formulas, per patch and colour."""
    if name == "l2":
        return (x - y).square().mean()
    if name == "l1":
        return (x - y).abs().mean()
    sigmas = (5.0,) if name == "ssim5" else losses.SIGMAS
    offsets = torch.arange(PATCH, dtype=x.dtype) - PATCH // 2
    product = 1
    for sigma in sigmas:
        weights = torch.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
        weights = weights / weights.sum()
        mu_x, mu_y = ((weights * image).sum(dim=(2, 3), keepdim=True) for image in (x, y))
        var_x, var_y = ((weights * (image - mu).square()).sum(dim=(2, 3)) for image, mu in ((x, mu_x), (y, mu_y)))
        cov = (weights * (x - mu_x) * (y - mu_y)).sum(dim=(2, 3))
        product = product * (2 * cov + C2) / (var_x + var_y + C2)
    mu_x, mu_y = mu_x[..., 0, 0], mu_y[..., 0, 0]
    structure = 1 - (product * (2 * mu_x * mu_y + C1) / (mu_x**2 + mu_y**2 + C1)).mean()
    if name == "mix":
        return 0.84 * structure + 0.16 * 255 * (weights * (x - y).abs()).sum(dim=(2, 3)).mean()
    if name == "ms_ssim_l2":
        return 0.1 * structure + 0.9 * (weights * (x - y).square()).sum(dim=(2, 3)).mean() / 2
    return structure


def plain_curve(task: Task, loss: str, photos: PackedPhotos, dtype: torch.dtype) -> np.ndarray:
    torch.manual_seed(0)
    model = small_network().to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99), foreach=False, fused=False)
    curve = []
    for step, (degraded, target) in zip(range(STEPS), plain_batches(task, photos), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = BUDGET.learning_rate_at(step)
        value = plain_loss(loss, model(degraded.to(dtype)), target.to(dtype))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        curve.append(float(value.detach()))
    return np.array(curve)


class Sampler(PatchSampler):
    """Batches in another precision."""

    dtype: torch.dtype

    def sample(self) -> tuple[Tensor, Tensor]:
        degraded, target = super().sample()
        return degraded.to(self.dtype), target.to(self.dtype)


def our_curve(task: Task, loss: nn.Module, photos: PackedPhotos, dtype: torch.dtype, folder: Path) -> np.ndarray:
    torch.manual_seed(0)
    model = small_network().to(dtype, memory_format=torch.channels_last)
    sampler = Sampler(task, photos, stored_photos(task, photos), BUDGET.batch, torch.Generator().manual_seed(0))
    sampler.dtype = dtype
    train(
        model,
        loss,
        torch.optim.Adam(model.parameters(), betas=(0.9, 0.99), fused=True),
        sampler,
        NoValidation(),
        BUDGET,
        folder=folder,
        identity={},
        bf16=False,
        log_steps=1,
    )
    curve = np.array(list(scalars(folder, LOSS).values()))
    assert len(curve) == STEPS
    return curve


CASES = [
    (Demosaic(), "mix", losses.MixLoss()),
    (Demosaic(), "l2", losses.L2Loss()),
    (SuperResolution(), "ssim5", losses.SSIMLoss()),
    (Demosaic(), "ms_ssim_l2", losses.MSSSIML2Loss()),
    (JPEG(), "l1", losses.L1Loss()),
    (JPEG(), "ms_ssim", losses.MSSSIMLoss()),
]


@pytest.mark.parametrize(("task", "name", "loss"), CASES, ids=[case[1] for case in CASES])
def test_curve_in_float64(photo, tmp_path, task, name, loss):
    photos = packed(photo, photo[::-1, :-1].copy())
    curve = our_curve(task, loss, photos, torch.float64, tmp_path)
    np.testing.assert_allclose(curve, plain_curve(task, name, photos, torch.float64), rtol=1e-6)


def test_curve_in_float32_begins_alike(photo, tmp_path):
    photos = packed(photo)
    curve = our_curve(Demosaic(), losses.MixLoss(), photos, torch.float32, tmp_path)
    np.testing.assert_allclose(curve[:5], plain_curve(Demosaic(), "mix", photos, torch.float32)[:5], rtol=1e-6)
