"""The paper's losses: equal to the authors' formulas and to kornia, then their properties."""

import math
import warnings
from functools import partial

import kornia
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from restoration.losses import L1Loss, L2Loss, MixLoss, MSSSIML2Loss, MSSSIMLoss, SSIMLoss
from restoration.losses.paper import gaussian_l1, gaussian_l2, ms_ssim, ssim

with warnings.catch_warnings():  # forward-mode derivatives of PyTorch import its deprecated torch.jit.script
    warnings.simplefilter("ignore", FutureWarning)
    import torch._decomp.decompositions_for_jvp

PATCH = {
    "l1": L1Loss(),
    "l2": L2Loss(),
    "ssim5": SSIMLoss(),
    "ssim9": SSIMLoss(9.0),
    "ms_ssim": MSSSIMLoss(),
    "mix": MixLoss(),
    "mix_code": MixLoss(0.025, 1.0),
    "ms_ssim_l2": MSSSIML2Loss(),
}
DENSE = {
    "ssim_dense": SSIMLoss(dense=True, window=11),
    "ms_ssim_dense": MSSSIMLoss(dense=True, window=11),
    "mix_dense": MixLoss(dense=True, window=11),
    "ms_ssim_l2_dense": MSSSIML2Loss(dense=True, window=11),
}
ALL = PATCH | DENSE
C1, C2 = 0.01**2, 0.03**2
SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
DOUBLE = torch.float64


def window(side: int, sigma: float) -> np.ndarray:
    """A Gaussian over a square, of sum 1."""
    rows, columns = np.indices((side, side)) - side // 2
    weights = np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    return weights / weights.sum()


def reference_ms_ssim(x: np.ndarray, y: np.ndarray, sigmas: tuple[float, ...]) -> tuple[float, np.ndarray]:
    """1 - l_M prod cs_j of one channel, and its gradient for x, by the formulas of the authors' layers."""
    cs, d_cs = [], []
    for sigma in sigmas:
        g = window(len(x), sigma)
        mu_x, mu_y = (g * x).sum(), (g * y).sum()
        scale = (g * (x - mu_x) ** 2).sum() + (g * (y - mu_y) ** 2).sum() + C2
        cs.append((2 * (g * (x - mu_x) * (y - mu_y)).sum() + C2) / scale)
        d_cs.append(2 / scale * g * ((y - mu_y) - cs[-1] * (x - mu_x)))
    scale = mu_x**2 + mu_y**2 + C1
    luminance = (2 * mu_x * mu_y + C1) / scale
    d_luminance = 2 / scale * g * (mu_y - mu_x * luminance)
    ratios = sum(gradient / value for gradient, value in zip(d_cs, cs, strict=True))
    return 1 - luminance * math.prod(cs), -(d_luminance + luminance * ratios) * math.prod(cs)


def reference_channel(name: str, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    g, d = window(len(x), SIGMAS[-1]), x - y
    if name == "l1":
        return np.abs(d).mean(), np.sign(d) / d.size
    if name == "l2":
        return (d**2).mean(), 2 * d / d.size
    if name.startswith("ssim"):
        return reference_ms_ssim(x, y, (float(name[4:]),))
    value, gradient = reference_ms_ssim(x, y, SIGMAS)
    pixels, d_pixels = (g * np.abs(d)).sum(), g * np.sign(d)
    if name == "ms_ssim_l2":
        pixels, d_pixels = (g * d**2).sum() / 2, g * d
    alpha, scale = {"ms_ssim": (1, 0), "mix": (0.84, 255), "mix_code": (0.025, 1), "ms_ssim_l2": (0.1, 1)}[name]
    return alpha * value + (1 - alpha) * scale * pixels, alpha * gradient + (1 - alpha) * scale * d_pixels


def reference(name: str, x: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """Value and gradient of a batch: the mean over images and channels."""
    planes = (image.cpu().double().flatten(0, 1).numpy() for image in (x, y))
    channels = [reference_channel(name, *planes) for planes in zip(*planes, strict=True)]
    gradients = np.stack([gradient for _, gradient in channels]).reshape(x.shape)
    return float(np.mean([value for value, _ in channels])), torch.from_numpy(gradients) / len(channels)


def pair(
    kind: str = "texture",
    shape: tuple[int, ...] = (2, 3, 31, 31),
    *,
    dtype: torch.dtype = DOUBLE,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Restored and target: a ramp with texture, noise, or a flat bright patch of another brightness."""
    generator = torch.Generator().manual_seed(3)
    noise, error = torch.randn(2, *shape, generator=generator, dtype=DOUBLE)
    ramp = torch.linspace(0.2, 0.8, shape[-1], dtype=DOUBLE).expand(shape)
    target = {"texture": ramp + 0.05 * noise, "noise": 0.5 + 0.2 * noise, "flat": 0.9 + 1e-3 * noise}[kind]
    restored = target + (0.1 + 1e-3 * error if kind == "flat" else 0.01 + 0.03 * error)
    return restored.to(device, dtype), target.to(device, dtype)


def value_and_gradient(loss: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().clone().requires_grad_()
    value = loss(x, y)
    return value.detach(), torch.autograd.grad(value, x)[0]


# --- truth ---


@pytest.mark.parametrize("kind", ["texture", "noise", "flat"])
@pytest.mark.parametrize("name", PATCH)
def test_brute_force(name, kind, device):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 2e-6)):
        x, y = pair(kind, dtype=dtype, device=device)
        expected, expected_gradient = reference(name, x, y)
        value, gradient = value_and_gradient(PATCH[name], x, y)
        assert value.item() == pytest.approx(expected, rel=tolerance)
        assert (gradient.cpu() - expected_gradient).norm() <= tolerance * expected_gradient.norm()


@pytest.mark.parametrize("alpha", [0.84, 0.025])
def test_kornia(alpha):
    """kornia >= 0.9 follows the authors' layers, with windows of 33 pixels and zeros around the image."""
    x, y = pair(shape=(1, 3, 64, 70))
    peer = kornia.losses.MS_SSIMLoss(sigmas=list(SIGMAS), alpha=alpha, compensation=1.0, reduction="none").double()
    interior = peer(x, y)[..., 16:-16, 16:-16].mean()
    assert MixLoss(alpha, 1.0, dense=True, window=33)(x, y).item() == pytest.approx(interior.item(), rel=1e-5)


@pytest.mark.parametrize("form", [ssim, ms_ssim, gaussian_l1, gaussian_l2])
@pytest.mark.parametrize(("size", "side"), [((33, 35), 31), ((90, 12), 11), ((150, 73), 73)])
def test_dense_equals_crops(form, size, side):
    """The dense form is the mean of the patch form over all crops, also beyond one matrix product."""
    x, y = pair(shape=(2, 1, *size))
    crops = (image.unfold(2, side, 1).unfold(3, side, 1).flatten(2, 3).transpose(1, 2) for image in (x, y))
    values = torch.stack([form(*patches) for patches in zip(*crops, strict=True)])
    torch.testing.assert_close(form(x, y, window=side), values.mean(dim=1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_finite_differences(name, device):
    """First and second derivatives for both images."""
    images = pair(shape=(1, 1, 12 if name in DENSE else 11, 11), device=device)
    images = [image.requires_grad_() for image in images]
    assert torch.autograd.gradcheck(ALL[name], images, fast_mode=True)
    assert torch.autograd.gradgradcheck(ALL[name], images, fast_mode=True)


@pytest.mark.parametrize("covariance", [-C2 / 2, -0.01])
def test_zero_and_negative_cs(covariance):
    """2 sigma_xy = -C2 gives cs = 0: the gradient of the product needs the other factors."""
    _, y = pair("noise", (1, 1, 11, 11))
    g = torch.from_numpy(window(11, 5.0))
    centred = y - (g * y).sum()
    x = 0.5 + covariance / (g * centred**2).sum() * centred
    for loss in (SSIMLoss(), MSSSIMLoss((1.0, 5.0))):
        assert torch.autograd.gradcheck(partial(loss, target=y), x.requires_grad_())


@pytest.mark.parametrize("name", ALL)
def test_transforms(name, device):
    """torch.func: gradients of each sample by vmap, and a Hessian."""
    loss = ALL[name]
    x, y = pair(shape=(3, 1, 11, 11), device=device)
    gradients = torch.func.vmap(torch.func.grad(lambda x, y: loss(x[None], y[None])))(x, y)
    expected = [value_and_gradient(loss, x[sample, None], y[sample, None])[1] for sample in range(3)]
    torch.testing.assert_close(gradients, torch.cat(expected), rtol=1e-10, atol=1e-15)
    hessian = torch.func.hessian(loss)(x[:1], y[:1])
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(partial(loss, target=y[:1]), x[:1]))


# --- properties ---


@pytest.mark.parametrize("name", ALL)
def test_identity_symmetry_bounds(name):
    x, y = pair("noise", (2, 3, 11, 11))
    loss = ALL[name]
    assert loss(y, y) == 0
    assert loss(x, y) == pytest.approx(loss(y, x).item(), rel=1e-12)
    assert 0 < loss(x, y) < loss(1 - y, y)
    if isinstance(loss, SSIMLoss | MSSSIMLoss):
        assert loss(1 - y, y) <= 2


@pytest.mark.parametrize("name", ALL)
def test_equal_pixels(name):
    """No gradient, and a finite second derivative: for L1 it is 0."""
    x, _ = pair(shape=(1, 1, 11, 11))
    assert not value_and_gradient(ALL[name], x, x)[1].any()
    hessian = torch.func.hessian(ALL[name])(x, x)
    assert hessian.isfinite().all()
    assert hessian.any() == (name != "l1")


@pytest.mark.parametrize("name", ALL)
def test_channels_count_alike(name):
    """A shift of any channel (hue) costs the same, a shift of all three (brightness) three times as much."""
    _, y = pair(shape=(1, 1, 11, 11))
    y = y.expand(-1, 3, -1, -1)
    shifts = 0.1 * torch.eye(3, dtype=DOUBLE)[:, :, None, None]
    costs = [ALL[name](y + shift, y).item() for shift in shifts]
    assert costs == pytest.approx(costs[:1] * 3, rel=1e-9)
    assert ALL[name](y + 0.1, y).item() == pytest.approx(3 * costs[0], rel=1e-6)
    assert costs[0] > 1e-4


@pytest.mark.parametrize("case", ["noisy", "negative", "below 0", "above 1"])
@pytest.mark.parametrize("name", ALL)
def test_useful_gradients(name, case, device):
    """A step down the gradient lowers the loss, for negative and for flat patches too."""
    x, y = pair(shape=(1, 3, 11, 11), dtype=torch.float32, device=device)
    if case == "negative":
        x = 1 - y
    elif case != "noisy":
        y = torch.full_like(x, 0.5)
        x = y + (0.7 if case == "above 1" else -0.7)
    value, gradient = value_and_gradient(ALL[name], x, y)
    step = 1e-2 * gradient / gradient.abs().max()
    assert value - ALL[name](x - step, y) > 0.1 * (step * gradient).sum() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ALL)
def test_half_precision(name, dtype, device):
    """Half-precision and channels_last images are computed in float32, under autocast too."""
    x, y = (image.to(dtype) for image in pair(device=device))
    expected = ALL[name](x.float(), y.float())
    assert ALL[name](x, y) == expected
    assert ALL[name](x.to(memory_format=torch.channels_last), y) == expected
    with torch.autocast(device.type, torch.bfloat16):
        assert ALL[name](x.float(), y) == expected


@pytest.mark.parametrize("name", ALL)
@torch._dynamo.config.patch(error_on_recompile=True)
def test_compile(name, device):
    """One graph, compiled once, in which the Gaussians are constants."""
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph.code)
        return graph

    torch._dynamo.reset()
    compiled = torch.compile(ALL[name], fullgraph=True, backend=backend)
    x, y = pair(dtype=torch.float32, device=device)
    for _ in range(2):
        torch.testing.assert_close(value_and_gradient(compiled, x, y), value_and_gradient(ALL[name], x, y))
    (code,) = graphs
    assert "exp(" not in code


@pytest.mark.parametrize("name", ["mix", "mix_dense"])
def test_compile_sizes(name):
    """Patches of several sizes in one compiled loss."""
    torch._dynamo.reset()
    compiled = torch.compile(ALL[name], fullgraph=True, backend="eager")
    for side in (11, 13, 15):
        x, y = pair(shape=(1, 1, side, side))
        torch.testing.assert_close(compiled(x, y), ALL[name](x, y))


@pytest.mark.parametrize("name", ["mix", "mix_dense"])
def test_kept_gaussians(name):
    """Gaussians that are kept for later calls serve all of them, whatever made them."""
    loss = ALL[name]
    makers = {
        13: lambda x, y: torch.export.export(loss, (x, y), strict=False),
        15: lambda x, y: torch.func.grad(loss)(x, y),
        17: lambda x, y: torch.inference_mode()(loss)(x, y),
    }
    for side, make in makers.items():
        x, y = pair(shape=(1, 1, side, side), dtype=torch.float32)
        make(x, y)
        assert value_and_gradient(loss, x, y)[1].any()
        with FakeTensorMode():
            assert loss(torch.rand(x.shape, device="cuda"), torch.rand(x.shape, device="cuda")).device.type == "cuda"
            assert loss(torch.rand(x.shape), torch.rand(x.shape)).device.type == "cpu"


# --- arguments ---


def test_unit_of_l1():
    """alpha = 0.84 with 8-bit levels is, up to a factor, alpha = 0.0202 in the range [0, 1]."""
    x, y = pair()
    factor = 0.84 + 0.16 * 255
    assert 0.84 / factor == pytest.approx(0.0202, abs=5e-5)
    torch.testing.assert_close(MixLoss(0.84, 255.0)(x, y), factor * MixLoss(0.84 / factor, 1.0)(x, y))


@pytest.mark.parametrize("name", ["mix", "mix_code", "ms_ssim_l2", "mix_dense", "ms_ssim_l2_dense"])
def test_terms(name):
    x, y = pair()
    terms = ALL[name].terms(x, y)
    assert list(terms) == ["ms_ssim", "l2" if "l2" in name else "l1"]
    assert sum(terms.values()) == ALL[name](x, y)


@pytest.mark.parametrize("size", [(30, 30), (9, 9), (31, 33)])
def test_refused_sizes(size):
    for loss in (SSIMLoss(), MSSSIMLoss(), MixLoss(), MSSSIML2Loss()):
        with pytest.raises(ValueError, match="odd side of at least 11 pixels"):
            loss(*pair(shape=(1, 3, *size)))


@pytest.mark.parametrize("name", ALL)
def test_refused_inputs(name):
    x, y = pair()
    with pytest.raises(ValueError, match="of one shape"):
        ALL[name](x, y[:, :1])
    with pytest.raises(ValueError, match=r"must both be \(N, C, H, W\)"):
        ALL[name](x[0], y[0])
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        ALL[name](x.to(torch.uint8), y)


def test_refused_arguments():
    x, y = pair()
    for sigmas in [(), (0.0, 1.0), (2.0, 1.0)]:
        with pytest.raises(ValueError, match="positive and increasing"):
            MSSSIMLoss(sigmas)(x, y)
    for side in (0, 9, 30, 33):
        with pytest.raises(ValueError, match=f"window={side} for 31x31"):
            SSIMLoss(dense=True, window=side)(x, y)
    with pytest.raises(ValueError, match="add dense=True"):
        SSIMLoss(window=11)
    for loss in (MixLoss, MSSSIML2Loss):
        with pytest.raises(ValueError, match=r"lies in \[0, 1\], got 1.5"):
            loss(1.5)
    with pytest.raises(ValueError, match="l1_scale must be positive"):
        MixLoss(l1_scale=0)


def test_printed_losses():
    assert repr(MixLoss(0.025, 1)) == (
        "MixLoss(alpha=0.025, l1_scale=1, sigmas=(0.5, 1.0, 2.0, 4.0, 8.0), window=None)"
    )
    assert repr(SSIMLoss(9.0, dense=True)) == "SSIMLoss(sigma=9.0, window=31)"
