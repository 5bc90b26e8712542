"""Use of a trained network: eval mode, no gradients, large images in tiles."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from restoration.errors import UserError

TILE = 256  # pixels; the fastest on a CPU: with larger tiles the 64 features do not fit into the cache


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; afterwards modes of submodules and values of buffers are restored.

    `torch.inference_mode` is not used: the network may keep tensors for later calls, which must allow training.
    """
    modes = [(module, module.training) for module in network.modules()]
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        network.eval()
        with torch.no_grad():
            yield
    finally:
        network.train(modes[0][1])
        for module, training in modes:
            module.training = training
        for name, buffer in network.named_buffers():
            if name in buffers:
                buffer.copy_(buffers[name])


def restore_image(network: nn.Module, image: Tensor, *, tile: int = TILE) -> Tensor:
    """(3, H, W) degraded -> (3, H, W) restored, neither clamped nor rounded; the network runs in eval mode.

    An attribute `receptive_radius` of the network is the largest distance, in pixels, of an input that changes an
    output pixel. Such a network gets overlapping tiles: memory is bounded, and the result equals that of the whole
    image. Other networks get the whole image.

    Raises:
        UserError: the network does not return one (1, 3, H, W) tensor of the input's size.
    """
    height, width = image.shape[1:]
    radius = getattr(network, "receptive_radius", None)
    if radius is None:
        radius, tile = 0, max(height, width)
    restored = torch.empty_like(image)
    with evaluating(network):
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                first_row, first_column = max(top - radius, 0), max(left - radius, 0)
                window = image[None, :, first_row : top + tile + radius, first_column : left + tile + radius]
                output = network(window.contiguous(memory_format=torch.channels_last))
                _check_output(output, window)
                inner = restored[:, top : top + tile, left : left + tile]
                row, column = top - first_row, left - first_column
                inner.copy_(output[0, :, row : row + inner.shape[1], column : column + inner.shape[2]])
    return restored


def _check_output(output: object, window: Tensor) -> None:
    if not isinstance(output, Tensor):
        raise UserError(f"the network must return one tensor, got {type(output).__name__}")
    if output.shape != window.shape:
        raise UserError(
            "the network must return three channels of its input's size: "
            f"for an input of shape {tuple(window.shape)} it returned {tuple(output.shape)}; "
            "a network for other sizes must pad its input and crop its output itself"
        )
