"""The losses of the paper's section III, as the authors' Caffe layers (PL4NN) compute them.

Contract: `restored` and `target` are (N, C, H, W) floating-point tensors with values nominally in [0, 1], any C >= 1.
Each function returns one value per image, (N,); each module its mean over the batch. Statistics are taken per channel
and averaged over channels. Half-precision inputs are computed in float32, autocast or not.

Patch form (default): H = W odd and >= 11. The only SSIM computed is that of the centre pixel, with a Gaussian that
spans the whole patch, so that every pixel still receives a gradient.
Dense form (`window=W`, or `dense=True` in a module): every pixel whose W x W window lies inside the image is a centre;
it equals the patch form on each W x W crop.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from restoration.losses.closed_form import Absolute, Mixture
from restoration.losses.windows import windows_for

SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
WINDOW = 31  # the paper's patch; in the dense form, where no other is given


def l2(restored: Tensor, target: Tensor) -> Tensor:
    """Mean squared error. (The Caffe layer halves it, which Adam does not notice.)"""
    restored, target = _as_float(restored, target)
    return (restored - target).square().mean(dim=(1, 2, 3))


def l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error."""
    restored, target = _as_float(restored, target)
    return Absolute.apply(restored - target).mean(dim=(1, 2, 3))


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

    def __init__(self, sigma: float = 5.0, *, dense: bool = False, window: int | None = None):
        super().__init__()
        self.sigma = sigma
        self.window = _window(dense, window)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return ssim(restored, target, sigma=self.sigma, window=self.window).mean()

    def extra_repr(self) -> str:
        return f"sigma={self.sigma}, window={self.window}"


class MSSSIMLoss(nn.Module):
    """1 - MS-SSIM over the scales `sigmas`."""

    def __init__(self, sigmas: tuple[float, ...] = SIGMAS, *, dense: bool = False, window: int | None = None):
        super().__init__()
        self.sigmas = tuple(sigmas)
        self.window = _window(dense, window)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()

    def extra_repr(self) -> str:
        return f"sigmas={self.sigmas}, window={self.window}"


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
        window: int | None = None,
    ):
        super().__init__()
        self.alpha = _checked_alpha(alpha)
        if not 0 < l1_scale < float("inf"):
            raise ValueError(f"l1_scale is the unit of the L1 term, 255 for 8-bit levels or 1, got {l1_scale}")
        self.l1_scale = l1_scale
        self.sigmas = tuple(sigmas)
        self.window = _window(dense, window)

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms by name; their sum is the loss."""
        structure = ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()
        absolute = gaussian_l1(restored, target, sigma=self.sigmas[-1], window=self.window).mean()
        return {"ms_ssim": self.alpha * structure, "l1": (1 - self.alpha) * self.l1_scale * absolute}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        weights = {"structure": self.alpha, "absolute": (1 - self.alpha) * self.l1_scale}
        return _mixture(restored, target, self.sigmas, self.window, **weights).mean()

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, l1_scale={self.l1_scale}, sigmas={self.sigmas}, window={self.window}"


class MSSSIML2Loss(nn.Module):
    """alpha (1 - MS-SSIM) + (1 - alpha) 1/2 sum G_sigmaM (x - y)^2, alpha = 0.1 as in the authors' code."""

    def __init__(
        self, alpha: float = 0.1, sigmas: tuple[float, ...] = SIGMAS, *, dense: bool = False, window: int | None = None
    ):
        super().__init__()
        self.alpha = _checked_alpha(alpha)
        self.sigmas = tuple(sigmas)
        self.window = _window(dense, window)

    def terms(self, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms by name; their sum is the loss."""
        structure = ms_ssim(restored, target, sigmas=self.sigmas, window=self.window).mean()
        squared = gaussian_l2(restored, target, sigma=self.sigmas[-1], window=self.window).mean()
        return {"ms_ssim": self.alpha * structure, "l2": (1 - self.alpha) * squared}

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        weights = {"structure": self.alpha, "squared": (1 - self.alpha) / 2}
        return _mixture(restored, target, self.sigmas, self.window, **weights).mean()

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, sigmas={self.sigmas}, window={self.window}"


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
        return Mixture.apply(restored, target, windows, structure, absolute, squared)


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


def _window(dense: bool, window: int | None) -> int | None:
    """The side of a module's windows in the dense form; None for the patch form, which has no other than the patch."""
    if window is not None and not dense:
        raise ValueError(f"window={window} is of the dense form: give dense=True with it, or neither")
    return (WINDOW if window is None else window) if dense else None


def _checked_alpha(alpha: float) -> float:
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is the share of the MS-SSIM term and lies in [0, 1], got {alpha}")
    return alpha


def _full_precision(images: Tensor) -> AbstractContextManager[object]:
    """Switches autocast off, where it is on: matrix products in bfloat16 would ruin the variances."""
    kind = images.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
