"""The images that users give to `restore` and `score`."""

import torch
from torch import Tensor


def checked_image(name: str, image: Tensor, *, lowest: float = 0.0, highest: float = 1.0) -> Tensor:
    """The image in float32 and in the same shape; 8-bit levels are divided by 255.

    Args:
        name: the image's name in error messages.
        image: (3, H, W) or (N, 3, H, W), RGB: floating-point from `lowest` to `highest`, or uint8.

    Raises:
        ValueError: another type or shape, no pixels, or values out of range or not finite.
    """
    if not isinstance(image, Tensor) or not (image.is_floating_point() or image.dtype == torch.uint8):
        received = f"a tensor of {image.dtype}" if isinstance(image, Tensor) else f"{type(image).__name__}"
        raise ValueError(
            f"{name} must be a floating-point tensor in [0, 1], or uint8, got {received}; "
            "convert (H, W, 3) uint8 pixels by torch.from_numpy(pixels).permute(2, 0, 1)"
        )
    if image.ndim not in (3, 4) or image.shape[-3] != 3 or 0 in image.shape:
        raise ValueError(
            f"{name} must have the shape (3, H, W) or (N, 3, H, W), got {tuple(image.shape)}; "
            "(H, W, 3) becomes (3, H, W) by permute(2, 0, 1)"
        )
    if image.dtype == torch.uint8:
        return image.float() / 255
    if not image.isfinite().all():
        raise ValueError(f"{name} has values that are not finite")
    low, high = (float(value) for value in image.detach().aminmax())
    if low < lowest or high > highest:
        raise ValueError(
            f"{name} must have values from {lowest:g} to {highest:g}, got {low:g} to {high:g}; "
            "divide 8-bit levels by 255, clamp other values"
        )
    return image.float()
