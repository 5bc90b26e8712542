"""The losses of the paper's section III, as the authors' Caffe layers (PL4NN) compute them.

Contract: `restored` x and `target` y are (N, C, H, W) floating-point tensors, nominally in [0, 1], with any C >= 1.
A function returns one value per image, (N,); a module returns the mean over the batch. Statistics are taken per
channel; values are averaged over channels. Half-precision inputs are computed in float32; under autocast, value and
gradient are the same as without. Shapes, dtypes and arguments that do not fit raise ValueError.

Patch form (default): H = W, odd, at least 11. The loss is that of the centre pixel. The Gaussian G_sigma spans the
whole patch, so every pixel receives a gradient.
Dense form (`window=W`; in a module `dense=True`): the mean over all pixels whose W x W window lies inside the image.
On a W x W image the dense form equals the patch form.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from restoration.losses.gaussians import gaussian_mean

C1, C2 = 0.01**2, 0.03**2  # for values in [0, 1]
SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
WINDOW = 31  # the paper's patch; the default window of the dense form


def l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean |x - y|."""
    x, y = _checked(restored, target)
    return (x - y).abs().mean(dim=(1, 2, 3))


def l2(restored: Tensor, target: Tensor) -> Tensor:
    """Mean (x - y)^2. The Caffe layer has half of this value; Adam's steps do not depend on this factor."""
    x, y = _checked(restored, target)
    return (x - y).square().mean(dim=(1, 2, 3))


def ssim(restored: Tensor, target: Tensor, *, sigma: float = 5.0, window: int | None = None) -> Tensor:
    """1 - SSIM = 1 - l cs, with a Gaussian of `sigma` pixels."""
    return ms_ssim(restored, target, sigmas=(sigma,), window=window)


def ms_ssim(restored: Tensor, target: Tensor, *, sigmas: Sequence[float] = SIGMAS, window: int | None = None) -> Tensor:
    """1 - MS-SSIM = 1 - l_M prod_j cs_j: one Gaussian per scale, no image pyramid, all exponents 1.

    l = (2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1) and cs = (2 sigma_xy + C2) / (sigma_x^2 + sigma_y^2 + C2).
    The code computes the differences from 1, which float32 stores without cancellation. With s = x + y and d = x - y,
    1 - l = 2 mu_d^2 / (mu_s^2 + mu_d^2 + 2 C1) and 1 - cs = 2 sigma_d^2 / (sigma_s^2 + sigma_d^2 + 2 C2).

    Args:
        sigmas: in pixels, increasing; the last is sigma_M.
    """
    x, y = _checked(restored, target)
    mean = gaussian_mean(x, sigmas, window)
    s, d = x + y, x - y
    # centred, because float32 would lose the variance of a flat bright patch in the difference of two large squares
    shift_s, shift_d = (image.mean(dim=(2, 3), keepdim=True).detach() for image in (s, d))
    s, d = s - shift_s, d - shift_d
    mu_s, mu_d = mean(s), mean(d)
    variance_s, variance_d = mean(s * s) - mu_s * mu_s, mean(d * d) - mu_d * mu_d
    one_minus_cs = 2 * variance_d / (variance_s + variance_d + 2 * C2)
    mu_s, mu_d = mu_s[..., -1] + shift_s, mu_d[..., -1] + shift_d
    loss = 2 * mu_d * mu_d / (mu_s * mu_s + mu_d * mu_d + 2 * C1)  # 1 - l_M
    for factor in one_minus_cs.unbind(-1):
        loss = loss + factor - loss * factor  # 1 - (1 - loss) cs_j
    return loss.mean(dim=(1, 2, 3))


def gaussian_l1(restored: Tensor, target: Tensor, *, sigma: float = SIGMAS[-1], window: int | None = None) -> Tensor:
    """sum G_sigma |x - y|, the L1 term of Mix."""
    x, y = _checked(restored, target)
    mean = gaussian_mean(x, (sigma,), window)
    return mean((x - y).abs()).mean(dim=(1, 2, 3, 4))


def gaussian_l2(restored: Tensor, target: Tensor, *, sigma: float = SIGMAS[-1], window: int | None = None) -> Tensor:
    """1/2 sum G_sigma (x - y)^2, the L2 term of MS-SSIM + L2."""
    x, y = _checked(restored, target)
    mean = gaussian_mean(x, (sigma,), window)
    return mean((x - y).square()).mean(dim=(1, 2, 3, 4)) / 2


def _constants(self: nn.Module) -> str:
    """The settings that `repr` of a loss prints in brackets."""
    names = ("alpha", "l1_scale", "sigma", "sigmas", "window")
    return ", ".join(f"{name}={getattr(self, name)}" for name in names if hasattr(self, name))


class L1Loss(nn.Module):
    """Mean absolute error."""

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return l1(restored, target).mean()


class L2Loss(nn.Module):
    """Mean squared error."""

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return l2(restored, target).mean()


class SSIMLoss(nn.Module):
    """1 - SSIM. The paper's tables have sigma = 5 (SSIM5) and sigma = 9 (SSIM9)."""

    def __init__(self, sigma: float = 5.0, *, dense: bool = False, window: int | None = None):
        super().__init__()
        self.sigma, self.window = sigma, _window(dense, window)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return ssim(restored, target, sigma=self.sigma, window=self.window).mean()

    extra_repr = _constants


class MSSSIMLoss(nn.Module):
    """1 - MS-SSIM."""

    def __init__(self, sigmas: Sequence[float] = SIGMAS, *, dense: bool = False, window: int | None = None):
        super().__init__()
        self.sigmas, self.window = tuple(sigmas), _window(dense, window)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()

    extra_repr = _constants


class MixLoss(nn.Module):
    """alpha (1 - MS-SSIM) + (1 - alpha) l1_scale sum G_sigmaM |x - y|, the paper's Mix.

    Args:
        alpha: 0.84 in the paper, 0.025 in the authors' code.
        l1_scale: unit of the L1 term: 255 for 8-bit levels, 1 for the range [0, 1]. With 255, alpha = 0.84 balances
            the terms: up to a factor, this is alpha = 0.0202 with 1, near the authors' `MixLoss(0.025, 1)`.
    """

    def __init__(
        self,
        alpha: float = 0.84,
        l1_scale: float = 255.0,
        *,
        sigmas: Sequence[float] = SIGMAS,
        dense: bool = False,
        window: int | None = None,
    ):
        super().__init__()
        if not 0 < l1_scale < float("inf"):
            raise ValueError(f"l1_scale must be positive (255: 8-bit levels; 1: the range [0, 1]), got {l1_scale}")
        self.alpha, self.l1_scale = _share(alpha), l1_scale
        self.sigmas, self.window = tuple(sigmas), _window(dense, window)

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms."""
        restored, target = _checked(restored, target)  # once, because two gradients would be added in half precision
        structure = ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()
        pixels = gaussian_l1(restored, target, sigma=self.sigmas[-1], window=self.window).mean()
        return {"ms_ssim": self.alpha * structure, "l1": (1 - self.alpha) * self.l1_scale * pixels}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        structure, pixels = self.terms(restored, target).values()
        return structure + pixels

    extra_repr = _constants


class MSSSIML2Loss(nn.Module):
    """alpha (1 - MS-SSIM) + (1 - alpha) 1/2 sum G_sigmaM (x - y)^2, with alpha = 0.1 as in the authors' code."""

    def __init__(
        self,
        alpha: float = 0.1,
        *,
        sigmas: Sequence[float] = SIGMAS,
        dense: bool = False,
        window: int | None = None,
    ):
        super().__init__()
        self.alpha = _share(alpha)
        self.sigmas, self.window = tuple(sigmas), _window(dense, window)

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms."""
        restored, target = _checked(restored, target)  # once, because two gradients would be added in half precision
        structure = ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()
        pixels = gaussian_l2(restored, target, sigma=self.sigmas[-1], window=self.window).mean()
        return {"ms_ssim": self.alpha * structure, "l2": (1 - self.alpha) * pixels}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        structure, pixels = self.terms(restored, target).values()
        return structure + pixels

    extra_repr = _constants


def _checked(restored: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The pair in float32 or float64 and in NCHW order."""
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
    order = torch.contiguous_format  # a channels_last output would slow down all that follows
    return restored.to(dtype, memory_format=order), target.to(dtype, memory_format=order)


def _window(dense: bool, window: int | None) -> int | None:
    """The window of a module: None for the patch form."""
    if window is not None and not dense:
        raise ValueError(f"window={window} belongs to the dense form: add dense=True, or leave window out")
    return (WINDOW if window is None else window) if dense else None


def _share(alpha: float) -> float:
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is the weight of the MS-SSIM term and lies in [0, 1], got {alpha}")
    return alpha
