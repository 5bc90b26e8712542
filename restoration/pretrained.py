"""The trained networks that come with the package, one per task and loss, with weights in half precision.

A network takes its training input, (3, H, W) in [0, 1]:
demosaic    a noisy Bayer mosaic RGGB, bilinearly interpolated: `Demosaic().degrade` of a photograph, or
            `sensor.network_input` of a raw file
sr          an enlarged photograph: `SuperResolution().enlarged` of a small one
jpeg        a decoded JPEG file of low quality
"""

from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.images import checked_image
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import restore_image
from restoration.tasks import JPEG, Demosaic, SuperResolution

INSIDE = Path(__file__).parent / "weights"  # in an installed wheel
FOLDER = INSIDE if INSIDE.is_dir() else Path(__file__).parents[1] / "results" / "weights"

TASKS = {"demosaic": Demosaic(), "sr": SuperResolution(), "jpeg": JPEG()}


def shipped(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """Task and loss of every shipped network."""
    names = sorted(path.stem.partition("-") for path in folder.glob("*-*.safetensors"))
    return [(task, loss) for task, _, loss in names]


def weights_file(folder: Path, task: str, loss: str) -> Path:
    return folder / f"{task}-{loss}.safetensors"


def load(task: str, loss: str) -> nn.Module:
    """A shipped network, (N, 3, H, W) -> (N, 3, H, W), in float32 on the CPU; its output is not clamped.

    Raises:
        UserError: no network is shipped for this task and loss.
    """
    names = shipped(FOLDER)
    if (task, loss) not in names:
        losses = defaultdict(list)
        for name, title in names:
            losses[name].append(title)
        listed = "\n".join(f"  {name}: {', '.join(titles)}" for name, titles in losses.items()) or "  none"
        raise UserError(
            f"no network is shipped for the task {task!r} with the loss {loss!r}; shipped are\n{listed}\n"
            "Train one (make train), and name its folder: make restore NETWORK="
        )
    return read_network(weights_file(FOLDER, task, loss))


def read_network(path: Path) -> RestorationCNN:
    """The network of a file that `study.shipping` wrote, in float32, in eval mode and without gradients."""
    with torch.device("meta"):  # draws no random numbers
        network = RestorationCNN(identity_start=False)
    network.load_state_dict({name: weight.float() for name, weight in load_file(path).items()}, assign=True)
    return network.eval().requires_grad_(False)


def restore(image: Tensor, task: str, loss: str) -> Tensor:
    """Restores one image, (3, H, W), or several, (N, 3, H, W) -> the same shape and type, in [0, 1] or 8-bit levels.

    Images of any size are computed in tiles, with the result of the whole, in float32 on their own device.

    Args:
        image: the input of the task's network, see this module's docstring; floating-point in [0, 1], or uint8.

    Raises:
        UserError: no network is shipped for this task and loss.
        ValueError: an image of another type, shape or range.
    """
    network, checked = load(task, loss), checked_image("image", image)
    network.to(image.device).to(memory_format=torch.channels_last)
    images = checked.view(-1, *image.shape[-3:])
    restored = torch.stack([restore_image(network, one) for one in images]).view(image.shape).clamp_(0, 1)
    if image.dtype == torch.uint8:
        restored = restored.mul_(255).round_()
    return restored.to(image.dtype)
