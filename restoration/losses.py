"""The losses of the paper's section III, as the authors' Caffe layers (PL4NN) compute them.

Contract: `restored` and `target` are (N, C, H, W) floating-point tensors with values nominally in [0, 1], any C >= 1.
Each function returns one value per image, (N,); each module its mean over the batch. Statistics are taken per channel
and averaged over channels. Half-precision inputs are computed in float32, autocast or not.

Patch form (default): H = W odd and >= 11. The only SSIM computed is that of the centre pixel, with a Gaussian that
spans the whole patch, so that every pixel still receives a gradient.
Dense form (`window=W`, or `dense=True` in a module): every pixel whose W x W window lies inside the image is a centre;
it equals the patch form on each W x W crop.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from restoration.windows import GaussianWindows, windows_for

C1 = 0.01**2
C2 = 0.03**2
SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
TINY = 1e-30
WINDOW = 31  # the paper's patch


def l2(restored: Tensor, target: Tensor) -> Tensor:
    """Mean squared error. (The Caffe layer halves it, which Adam does not notice.)"""
    restored, target = _as_float(restored, target)
    return (restored - target).square().mean(dim=(1, 2, 3))


def l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error."""
    restored, target = _as_float(restored, target)
    return (restored - target).abs().mean(dim=(1, 2, 3))


def ssim(restored: Tensor, target: Tensor, *, sigma: float = 5.0, window: int | None = None) -> Tensor:
    """1 - SSIM = 1 - l cs, with a Gaussian of standard deviation `sigma` pixels."""
    return ms_ssim(restored, target, sigmas=(sigma,), window=window)


def ms_ssim(
    restored: Tensor, target: Tensor, *, sigmas: tuple[float, ...] = SIGMAS, window: int | None = None
) -> Tensor:
    """1 - MS-SSIM = 1 - l_M prod_j cs_j: no pyramid, one Gaussian per scale, all exponents 1.

    Args:
        sigmas: standard deviations in pixels, increasing; the last one is sigma_M.
        window: side of the square window of the dense form; None for the patch form.

    Raises:
        ValueError: on shapes, windows or sigmas for which the loss is not defined.
    """
    return _mixture(restored, target, sigmas, window, structure=1.0)


def gaussian_l1(restored: Tensor, target: Tensor, *, sigma: float = SIGMAS[-1], window: int | None = None) -> Tensor:
    """Absolute error weighted by the Gaussian around the centre: the L1 term of Mix."""
    return _mixture(restored, target, (sigma,), window, absolute=1.0)


def gaussian_l2(restored: Tensor, target: Tensor, *, sigma: float = SIGMAS[-1], window: int | None = None) -> Tensor:
    """Half the squared error weighted by the Gaussian around the centre: the L2 term of MS-SSIM + L2."""
    return _mixture(restored, target, (sigma,), window, squared=0.5)


class L2Loss(nn.Module):
    """Mean squared error over the batch."""

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return l2(restored, target).mean()


class L1Loss(nn.Module):
    """Mean absolute error over the batch."""

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return l1(restored, target).mean()


class SSIMLoss(nn.Module):
    """1 - SSIM; the paper's tables have sigma = 5 (SSIM5) and sigma = 9 (SSIM9)."""

    def __init__(self, sigma: float = 5.0, *, dense: bool = False, window: int = WINDOW):
        super().__init__()
        self.sigma = sigma
        self.window = window if dense else None

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return ssim(restored, target, sigma=self.sigma, window=self.window).mean()


class MSSSIMLoss(nn.Module):
    """1 - MS-SSIM over the scales `sigmas`."""

    def __init__(self, sigmas: tuple[float, ...] = SIGMAS, *, dense: bool = False, window: int = WINDOW):
        super().__init__()
        self.sigmas = tuple(sigmas)
        self.window = window if dense else None

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()


class MixLoss(nn.Module):
    """alpha (1 - MS-SSIM) + (1 - alpha) l1_scale sum G_sigmaM |x - y|: the paper's Mix.

    `l1_scale` is the unit in which the L1 term counts: 255 for 8-bit levels, 1 for the unit range. The paper's
    alpha = 0.84 balances the terms in 8-bit levels; it is the same mixture, up to a factor, as alpha = 0.0202 in the
    unit range, near the 0.025 that the authors' code ships: `MixLoss(alpha=0.025, l1_scale=1)`.
    """

    def __init__(
        self,
        alpha: float = 0.84,
        l1_scale: float = 255.0,
        sigmas: tuple[float, ...] = SIGMAS,
        *,
        dense: bool = False,
        window: int = WINDOW,
    ):
        super().__init__()
        self.alpha = _checked_alpha(alpha)
        self.l1_weight = (1 - alpha) * l1_scale
        self.sigmas = tuple(sigmas)
        self.window = window if dense else None

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms by name; their sum is the loss."""
        structure = ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()
        absolute = gaussian_l1(restored, target, sigma=self.sigmas[-1], window=self.window).mean()
        return {"ms_ssim": self.alpha * structure, "l1": self.l1_weight * absolute}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        weights = {"structure": self.alpha, "absolute": self.l1_weight}
        return _mixture(restored, target, self.sigmas, self.window, **weights).mean()


class MSSSIML2Loss(nn.Module):
    """alpha (1 - MS-SSIM) + (1 - alpha) 1/2 sum G_sigmaM (x - y)^2, alpha = 0.1 as in the authors' code."""

    def __init__(
        self, alpha: float = 0.1, sigmas: tuple[float, ...] = SIGMAS, *, dense: bool = False, window: int = WINDOW
    ):
        super().__init__()
        self.alpha = _checked_alpha(alpha)
        self.sigmas = tuple(sigmas)
        self.window = window if dense else None

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms by name; their sum is the loss."""
        structure = ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()
        squared = gaussian_l2(restored, target, sigma=self.sigmas[-1], window=self.window).mean()
        return {"ms_ssim": self.alpha * structure, "l2": (1 - self.alpha) * squared}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        weights = {"structure": self.alpha, "squared": (1 - self.alpha) / 2}
        return _mixture(restored, target, self.sigmas, self.window, **weights).mean()


def _mixture(
    restored: Tensor,
    target: Tensor,
    sigmas: tuple[float, ...],
    window: int | None,
    *,
    structure: float = 0.0,
    absolute: float = 0.0,
    squared: float = 0.0,
) -> Tensor:
    """structure (1 - l_M prod cs_j) + sum G_M (absolute |x - y| + squared (x - y)^2), (N,)."""
    restored, target = _as_float(restored, target)
    windows = windows_for(restored, sigmas, window)
    with _full_precision(restored):
        return _Mixture.apply(restored, target, windows, structure, absolute, squared)


class _Mixture(torch.autograd.Function):
    """The sum of weighted terms, means over centres and channels, with its gradient in closed form.

    One function with few passes over the pixels: a training step on small patches is otherwise spent on calls.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, windows: GaussianWindows, structure: float, absolute: float, squared: float
    ) -> Tensor:
        d = x - y
        value = d.new_zeros(len(d))
        statistics: tuple[Tensor, ...] = ()
        if structure:
            deficit, statistics = _deficit(d, y, windows)
            value = value + structure * deficit.mean(dim=(1, 2, 3))
        if absolute:
            value = value + absolute * windows.widest.means(d.abs()).mean(dim=(1, 2, 3, 4))
        if squared:
            value = value + squared * windows.widest.means(d * d).mean(dim=(1, 2, 3, 4))
        ctx.windows, ctx.weights = windows, (structure, absolute, squared)
        ctx.save_for_backward(d, *statistics)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (grad,) = grad_outputs
        d, *statistics = ctx.saved_tensors
        structure, absolute, squared = ctx.weights
        centres = [length - ctx.windows.side + 1 for length in d.shape[2:]]
        grad = (grad / (d.shape[1] * math.prod(centres)))[:, None, None, None]

        def gradient(sign: int) -> Tensor:
            """With respect to x (sign 1) or y (-1)."""
            total = torch.zeros_like(d)
            if structure:
                total = _deficit_gradient(structure * grad, statistics, ctx.windows, sign)
            if absolute or squared:
                weight = ctx.windows.widest.spread(grad[..., None].expand(*d.shape[:2], 1, *centres))
                if absolute:
                    total.addcmul_(weight, _sign(d), value=sign * absolute)
                if squared:
                    total.addcmul_(weight, d, value=2 * sign * squared)
            return total

        of_x, of_y, *_ = ctx.needs_input_grad
        return gradient(1) if of_x else None, gradient(-1) if of_y else None, None, None, None, None


def _deficit(d: Tensor, y: Tensor, windows: GaussianWindows) -> tuple[Tensor, tuple[Tensor, ...]]:
    """1 - l_M prod cs_j at every centre, (N, C, h, w), and what its gradient needs.

    Written in the difference d = x - y, as 1 - l = mu_d^2 / (mu_x^2 + mu_y^2 + C1) and
    1 - cs = sigma_d^2 / (sigma_x^2 + sigma_y^2 + C2): float32 would lose a small loss in 1 - 0.999. Variances do not
    change under a constant shift: planes are centred first, or a flat bright patch would lose its own in mu^2.
    """
    shift_y, shift_d = y.mean(dim=(2, 3), keepdim=True), d.mean(dim=(2, 3), keepdim=True)
    planes = d.new_empty(4, *d.shape)
    y = torch.sub(y, shift_y, out=planes[0])
    d = torch.sub(d, shift_d, out=planes[1])
    x = y + d
    torch.mul(x, x, out=planes[2]).addcmul_(y, y)
    torch.mul(d, d, out=planes[3])
    mean_y, mean_d, mean_xx_yy, mean_dd = windows.means(planes).unbind()
    mean_x = mean_y + mean_d
    mu_y, mu_d = mean_y[:, :, -1] + shift_y, mean_d[:, :, -1] + shift_d
    mu_x = mu_y + mu_d
    l_scale = (mu_x * mu_x).addcmul_(mu_y, mu_y).add_(C1)
    cs_scale = mean_xx_yy.addcmul_(mean_x, mean_x, value=-1).addcmul_(mean_y, mean_y, value=-1).add_(C2)
    not_l = mu_d * mu_d / l_scale
    not_cs = mean_dd.addcmul_(mean_d, mean_d, value=-1).div_(cs_scale)
    deficit, one = not_l, torch.ones_like(not_l)
    for factor in not_cs.unbind(dim=2):
        deficit = torch.lerp(deficit, one, factor)  # 1 - ab = (1 - a) + (1 - b) a
    return deficit, (x, y, d, mean_x, mean_y, mean_d, mu_x, mu_y, mu_d, l_scale, cs_scale, not_l, not_cs)


def _deficit_gradient(grad: Tensor, statistics: Sequence[Tensor], windows: GaussianWindows, sign: int) -> Tensor:
    """sum_j G_j (c_j + a_j (+-d) - b_j image), summed over the centres.

    Args:
        grad: of every centre of an image, (N, 1, 1, 1).
        statistics: from `_deficit`.
        sign: 1 for the gradient with respect to x, -1 for that with respect to y.
    """
    x, y, d, mean_x, mean_y, mean_d, mu_x, mu_y, mu_d, l_scale, cs_scale, not_l, not_cs = statistics
    image, mean, mu = (x, mean_x, mu_x) if sign > 0 else (y, mean_y, mu_y)
    cs = 1 - not_cs
    cs.masked_fill_(cs == 0, TINY)  # so that it can be divided out of the product
    product = cs.prod(dim=2).mul_(2 * grad)
    weights = cs.new_empty(3, *cs.shape)
    d_weight = torch.div((product * (1 - not_l)).unsqueeze(2), cs * cs_scale, out=weights[0])
    image_weight = torch.mul(d_weight, not_cs, out=weights[1])
    constant = torch.mul(image_weight, mean, out=weights[2]).addcmul_(d_weight, mean_d, value=-sign)
    constant[:, :, -1] += product / l_scale * (sign * mu_d - not_l * mu)
    d_weight, image_weight, constant = windows.spread(weights)
    return constant.addcmul_(d_weight, d, value=sign).addcmul_(image_weight, image, value=-1)


def _sign(d: Tensor) -> Tensor:
    """-1, 0 or 1; where signs are random, torch.sign takes forty times as long."""
    return (d * torch.finfo(d.dtype).max).clamp_(-1, 1)


def _as_float(restored: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The pair in float32 or float64, after a check of its shapes."""
    if restored.shape != target.shape or restored.ndim != 4:
        raise ValueError(
            "restored and target must both be (N, C, H, W) and of one shape, "
            f"got {tuple(restored.shape)} and {tuple(target.shape)}"
        )
    if not (restored.is_floating_point() and target.is_floating_point()):
        raise ValueError(
            f"restored and target must be floating point in [0, 1], got {restored.dtype} and {target.dtype}; "
            "divide 8-bit images by 255"
        )
    dtype = torch.promote_types(torch.promote_types(restored.dtype, target.dtype), torch.float32)
    plain = torch.contiguous_format  # the network's channels_last would slow down all that follows
    return restored.to(dtype, memory_format=plain), target.to(dtype, memory_format=plain)


def _checked_alpha(alpha: float) -> float:
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is the share of the MS-SSIM term and lies in [0, 1], got {alpha}")
    return alpha


def _full_precision(images: Tensor) -> torch.autocast:
    """Switches autocast off: matrix products in bfloat16 would ruin the variances."""
    return torch.autocast(images.device.type, enabled=False)
