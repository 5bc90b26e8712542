"""Gaussian windows: what the structural losses see of an image."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional


class GaussianWindows:
    """Gaussian means around every centre of an image, and the transpose of that map.

    Args:
        weights: (scales, side) 1-D Gaussians; a window is the product of one along the rows and one along the columns.
        dense: False: images are as large as the window and have one centre, so that all scales are one matrix product.
    """

    def __init__(self, weights: Tensor, *, dense: bool):
        self.scales, self.side = weights.shape
        self.dense = dense
        self.columns = weights.view(self.scales, 1, self.side, 1)
        self.rows = weights.view(self.scales, 1, 1, self.side)
        self.planes = (self.columns * self.rows).view(self.scales, -1)

    def means(self, images: Tensor) -> Tensor:
        """(..., H, W) -> (..., scales, h, w), h = H - side + 1."""
        if not self.dense:
            return (images.flatten(-2) @ self.planes.T)[..., None, None]
        means = functional.conv2d(images.reshape(-1, 1, *images.shape[-2:]), self.columns)
        means = functional.conv2d(means, self.rows, groups=self.scales)
        return means.view(*images.shape[:-2], *means.shape[1:])

    def spread(self, values: Tensor) -> Tensor:
        """(..., scales, h, w) -> (..., H, W): each centre's value times its window, summed."""
        if not self.dense:
            return (values[..., 0, 0] @ self.planes).unflatten(-1, (self.side, self.side))
        images = functional.conv_transpose2d(values.flatten(0, -4), self.rows, groups=self.scales)
        images = functional.conv_transpose2d(images, self.columns)
        return images.view(*values.shape[:-3], *images.shape[-2:])


def windows_for(images: Tensor, sigmas: tuple[float, ...], window: int | None) -> GaussianWindows:
    """Gaussians for images of this size: as large as the image (`window` None, the patch form) or `window` pixels wide.

    Raises:
        ValueError: the size has no centre, the window does not fit, or sigmas are not positive and increasing.
    """
    height, width = images.shape[-2:]
    if window is None:
        if height != width or height % 2 == 0 or height < 11:
            raise ValueError(
                "the patch form needs square patches of an odd side of at least 11 pixels (the paper: 31), "
                f"got {height}x{width}; use dense=True for whole images"
            )
    elif window % 2 == 0 or window < 11 or window > min(height, width):
        raise ValueError(
            f"the dense form needs an odd window of 11 pixels up to the image's shorter side, "
            f"got window={window} for {height}x{width}"
        )
    return _gaussian_windows(window or height, tuple(sigmas), window is not None, images.dtype, images.device)


@lru_cache(maxsize=64)
def _gaussian_windows(
    side: int, sigmas: tuple[float, ...], dense: bool, dtype: torch.dtype, device: torch.device
) -> GaussianWindows:
    """Gaussians of these standard deviations, each normalised to sum 1."""
    if not sigmas or min(sigmas) <= 0 or list(sigmas) != sorted(sigmas):
        raise ValueError(f"sigmas are positive standard deviations in pixels in increasing order, got {sigmas}")
    with torch.inference_mode(False):  # kept for later calls, which may need gradients
        offsets = torch.arange(side, device=device, dtype=torch.float64) - side // 2
        scales = torch.tensor(sigmas, device=device, dtype=torch.float64)[:, None]
        weights = torch.exp(-(offsets**2) / (2 * scales**2))
        return GaussianWindows((weights / weights.sum(dim=1, keepdim=True)).to(dtype), dense=dense)
