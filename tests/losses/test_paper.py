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
    """Restored and target: a ramp with texture; noise and its negative; a flat bright patch of another brightness."""
    generator = torch.Generator().manual_seed(3)
    noise, error = torch.randn(2, *shape, generator=generator, dtype=DOUBLE)
    ramp = torch.linspace(0.2, 0.8, shape[-1], dtype=DOUBLE).expand(shape)
    target = {"texture": ramp + 0.05 * noise, "negative": 0.5 + 0.4 * noise, "flat": 0.9 + 1e-3 * noise}[kind]
    restored = target + (0.1 + 1e-3 * error if kind == "flat" else 0.01 + 0.03 * error)
    if kind == "negative":  # cs < 0, and values outside [0, 1]
        restored = 1 - restored
    return restored.to(device, dtype), target.to(device, dtype)


def value_and_gradient(loss: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().clone().requires_grad_()
    value = loss(x, y)
    return value.detach(), torch.autograd.grad(value, x)[0]


# --- truth ---


@pytest.mark.parametrize("kind", ["texture", "negative", "flat"])
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
    """The dense form is the mean of the patch form over all crops, also for images with several tiles."""
    x, y = pair(shape=(2, 2, *size))
    crops = (image.unfold(2, side, 1).unfold(3, side, 1).flatten(2, 3).transpose(1, 2) for image in (x, y))
    values = torch.stack([form(*patches) for patches in zip(*crops, strict=True)])
    torch.testing.assert_close(form(x, y, window=side), values.mean(dim=1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_finite_differences(name, autocast, device):
    """First and second derivatives for both images; autocast leaves float64 alone, but not its matrix products."""
    images = pair(shape=(1, 1, 12 if name in DENSE else 11, 11), device=device)
    images = [image.requires_grad_() for image in images]
    with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        assert torch.autograd.gradcheck(ALL[name], images, fast_mode=True)
        assert torch.autograd.gradgradcheck(ALL[name], images, fast_mode=True)


@pytest.mark.parametrize("name", ALL)
def test_transforms(name, device):
    """torch.func: gradients of each sample by vmap, also under autocast, and a Hessian."""
    loss = ALL[name]
    x, y = pair(shape=(3, 1, 11, 11), device=device)
    expected = torch.cat([value_and_gradient(loss, x[sample, None], y[sample, None])[1] for sample in range(3)])
    for autocast in (False, True):
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            gradients = torch.func.vmap(torch.func.grad(lambda x, y: loss(x[None], y[None])))(x, y)
        torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-15)
    hessian = torch.func.hessian(loss)(x[:1], y[:1])
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(partial(loss, target=y[:1]), x[:1]))


# --- properties ---


@pytest.mark.parametrize("name", ALL)
def test_identity_symmetry_bounds(name):
    x, y = pair(shape=(2, 3, 11, 11))
    loss = ALL[name]
    assert loss(x, y) == pytest.approx(loss(y, x).item(), rel=1e-12)
    assert 0 < loss(x, y) < loss(1 - y, y)
    assert loss(1 - y, y) <= 2 or not isinstance(loss, SSIMLoss | MSSSIMLoss)


@pytest.mark.parametrize("name", ALL)
def test_equal_pixels(name):
    """Equal images have value 0, gradient 0, and a finite second derivative, which is 0 for L1."""
    x, _ = pair(shape=(1, 1, 11, 11))
    value, gradient = value_and_gradient(ALL[name], x, x)
    assert value == 0
    assert not gradient.any()
    hessian = torch.func.hessian(ALL[name])(x, x)
    assert hessian.isfinite().all()
    assert hessian.any() == (name != "l1")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ALL)
def test_half_precision(name, dtype, device):
    """Half-precision images are computed in float32, and so is the gradient; also under autocast and channels_last."""
    loss = ALL[name]
    x, y = (image.to(dtype) for image in pair(device=device))
    value, gradient = value_and_gradient(loss, x.float(), y.float())
    for autocast in (False, True):
        with torch.autocast(device.type, dtype, enabled=autocast):
            torch.testing.assert_close(
                value_and_gradient(loss, x.float(), y.float()), (value, gradient), rtol=1e-6, atol=1e-12
            )
            half = value_and_gradient(loss, x.to(memory_format=torch.channels_last), y)
            torch.testing.assert_close(half, (value, gradient.to(dtype)), rtol=1e-6, atol=1e-12)


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
    """Cached Gaussians work in all later calls, also if a call in inference mode or torch.func created them."""
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


@pytest.mark.parametrize("name", ["mix", "mix_code", "ms_ssim_l2", "mix_dense", "ms_ssim_l2_dense"])
def test_terms(name):
    x, y = pair()
    terms = ALL[name].terms(x, y)
    assert list(terms) == ["ms_ssim", "l2" if "l2" in name else "l1"]
    assert sum(terms.values()) == ALL[name](x, y)


@pytest.mark.parametrize("name", ALL)
def test_refused_inputs(name):
    x, y = pair()
    for images, message in [
        ((x, y[:, :1]), "of one shape"),
        ((x[0], y[0]), r"must both be \(N, C, H, W\)"),
        ((x.to(torch.uint8), y), "divide 8-bit images by 255"),
        ((x, y > 0), "divide 8-bit images by 255"),
    ]:
        with pytest.raises(ValueError, match=message):
            ALL[name](*images)


@pytest.mark.parametrize(
    ("loss", "size", "message"),
    [
        *[(PATCH[name], size, "odd side of at least 11 pixels")
          for name in ("ssim5", "ms_ssim", "mix", "ms_ssim_l2") for size in ((30, 30), (9, 9), (31, 33))],
        *[(SSIMLoss(dense=True, window=side), (31, 31), f"window={side} for 31x31") for side in (0, 9, 30, 33)],
        *[(MSSSIMLoss(sigmas), (31, 31), "positive and increasing") for sigmas in ((), (0.0, 1.0), (2.0, 1.0))],
    ],
)  # fmt: skip
def test_refused_sizes_and_sigmas(loss, size, message):
    with pytest.raises(ValueError, match=message):
        loss(*pair(shape=(1, 3, *size)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SSIMLoss(window=11), "add dense=True"),
        (lambda: MixLoss(1.5), r"lies in \[0, 1\], got 1.5"),
        (lambda: MSSSIML2Loss(-0.1), r"lies in \[0, 1\], got -0.1"),
        (lambda: MixLoss(l1_scale=0), "l1_scale must be positive"),
    ],
)
def test_refused_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_printed_losses():
    assert repr(MixLoss(0.025, 1)) == (
        "MixLoss(alpha=0.025, l1_scale=1, sigmas=(0.5, 1.0, 2.0, 4.0, 8.0), window=None)"
    )
    assert repr(SSIMLoss(9.0, dense=True)) == "SSIMLoss(sigma=9.0, window=31)"
