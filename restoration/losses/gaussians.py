"""Gaussian means of images, as differentiable matrix products."""

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

TILE = 64  # centres per matrix product of the dense form
SMALLEST = 1e-30  # smaller weights are set to 0: products with denormal numbers are slow on a CPU


def gaussian_mean(image: Tensor, sigmas: Sequence[float], window: int | None) -> Callable[[Tensor], Tensor]:
    """A function that computes the means around all centres, (N, C, H, W) -> (N, C, h, w, scales).

    Args:
        sigmas: in pixels, increasing.
        window: side of the square window of the dense form; None: the patch form, whose window is the whole patch.
    """
    height, width = image.shape[2:]
    if window is None and (height != width or height % 2 == 0 or height < 11):
        raise ValueError(
            "the patch form needs square patches with an odd side of at least 11 pixels (the paper: 31), "
            f"got {height}x{width}; for whole images use dense=True"
        )
    if window is not None and (window % 2 == 0 or not 11 <= window <= min(height, width)):
        raise ValueError(
            "the dense form needs an odd window of at least 11 pixels that fits in the image, "
            f"got window={window} for {height}x{width}"
        )
    # the cache must not keep the fake tensors of torch.export and FakeTensorMode
    gaussians = _constant_gaussians if type(image) is Tensor else _gaussians.__wrapped__
    side = operator.index(height if window is None else window)  # torch.compile: a constant, not a symbol
    weights = gaussians(side, tuple(sigmas), window is not None, image.dtype, image.device)
    return partial(_patch_mean if window is None else _dense_mean, weights)


def _patch_mean(weights: Tensor, image: Tensor) -> Tensor:
    return _product(image.reshape(*image.shape[:2], 1, 1, -1), weights)


def _dense_mean(bands: Tensor, image: Tensor) -> Tensor:
    """Means along columns, then along rows, in tiles: the cost is proportional to the number of pixels."""
    scales, longest, centres = bands.shape
    overlap = longest - centres

    def weights(length: int) -> Tensor:  # of a tile of this length
        return bands[:, :length, : length - overlap]

    columns = [
        _product(weights(tile.shape[2]).mT.flatten(0, 1), tile).unflatten(2, (scales, -1))
        for tile in _tiles(image, centres, overlap, dim=2)
    ]
    rows = [_product(tile, weights(tile.shape[4])) for tile in _tiles(torch.cat(columns, 3), centres, overlap, dim=4)]
    return torch.cat(rows, dim=4).movedim(2, -1)


def _tiles(image: Tensor, centres: int, overlap: int, *, dim: int) -> Iterator[Tensor]:
    """Overlapping tiles, each with the windows of `centres` centres; the last tile may have fewer.

    The backward pass of a split reads the image once; that of overlapping slices reads the image once per slice.
    """
    blocks = image.split(centres, dim)
    for block, following in zip_longest(blocks, blocks[1:]):
        if following is not None:
            yield torch.cat([block, following.narrow(dim, 0, min(overlap, following.shape[dim]))], dim)
        elif block.shape[dim] > overlap:
            yield block


@torch.compiler.assume_constant_result
def _constant_gaussians(*arguments: Any) -> Tensor:
    """`_gaussians`, as a constant for torch.compile."""
    return _gaussians(*arguments)


@lru_cache(maxsize=64)
def _gaussians(side: int, sigmas: tuple[float, ...], dense: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Gaussians of sum 1, one in each column of a matrix.

    Patch form: (side^2, scales), a column per scale. Dense form: (scales, centres + side - 1, centres), for one axis, a
    column per centre.
    """
    if not sigmas or min(sigmas) <= 0 or list(sigmas) != sorted(sigmas):
        raise ValueError(f"sigmas must be positive and increasing, in pixels, got {sigmas}")
    with torch.inference_mode(False):  # later calls may need gradients
        offsets = torch.arange(side, device=device, dtype=torch.float64) - side // 2
        scales = torch.tensor(sigmas, device=device, dtype=torch.float64)[:, None]
        weights = torch.exp(-(offsets**2) / (2 * scales**2))
        weights = weights / weights.sum(dim=1, keepdim=True)
        if dense:
            centres = max(TILE, side)
            weights = functional.pad(weights, (0, centres)).repeat(1, centres)[:, : centres * (centres + side - 1)]
            weights = weights.unflatten(1, (centres, -1)).mT  # column i begins at row i
        else:
            weights = (weights[:, :, None] * weights[:, None, :]).flatten(1).T
        return weights.where(weights > SMALLEST, 0).to(dtype).contiguous()


def _product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product without autocast: bfloat16 would round the variances away."""
    return _Product.apply(left, right) if torch.is_autocast_enabled(left.device.type) else left @ right


class _Product(torch.autograd.Function):
    """A matrix product without autocast, also in `backward`, which would use the autocast of its caller."""

    generate_vmap_rule = True

    @staticmethod
    def forward(left: Tensor, right: Tensor) -> Tensor:
        with torch.autocast(left.device.type, enabled=False):
            return left @ right

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (gradient,), (left, right) = grad_outputs, ctx.saved_tensors
        of_left, of_right = ctx.needs_input_grad
        return (
            _Product.apply(gradient, right.mT) if of_left else None,
            _Product.apply(left.mT, gradient) if of_right else None,
        )
