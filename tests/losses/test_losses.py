"""The losses against a brute-force float64 of the authors' formulas, then their properties."""

import math

import kornia
import numpy as np
import piq
import pytest
import torch
from torch import nn

from restoration.losses import paper as losses
from restoration.losses.clamped import Clamped
from restoration.losses.switching import SwitchedLoss

SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
C1, C2 = 0.01**2, 0.03**2

CASES = {
    "l2": losses.L2Loss(),
    "l1": losses.L1Loss(),
    "ssim5": losses.SSIMLoss(5.0),
    "ssim9": losses.SSIMLoss(9.0),
    "ms_ssim": losses.MSSSIMLoss(),
    "mix": losses.MixLoss(),
    "mix_code": losses.MixLoss(0.025, 1.0),
    "ms_ssim_l2": losses.MSSSIML2Loss(),
}
STRUCTURAL = ("ssim5", "ssim9", "ms_ssim", "mix", "mix_code", "ms_ssim_l2")


# --- the reference: one pixel at a time, in Python floats, value and analytic gradient as in the Caffe layers ---


def gaussian_patch(side: int, sigma: float) -> np.ndarray:
    centre = side // 2
    weights = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            weights[row, column] = math.exp(-((row - centre) ** 2 + (column - centre) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def reference_ms_ssim(x: np.ndarray, y: np.ndarray, sigmas: tuple[float, ...]) -> tuple[float, np.ndarray]:
    """1 - l_M prod cs_j of one channel at the centre, and its gradient with respect to every pixel of x."""
    cs_values, cs_gradients = [], []
    for sigma in sigmas:
        weights = gaussian_patch(len(x), sigma)
        mu_x = mu_y = square_x = square_y = cross = 0.0
        for index in np.ndindex(x.shape):
            mu_x += weights[index] * x[index]
            mu_y += weights[index] * y[index]
        for index in np.ndindex(x.shape):
            square_x += weights[index] * (x[index] - mu_x) ** 2
            square_y += weights[index] * (y[index] - mu_y) ** 2
            cross += weights[index] * (x[index] - mu_x) * (y[index] - mu_y)
        cs = (2 * cross + C2) / (square_x + square_y + C2)
        cs_values.append(cs)
        cs_gradients.append(2 / (square_x + square_y + C2) * weights * ((y - mu_y) - cs * (x - mu_x)))
    luminance = (2 * mu_x * mu_y + C1) / (mu_x**2 + mu_y**2 + C1)
    d_luminance = 2 * weights * (mu_y - mu_x * luminance) / (mu_x**2 + mu_y**2 + C1)
    product = math.prod(cs_values)
    summed = sum(gradient / value for gradient, value in zip(cs_gradients, cs_values, strict=True))
    return 1 - luminance * product, -(d_luminance + luminance * summed) * product


def reference_weighted(x: np.ndarray, y: np.ndarray, power: int) -> tuple[float, np.ndarray]:
    """sum G |x - y| (power 1) or 1/2 sum G (x - y)^2 (power 2) with sigma_M = 8, and its gradient."""
    weights = gaussian_patch(len(x), SIGMAS[-1])
    difference = x - y
    if power == 1:
        return float((weights * np.abs(difference)).sum()), weights * np.sign(difference)
    return float((weights * difference**2).sum() / 2), weights * difference


def reference_channel(name: str, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    difference = x - y
    if name == "l2":
        return float((difference**2).mean()), 2 * difference / x.size
    if name == "l1":
        return float(np.abs(difference).mean()), np.sign(difference) / x.size
    if name.startswith("ssim"):
        return reference_ms_ssim(x, y, (float(name[4:]),))
    value, gradient = reference_ms_ssim(x, y, SIGMAS)
    if name == "ms_ssim":
        return value, gradient
    alpha, scale, power = {"mix": (0.84, 255, 1), "mix_code": (0.025, 1, 1), "ms_ssim_l2": (0.1, 1, 2)}[name]
    pixel, d_pixel = reference_weighted(x, y, power)
    return alpha * value + (1 - alpha) * scale * pixel, alpha * gradient + (1 - alpha) * scale * d_pixel


def reference(name: str, x: torch.Tensor, y: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Mean over images and channels of the brute-force value, and its gradient."""
    count = x.shape[0] * x.shape[1]
    value, gradient = 0.0, torch.zeros(x.shape, dtype=torch.float64)
    for image, channel in np.ndindex(*x.shape[:2]):
        part, d_part = reference_channel(name, x[image, channel].double().numpy(), y[image, channel].double().numpy())
        value += part / count
        gradient[image, channel] = torch.from_numpy(d_part) / count
    return value, gradient


def pair(kind: str, *, side: int = 31, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Restored and target of some kind, (2, 3, side, side)."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(2, 3, side, side, generator=generator, dtype=torch.float64)
    ramp = torch.linspace(0.1, 0.9, side, dtype=torch.float64)
    texture = (ramp[:, None] * ramp[None, :] + 0.05 * noise).clamp(0, 1)
    target = {
        "texture": texture,
        "flat": torch.full_like(texture, 0.9) + 1e-3 * noise,
        "noise": torch.rand(texture.shape, generator=generator, dtype=torch.float64),
    }[kind]
    restored = target + 0.03 * torch.randn(texture.shape, generator=generator, dtype=torch.float64) + 0.01
    return restored.to(dtype), target.to(dtype)


def value_and_gradient(loss: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    value = loss(x, y)
    (gradient,) = torch.autograd.grad(value, x)
    return value.detach(), gradient


@pytest.mark.parametrize("kind", ["texture", "flat", "noise"])
@pytest.mark.parametrize("name", CASES)
def test_equals_brute_force(name, kind):
    x, y = pair(kind)
    value, gradient = reference(name, x, y)
    found, d_found = value_and_gradient(CASES[name], x, y)
    assert float(found) == pytest.approx(value, rel=1e-9)
    assert (d_found - gradient).norm() <= 1e-9 * gradient.norm()

    x, y = x.float(), y.float()  # the reference of what float32 holds
    value, gradient = reference(name, x, y)
    found, d_found = value_and_gradient(CASES[name], x, y)
    assert float(found) == pytest.approx(value, rel=1e-5)
    assert (d_found - gradient).norm() <= 1e-5 * gradient.norm()


@pytest.mark.parametrize("name", CASES)
def test_gradcheck(name):
    x, y = pair("texture", side=11)
    assert torch.autograd.gradcheck(lambda x: CASES[name](x, y), x.requires_grad_())


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("module", [losses.SSIMLoss, losses.MSSSIMLoss, losses.MixLoss, losses.MSSSIML2Loss])
def test_gradcheck_of_both_images_in_both_forms(module, dense):
    x, y = pair("texture", side=13 if dense else 11)
    loss = module(dense=True, window=11) if dense else module()
    assert torch.autograd.gradcheck(loss, (x[:1, :2].requires_grad_(), y[:1, :2].requires_grad_()))


@pytest.mark.parametrize("covariance", [-C2 / 2, -0.01])
def test_gradient_where_cs_is_zero_or_negative(covariance):
    """2 sigma_xy = -C2 makes cs = 0, where the gradient is that of the other factors."""
    _, y = pair("noise", side=11)
    weights = torch.from_numpy(gaussian_patch(11, 5.0))
    centred = y - (weights * y).sum(dim=(2, 3), keepdim=True)
    x = (covariance / (weights * centred**2).sum(dim=(2, 3), keepdim=True)) * centred + 0.5
    assert torch.autograd.gradcheck(lambda x: CASES["ssim5"](x, y), x.requires_grad_())


@pytest.mark.parametrize("side", [33, 41])
def test_dense_form_equals_patch_form_at_every_centre(side):
    x, y = pair("texture", side=side)
    window = 31
    for function, options in [
        (losses.ssim, {"sigma": 5.0}),
        (losses.ms_ssim, {}),
        (losses.gaussian_l1, {}),
        (losses.gaussian_l2, {}),
    ]:
        centres = [
            function(x[..., i : i + window, j : j + window], y[..., i : i + window, j : j + window], **options)
            for i in range(side - window + 1)
            for j in range(side - window + 1)
        ]
        assert torch.allclose(function(x, y, window=window, **options), torch.stack(centres).mean(dim=0), rtol=1e-11)


@pytest.mark.parametrize(("alpha", "l1_scale"), [(0.84, 1.0), (0.025, 1.0), (0.5, 1.0)])
def test_dense_mix_equals_kornia_on_the_interior(alpha, l1_scale):
    """kornia >= 0.9 follows the authors' code; its windows have 33 pixels, its edges are padded with zeros."""
    x, y = pair("texture", side=64)
    theirs = kornia.losses.MS_SSIMLoss(sigmas=list(SIGMAS), alpha=alpha, compensation=1.0, reduction="none").double()
    interior = theirs(x, y)[..., 16:-16, 16:-16]
    ours = losses.MixLoss(alpha, l1_scale, dense=True, window=33)(x, y)
    assert float(ours) == pytest.approx(float(interior.mean()), rel=1e-5)  # kornia's windows are float32


def test_mix_units_of_l1_are_the_same_mixture():
    """0.84 in 8-bit levels is, up to a factor, alpha = 0.0202 in the unit range."""
    x, y = pair("texture")
    unit_alpha = 0.84 / (0.84 + 0.16 * 255)
    assert unit_alpha == pytest.approx(0.0202, abs=5e-5)
    factor = 0.84 / unit_alpha
    assert float(losses.MixLoss(0.84, 255.0)(x, y)) == pytest.approx(
        factor * float(losses.MixLoss(unit_alpha, 1.0)(x, y))
    )


@pytest.mark.parametrize("name", ["mix", "mix_code", "ms_ssim_l2"])
def test_terms_sum_to_the_loss(name):
    x, y = pair("texture")
    terms = CASES[name].terms(x, y)
    assert set(terms) == {"ms_ssim", "l2" if name == "ms_ssim_l2" else "l1"}
    assert float(sum(terms.values())) == pytest.approx(float(CASES[name](x, y)), rel=1e-12)


# --- properties ---


@pytest.mark.parametrize("name", CASES)
def test_zero_at_identity_and_positive_elsewhere(name):
    x, y = pair("texture")
    assert float(CASES[name](y, y)) == pytest.approx(0, abs=1e-12)
    assert float(CASES[name](x, y)) > 1e-4


@pytest.mark.parametrize("name", CASES)
def test_a_step_down_the_gradient_comes_nearer(name):
    x, y = pair("texture")
    value, gradient = value_and_gradient(CASES[name], x, y)
    assert CASES[name](x - 1e-3 * gradient / gradient.abs().max(), y) < value


@pytest.mark.parametrize("name", CASES)
def test_colours_count_alike_and_hue_and_brightness_are_seen(name):
    _, y = pair("texture")
    y = y.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)  # the same content in every channel
    costs = []
    for channel in range(3):
        shifted = y.clone()
        shifted[:, channel] += 0.1
        costs.append(float(CASES[name](shifted, y)))
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)
    assert costs[0] == pytest.approx(costs[2], rel=1e-9)
    assert costs[0] > 1e-4  # one colour alone: hue
    assert float(CASES[name](y + 0.1, y)) == pytest.approx(3 * costs[0], rel=1e-6)  # all colours: brightness


@pytest.mark.parametrize("name", CASES)
def test_the_negative_image_has_a_useful_gradient(name):
    _, y = pair("texture")
    value, gradient = value_and_gradient(CASES[name], 1 - y, y)
    assert gradient.abs().max() > 1e-6
    assert CASES[name](1 - y - 1e-3 * gradient / gradient.abs().max(), y) < value


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_flat_and_out_of_range_patches_stay_finite(name, dtype, level):
    y = torch.full((1, 3, 31, 31), 0.5, dtype=dtype)
    x = torch.full_like(y, level)
    value, gradient = value_and_gradient(CASES[name], x, y)
    assert value.isfinite()
    assert gradient.isfinite().all()
    if level != 0.5:
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("name", CASES)
def test_bfloat16_input_and_autocast(name):
    x, y = pair("texture", dtype=torch.float32)
    full = float(CASES[name](x, y))
    assert float(CASES[name](x.bfloat16(), y)) == pytest.approx(full, rel=1e-2)
    with torch.autocast("cpu", torch.bfloat16):
        assert float(CASES[name](x, y)) == full  # statistics stay in float32


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("channels", "side"), [(1, 11), (2, 13), (7, 31), (3, 63)])
def test_any_channels_any_odd_side(name, channels, side):
    x, y = pair("texture", side=side)
    x, y = (image[:, :1].expand(-1, channels, -1, -1) for image in (x, y))
    assert float(CASES[name](x, y)) == pytest.approx(float(CASES[name](x[:, :1], y[:, :1])), rel=1e-9)


@pytest.mark.parametrize("name", STRUCTURAL)
@pytest.mark.parametrize("shape", [(1, 3, 30, 30), (1, 3, 9, 9), (1, 3, 31, 33)])
def test_sizes_without_a_centre_are_refused(name, shape):
    with pytest.raises(ValueError, match="odd side of at least 11 pixels"):
        CASES[name](torch.rand(shape), torch.rand(shape))


@pytest.mark.parametrize("name", CASES)
def test_mismatched_or_integer_inputs_are_refused(name):
    with pytest.raises(ValueError, match="of one shape"):
        CASES[name](torch.rand(1, 3, 31, 31), torch.rand(1, 1, 31, 31))
    with pytest.raises(ValueError, match="of one shape"):
        CASES[name](torch.rand(3, 31, 31), torch.rand(3, 31, 31))
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        CASES[name](torch.ones(1, 3, 31, 31, dtype=torch.uint8), torch.rand(1, 3, 31, 31))


def test_arguments_out_of_range_are_refused():
    image = torch.rand(1, 3, 31, 31)
    for sigmas in [(), (0.0, 1.0), (2.0, 1.0)]:
        with pytest.raises(ValueError, match="increasing order"):
            losses.ms_ssim(image, image, sigmas=sigmas)
    for window in (30, 33, 9):
        with pytest.raises(ValueError, match="odd window"):
            losses.ssim(image, image, window=window)
    for module in (losses.MixLoss, losses.MSSSIML2Loss):
        with pytest.raises(ValueError, match="alpha"):
            module(alpha=1.5)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("name", CASES)
@torch._dynamo.config.patch(error_on_recompile=True)
def test_torch_compile_sees_one_graph_and_compiles_once(name):
    torch._dynamo.reset()
    compiled = torch.compile(CASES[name], fullgraph=True, backend="aot_eager")
    x, y = pair("texture", dtype=torch.float32)
    for _ in range(3):
        value, gradient = value_and_gradient(CASES[name], x, y)
        found, d_found = value_and_gradient(compiled, x, y)
        torch.testing.assert_close((found, d_found), (value, gradient), rtol=1e-5, atol=1e-8)
        x, y = y, x


def test_a_clamped_loss_takes_what_a_network_gives():
    restored = torch.full((2, 3, 31, 31), 0.5)
    restored[:, :, 3, 3] = 1.01
    restored.requires_grad_()
    target = torch.rand(2, 3, 31, 31, generator=torch.Generator().manual_seed(0))
    theirs = piq.SSIMLoss(data_range=1.0)
    with pytest.raises(AssertionError):
        theirs(restored, target)
    loss = Clamped(theirs)(restored, target)
    loss.backward()
    assert loss.item() == theirs(restored.detach().clamp(0, 1), target).item()
    assert restored.grad is not None
    assert (restored.grad[:, :, 3, 3] == 0).all()
    assert (restored.grad[:, :, 10:20, 10:20] != 0).all()


def test_a_clamped_loss_names_its_terms_and_does_not_hide_a_switch():
    restored, target = torch.rand(2, 2, 3, 31, 31, generator=torch.Generator().manual_seed(0)).unbind()
    outside = restored * 1.5
    terms = Clamped(losses.MixLoss()).terms(outside, target)
    assert terms == losses.MixLoss().terms(outside.clamp(0, 1), target)
    assert Clamped(nn.L1Loss()).terms(outside, target) == {}
    with pytest.raises(ValueError, match="clamp the losses in it instead"):
        Clamped(SwitchedLoss(nn.L1Loss(), nn.MSELoss()))


@pytest.mark.parametrize("module", [losses.SSIMLoss, losses.MSSSIMLoss, losses.MixLoss, losses.MSSSIML2Loss])
def test_a_window_without_the_dense_form_is_refused(module):
    with pytest.raises(ValueError, match="window"):
        module(dense=True, window=0)(torch.zeros(1, 3, 31, 31), torch.zeros(1, 3, 31, 31))
    with pytest.raises(ValueError, match="window=11 is of the dense form: give dense=True"):
        module(window=11)
    assert (module(dense=True).window, module(dense=True, window=11).window, module().window) == (31, 11, None)


def test_a_printed_loss_says_its_constants():
    assert repr(losses.MixLoss(0.025, 1.0)) == (
        "MixLoss(alpha=0.025, l1_scale=1.0, sigmas=(0.5, 1.0, 2.0, 4.0, 8.0), window=None)"
    )
    assert repr(losses.SSIMLoss(9.0, dense=True)) == "SSIMLoss(sigma=9.0, window=31)"
