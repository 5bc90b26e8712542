"""The public `score`: pairs of images, accepted and refused inputs, the protocol, values that are not finite."""

import math

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from restoration.names import ARTEFACTS, METRICS
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import restore_image
from restoration.scoring import score as score_module
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score, score_versions

QUICK = ("psnr", "ssim", "l1")


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_pairs_and_one_image():
    """Each image has its own target; one image gives tensors without dimensions; equal images are perfect."""
    restored, target = random_images(3, 3, 40, 50), random_images(3, 3, 40, 50, seed=1)
    restored[2] = target[2]
    values = score(restored, target, metrics=QUICK)
    alone = [score(*pair, metrics=QUICK) for pair in zip(restored, target, strict=True)]
    assert list(values) == list(QUICK)
    for name in QUICK:
        assert torch.equal(values[name], torch.stack([one[name] for one in alone]))
        assert alone[0][name].shape == ()
    assert values["psnr"][2] == math.inf


@pytest.mark.parametrize("at_once", [2 * 161 * 165, 8_000_000])
def test_versions_of_one_photograph(monkeypatch, at_once):
    """A version's values depend neither on the other versions nor on the groups that fit into memory."""
    monkeypatch.setattr(score_module, "AT_ONCE", at_once)
    versions, target = random_images(3, 3, 161, 165), random_images(3, 161, 165, seed=1)
    shared, repeated = score(versions, target), score(versions, target.expand_as(versions))
    assert list(shared) == list(ALL_METRICS)
    for name in ALL_METRICS:
        assert shared[name].tolist() == pytest.approx(repeated[name].tolist(), rel=1e-12, nan_ok=True), name


def test_types():
    """uint8 levels, float64, other memory orders, half precision of 8-bit levels and gradients: the same image."""
    levels = (random_images(3, 40, 50) * 255).byte()
    target = random_images(3, 40, 50, seed=1)
    before = target.clone()
    expected = torch.stack([*score(levels.float() / 255, target).values()])
    for restored in (levels, levels.double() / 255, (levels / 255.0).half(), (levels / 255.0).requires_grad_()):
        values = torch.stack([*score(restored, target.permute(1, 2, 0).contiguous().permute(2, 0, 1)).values()])
        assert not values.requires_grad
        torch.testing.assert_close(values, expected, rtol=1e-9, atol=0, equal_nan=True)
    assert torch.equal(target, before)
    assert score(levels, (target * 255).round().byte())["psnr"] == score(levels / 255.0, target)["psnr"]


GOOD = random_images(2, 3, 20, 30)


@pytest.mark.parametrize(
    ("restored", "target", "message"),
    [
        (GOOD * 255, GOOD, r"restored must have values from -1 to 2, got .* to 25\d.*divide 8-bit levels by 255"),
        (GOOD, GOOD * 255, r"target must have values from 0 to 1, got .*divide 8-bit levels by 255"),
        (GOOD - 2, GOOD, "restored must have values from -1 to 2, got -1.9"),
        (GOOD.log() * torch.nan, GOOD, "restored has values that are not finite"),
        (GOOD, GOOD / 0, "target has values that are not finite"),
        ((GOOD * 255).int(), GOOD, "restored must be a floating-point tensor.* or uint8, got a tensor of torch.int32"),
        (GOOD.numpy(), GOOD, r"got ndarray; .*torch.from_numpy\(pixels\)"),
        (GOOD[0, 0], GOOD[0, 0], r"restored must have the shape \(3, H, W\) or \(N, 3, H, W\), got \(20, 30\)"),
        (GOOD.permute(0, 2, 3, 1), GOOD, r"must have the shape .*got \(2, 20, 30, 3\)"),
        (GOOD[None], GOOD[None], r"must have the shape .*got \(1, 2, 3, 20, 30\)"),
        (GOOD[:0], GOOD[:0], r"must have the shape .*got \(0, 3, 20, 30\)"),
        (GOOD, GOOD[..., :-1], r"got restored \(2, 3, 20, 30\) and target \(2, 3, 20, 29\)"),
        (GOOD, GOOD[:1], r"got restored \(2, 3, 20, 30\) and target \(1, 3, 20, 30\)"),
        (GOOD[..., :10], GOOD[..., :10], "SSIM needs 11x11 pixels or more, got 20x10"),
    ],
)
def test_refused_images(restored, target, message):
    with pytest.raises(ValueError, match=message):
        score(restored, target)


def test_names_of_metrics():
    assert list(score(GOOD, GOOD, metrics="l1")) == ["l1"]
    with pytest.raises(ValueError, match=r"unknown metric 'lpips'; known: l2, psnr, .*colour_shift"):
        score(GOOD, GOOD, metrics=["psnr", "lpips"])


def test_protocol():
    """Clamping, rounding to 8 bits, and the border, on values that show each."""
    image = torch.tensor([-0.2, 0.5, 1.3])[:, None, None].expand(3, 18, 20)
    assert Protocol().prepare(image)[0, :, 0, 0].tolist() == pytest.approx([0, 128 / 255, 1])
    assert Protocol(border=3).prepare(image).shape == (1, 3, 12, 14)
    with pytest.raises(ValueError, match="0 or more, got -1"):
        Protocol(border=-1)
    target = torch.full((3, 18, 20), 0.5)
    edges = target.clone()
    edges[:, :3] = edges[:, -3:] = edges[..., :3] = edges[..., -3:] = 0
    assert score(edges, target, metrics=["l1"])["l1"] > 0.2
    assert score(edges, target, metrics=["l1"], protocol=Protocol(border=3))["l1"] == 0
    assert str(Protocol(border=3)) != str(Protocol())
    assert score(target + 0.001, target, metrics=["l2"])["l2"] == 0  # the same level
    with pytest.raises(ValueError, match=r"got 2x4.*border too wide"):
        score(target, target, protocol=Protocol(border=8))


@pytest.mark.parametrize("size", [(11, 11), (12, 40), (31, 33), (160, 170), (161, 161)])
@pytest.mark.parametrize("content", ["black", "white", "random"])
def test_sizes_and_contents(size, content):
    """Nothing crashes; equal images are perfect; values are NaN exactly where this is documented."""
    target = {"black": torch.zeros, "white": torch.ones, "random": random_images}[content](3, *size)
    noisy = (target + 0.1 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    perfect, degraded = ({name: float(value) for name, value in score(image, target).items()}
                         for image in (target, noisy))  # fmt: skip
    undefined = {"edge_residual"}  # no edge with flat surroundings
    undefined |= {"flat_residual", "block_step"} if content == "random" else {"iw_ssim"}
    undefined |= {"ms_ssim", "iw_ssim"} if min(size) < 161 else set()
    undefined |= {"grating"} if min(size) < 32 else set()
    best = dict.fromkeys(METRICS, 1) | dict.fromkeys(["psnr", "psnr_y"], math.inf)
    best |= dict.fromkeys(["l1", "l2", "gmsd", *ARTEFACTS], 0) | dict.fromkeys(undefined, math.nan)
    assert perfect == pytest.approx(best, abs=1e-12, nan_ok=True)
    assert {name for name, value in degraded.items() if not math.isfinite(value)} == undefined


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_output_without_numbers(value):
    """`score` refuses such images; tables count them as values that are not finite."""
    target = random_images(3, 170, 180)
    values = score_versions([target, torch.full_like(target, value)], target)
    perfect = score_versions([target], target)[:, 0]
    assert values[:, 0].tolist() == pytest.approx(perfect.tolist(), nan_ok=True)
    assert math.isnan(values[0, 1]) == math.isnan(value)  # infinite values are clamped


def test_fake_gpu():
    """No tensor of the CPU and no wait for the GPU between restoring and the values of all metrics."""
    with FakeTensorMode(), torch.device("cuda"):
        network = RestorationCNN()
        degraded, target = torch.rand(2, 3, 161, 167).unbind()
        values = score_versions([degraded, restore_image(network, degraded)], target)
    assert values.shape == (len(ALL_METRICS), 2)
    assert values.device.type == "cuda"
    assert values.dtype == torch.float64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu():
    restored, target = random_images(3, 170, 181), random_images(3, 170, 181, seed=1)
    on_gpu, on_cpu = score(restored.cuda(), target.cuda()), score(restored, target)
    for name in ALL_METRICS:
        assert float(on_gpu[name]) == pytest.approx(float(on_cpu[name]), rel=1e-5, abs=1e-6, nan_ok=True), name
