"""The structural losses and their gradients in closed form: what losses.py sums up, computed in few passes.

C1 = 0.01^2 and C2 = 0.03^2 are those of values in [0, 1].
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from restoration.losses.windows import GaussianWindows

C1 = 0.01**2
C2 = 0.03**2
TINY = 1e-30


class Mixture(torch.autograd.Function):
    """The sum of weighted terms, means over centres and channels, with its gradient in closed form.

    The gradient is computed with the value, in few passes over the pixels: on small patches, calls are what costs.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, windows: GaussianWindows, structure: float, absolute: float, squared: float
    ) -> Tensor:
        d = x - y
        centres = [length - windows.side + 1 for length in d.shape[2:]]
        share = 1 / (d.shape[1] * math.prod(centres))  # of a centre in the loss of its image
        terms, statistics = [], ()
        if structure:
            deficit, statistics = _deficit(d, y, windows)
            terms.append(structure * deficit)
        if absolute:
            terms.append(absolute * windows.widest.means(d.abs())[:, :, 0])
        if squared:
            terms.append(squared * windows.widest.means(d * d)[:, :, 0])

        def gradient(sign: int) -> Tensor:
            """With respect to x (sign 1) or y (-1)."""
            if structure:
                total = _deficit_gradient(structure * share, statistics, windows, sign)
            else:
                total = torch.zeros_like(d)
            if absolute or squared:
                weight = windows.widest.spread(d.new_full((1, 1, 1, *centres), sign * share))
                if absolute:
                    total.addcmul_(weight, _sign(d), value=absolute)
                if squared:
                    total.addcmul_(weight, d, value=2 * squared)
            return total

        of_x, of_y, *_ = ctx.needs_input_grad
        ctx.save_for_backward(gradient(1) if of_x else None, gradient(-1) if of_y else None)
        return reduce(torch.add, terms).mean(dim=(1, 2, 3))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        grad = grad_outputs[0][:, None, None, None]
        of_x, of_y = (None if gradient is None else grad * gradient for gradient in ctx.saved_tensors)
        return of_x, of_y, None, None, None, None


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
    deficit = not_l
    for factor in not_cs.unbind(dim=2):
        deficit = torch.addcmul(deficit + factor, deficit, factor, value=-1)  # 1 - (1 - a) (1 - b)
    return deficit, (x, y, d, mean_x, mean_y, mean_d, mu_x, mu_y, mu_d, l_scale, cs_scale, not_l, not_cs)


def _deficit_gradient(weight: float, statistics: Sequence[Tensor], windows: GaussianWindows, sign: int) -> Tensor:
    """sum_j G_j (c_j + a_j (+-d) - b_j image), summed over the centres.

    Args:
        weight: of every centre.
        statistics: from `_deficit`.
        sign: 1 for the gradient with respect to x, -1 for that with respect to y.
    """
    x, y, d, mean_x, mean_y, mean_d, mu_x, mu_y, mu_d, l_scale, cs_scale, not_l, not_cs = statistics
    image, mean, mu = (x, mean_x, mu_x) if sign > 0 else (y, mean_y, mu_y)
    cs = 1 - not_cs
    cs.masked_fill_(cs == 0, TINY)  # so that it can be divided out of the product
    product = cs.prod(dim=2).mul_(2 * weight)
    weights = cs.new_empty(3, *cs.shape)
    d_weight = torch.div((product * (1 - not_l)).unsqueeze(2), cs * cs_scale, out=weights[0])
    image_weight = torch.mul(d_weight, not_cs, out=weights[1])
    constant = torch.mul(image_weight, mean, out=weights[2]).addcmul_(d_weight, mean_d, value=-sign)
    constant[:, :, -1] += product / l_scale * (sign * mu_d - not_l * mu)
    d_weight, image_weight, constant = windows.spread(weights)
    return constant.addcmul_(d_weight, d, value=sign).addcmul_(image_weight, image, value=-1)


class Absolute(torch.autograd.Function):
    """torch.abs with a faster gradient."""

    @staticmethod
    def forward(ctx: Any, d: Tensor) -> Tensor:
        ctx.save_for_backward(d)
        return d.abs()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (d,), (grad,) = ctx.saved_tensors, grad_outputs
        return grad * _sign(d)


def _sign(d: Tensor) -> Tensor:
    """-1, 0 or 1; where signs are random, torch.sign takes forty times as long."""
    return (d * torch.finfo(d.dtype).max).clamp_(-1, 1)
