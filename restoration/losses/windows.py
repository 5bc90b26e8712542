"""Gaussian windows: what the structural losses see of an image."""

from functools import lru_cache, reduce

import torch
from torch import Tensor
from torch.nn import functional

TILE = 64  # centres that one matrix product of the dense form gives along an axis


class GaussianWindows:
    """Gaussian means around every centre of an image, and the transpose of that map.

    Both are matrix products: of the patch form one with whole windows, of the dense form two with bands of weights,
    along the rows and along the columns, TILE centres at a time, so that the work grows with the image and no faster.

    Args:
        weights: (scales, side) 1-D Gaussians; a window is the product of one along the rows and one along the columns.
        dense: False: images are as large as the window and have one centre.

    Attributes:
        widest: the last Gaussian alone.
    """

    def __init__(self, weights: Tensor, *, dense: bool):
        self.side = weights.shape[1]
        self.dense = dense
        self.planes = (weights[:, :, None] * weights[:, None, :]).flatten(1)
        self.bands = functional.pad(weights, (0, TILE)).repeat(1, TILE)[:, : TILE * (TILE + self.side - 1)]
        self.bands = self.bands.view(len(weights), TILE, -1)  # row i: the weights, from column i on
        self.widest = self if len(weights) == 1 else GaussianWindows(weights[-1:], dense=dense)

    def means(self, images: Tensor) -> Tensor:
        """(..., H, W) -> (..., scales, h, w), h = H - side + 1."""
        if not self.dense:
            return (images.flatten(-2) @ self.planes.T)[..., None, None]
        return torch.stack([self._across(self._across(images, band).mT, band).mT for band in self.bands], dim=-3)

    def spread(self, values: Tensor) -> Tensor:
        """(..., scales, h, w) -> (..., H, W): each centre's value times its window, summed."""
        if not self.dense:
            return (values[..., 0, 0] @ self.planes).unflatten(-1, (self.side, self.side))
        scales = zip(values.unbind(-3), self.bands, strict=True)
        return reduce(
            torch.add, (self._back_across(self._back_across(value, band).mT, band).mT for value, band in scales)
        )

    def _across(self, images: Tensor, band: Tensor) -> Tensor:
        """(..., W) -> (..., W - side + 1), the means along each row."""
        centres = images.shape[-1] - self.side + 1
        means = images.new_empty(*images.shape[:-1], centres)
        for start in range(0, centres, TILE):
            count = min(TILE, centres - start)
            pixels = slice(start, start + count + self.side - 1)
            means[..., start : start + count] = images[..., pixels] @ band[:count, : count + self.side - 1].T
        return means

    def _back_across(self, values: Tensor, band: Tensor) -> Tensor:
        """(..., w) -> (..., w + side - 1), the transpose of `_across`."""
        centres = values.shape[-1]
        images = values.new_zeros(*values.shape[:-1], centres + self.side - 1)
        for start in range(0, centres, TILE):
            count = min(TILE, centres - start)
            images[..., start : start + count + self.side - 1] += (
                values[..., start : start + count] @ band[:count, : count + self.side - 1]
            )
        return images


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
