"""One trial call of task, network and loss, which may be the user's, before photographs are packed.

The contract: a task degrades (3, H, W) in [0, 1]; a network maps (N, 3, H, W) to the same shape, for any H and W; a
loss maps restored and target patches, (N, 3, 31, 31), to one finite number with a gradient, lower for better patches.
An error says which part breaks the contract and how to correct it. A call may change an object: pass objects that are
not used later.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from restoration.datasets.pack import MIN_SIDE
from restoration.datasets.photos import THUMBNAIL, PackedPhotos
from restoration.errors import UserError
from restoration.losses.combine import FollowsTraining, set_progress, terms_of
from restoration.networks.inference import restore_image
from restoration.tasks import Task
from restoration.training.patches import PATCH, PatchSampler

PATCHES = 4
PHOTO = (67, 90)  # height and width of the made-up photograph: an odd and an even number of pixels
LARGE = 256  # a side that every loss for images accepts
NO_GRADIENT = "look for detach(), item(), numpy() or torch.no_grad() in it"
RESULTS = {  # wrong results of losses, and how to correct them
    tuple: "return one of its parts",
    list: "return one of its parts",
    dict: "return the sum of its values, and name them in a method terms()",
    float: "a float has no gradient; leave out item() or float()",
    type(None): "forward has no return",
}


def try_parts(model: object, loss: object, task: object, device: torch.device, *, bf16: bool = False) -> list[str]:
    """Calls task, network and loss as the training will.

    Returns:
        Warnings about probable mistakes that do not prevent a training.

    Raises:
        UserError: a part breaks the contract.
    """
    model, loss = _module(model, "network").to(device), _module(loss, "loss").to(device)
    degraded, target = _try_task(task, device)
    restored = _try_network(model, degraded, bf16=bf16)
    warnings = _try_loss(loss, target)
    with _explained(loss, "loss", "fails on the first output of the network"):
        value = loss(restored, target)
        value.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    if not _finite(value, *gradients):
        raise UserError(f"{_title(loss, 'loss')} of the first output of the network, or its gradient, is not finite")
    return warnings


def _try_task(task: object, device: torch.device) -> tuple[Tensor, Tensor]:
    """Degrades a made-up photograph, and returns patches of it, degraded and target."""
    _check_built(task, "task")
    known: Task = task  # pyright: ignore[reportAssignmentType]
    title = _title(task, "task")
    photo = (_picture(*PHOTO) * 255).round().byte().permute(1, 2, 0).contiguous()
    clean = _packed(photo)
    image = clean.image(0)
    with _explained(task, "task", "fails to degrade a photograph"):
        degraded = known.degrade(image.clone(), torch.Generator().manual_seed(0))
    _check_images(degraded, image.shape, f"degrade() of {title}")
    if " at 0x" in repr(task):  # the key of packed photographs
        raise UserError(f"the repr of {title} must name its settings: derive it from restoration.tasks.Task")
    if known.margin > (MIN_SIDE - PATCH) // 2:
        raise UserError(f"the margin of {title} is {known.margin} pixels; small photographs have room for 8")
    with _explained(task, "task", "fails to make training patches"):
        stored = _packed(torch.from_numpy(known.store(photo.numpy()))) if known.stores else clean
        generator = torch.Generator(device).manual_seed(0)
        pair = PatchSampler(known, clean.to(device), stored.to(device), PATCHES, generator).sample()
    for patches in pair:
        _check_images(patches, (PATCHES, 3, PATCH, PATCH), f"patches() of {title}")
    return pair


def _try_network(model: nn.Module, degraded: Tensor, *, bf16: bool) -> Tensor:
    """Restores patches in training mode and a photograph in eval mode; returns the patches."""
    title = _title(model, "network")
    if not any(weight.requires_grad for weight in model.parameters()):
        raise UserError(f"{title} has no weights to train")
    model.train()
    with _explained(model, "network", f"fails on patches of {PATCH} x {PATCH} pixels"):
        with torch.autocast(degraded.device.type, torch.bfloat16, enabled=bf16):
            restored = model(degraded)
        _check_images(restored, degraded.shape, title, bounded=False)
    if not restored.requires_grad:
        raise UserError(f"{title} gets no gradient: {NO_GRADIENT}")
    photo = _picture(*PHOTO).to(degraded.device)
    with _explained(model, "network", "fails on a photograph of {} x {} pixels; it must take any size".format(*PHOTO)):
        restore_image(model, photo)
    return restored.float()


def _try_loss(loss: nn.Module, target: Tensor) -> list[str]:
    """Calls the loss on noisy, exact and flat patches, and on values outside [0, 1]; returns warnings."""
    warnings: dict[str, None] = {}
    follows = any(isinstance(part, FollowsTraining) for part in loss.modules())
    for progress in (0.0, 0.999) if follows else (0.0,):
        set_progress(loss, progress)
        noisy_value = _try_noisy(loss, target)
        with _explained(loss, "loss", "fails in terms()"):
            terms = terms_of(loss, target, target)
        for name, term in terms.items():
            if term.ndim:
                raise UserError(f"terms() of {_title(loss, 'loss')}: {name} has the shape {tuple(term.shape)}, not ()")
        warnings |= dict.fromkeys(_try_exact(loss, noisy_value, target))
    return list(warnings)


def _try_noisy(loss: nn.Module, target: Tensor) -> Tensor:
    """The loss of noisy patches in [0, 1]."""
    title = _title(loss, "loss")
    noise = 0.02 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0)).to(target)
    noisy = (target + noise).clamp(0, 1)
    try:
        value, gradient = _value_and_gradient(loss, noisy, target)
    except UserError as error:
        if error.__cause__ is None or not _takes_large(loss, target.device):
            raise
        raise UserError(
            f"{title} refuses patches of {PATCH} x {PATCH} pixels, of which every training is made "
            f"({error.__cause__}); give it a smaller window or fewer scales, or take another loss"
        ) from error.__cause__
    if not _finite(value, gradient):
        raise UserError(f"{title} of a noisy patch, or its gradient, is not finite")
    if not gradient.any():
        raise UserError(f"the gradient of {title} is zero for a noisy patch: nothing would be learnt")
    try:
        beyond, _ = _value_and_gradient(loss, 2 * noisy - 0.5, target)
        refusal = "" if beyond.isfinite() else "the value is not finite"
    except UserError as error:
        refusal = str(error.__cause__ or error)
    if refusal:
        raise UserError(
            f"{title} refuses values outside [0, 1], which a network may give ({refusal}).\n"
            "Wrap it, then the values are clamped:\n"
            "  _target_: restoration.losses.Clamped\n  loss: {_target_: the loss, with its options}"
        )
    return value


def _try_exact(loss: nn.Module, noisy_value: Tensor, target: Tensor) -> Iterator[str]:
    """Refuses a loss that is higher for exact patches; warns of values that are not finite."""
    title = _title(loss, "loss")
    value, gradient = _value_and_gradient(loss, target, target)
    if value > noisy_value:
        raise UserError(
            f"{title} is {value:.4g} for an exact patch and {noisy_value:.4g} for a noisy one, so that "
            "training would make images worse. Of a similarity, take 1 - similarity, or change its sign:\n"
            "  _target_: restoration.losses.Sum\n  losses: {similarity: {_target_: the loss, with its options}}\n"
            "  weights: {similarity: -1}\n"
            'To train with it as it is: ARGS="trial=false".'
        )
    flat = torch.full_like(target, 0.5)
    if not _finite(value, gradient, *_value_and_gradient(loss, flat, flat)):
        yield (
            f"{title}, or its gradient, is not finite for an exact or flat patch: a training stops at "
            "the first such batch. A small number added under a root or to a divisor helps"
        )


def _value_and_gradient(loss: nn.Module, restored: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    title = _title(loss, "loss")
    restored = restored.clone().requires_grad_()
    with _explained(loss, "loss", f"fails on patches of {PATCH} x {PATCH} pixels"):
        value = loss(restored, target)
    if not isinstance(value, Tensor):
        advice = RESULTS.get(type(value), "return a tensor")
        raise UserError(f"{title} returns a {type(value).__name__}, not one number: {advice}")
    if value.ndim:
        raise UserError(
            f"{title} returns a tensor of shape {tuple(value.shape)}, not one number: "
            "set its reduction to 'mean', or return value.mean()"
        )
    if not value.requires_grad:
        raise UserError(f"{title} has no gradient: {NO_GRADIENT}")
    with _explained(loss, "loss", "fails in its backward pass"):
        (gradient,) = torch.autograd.grad(value, restored, allow_unused=True, materialize_grads=True)
    return value.detach(), gradient


def _takes_large(loss: nn.Module, device: torch.device) -> bool:
    large = _picture(LARGE, LARGE)[None].to(device)
    try:
        return isinstance(loss((0.9 * large).requires_grad_(), large), Tensor)
    except Exception:
        return False


@contextmanager
def _explained(part: object, kind: str, what: str) -> Iterator[None]:
    """Turns an error of a part into a UserError that names the part."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{_title(part, kind)} {what}: {type(error).__name__}: {error}") from error


def _module(part: object, kind: str) -> nn.Module:
    _check_built(part, kind)
    if not isinstance(part, nn.Module):
        name = type(part).__name__
        raise UserError(f"a {kind} is a torch.nn.Module, got {name}: wrap it in a class with a method forward")
    return part


def _check_built(part: object, kind: str) -> None:
    if isinstance(part, Mapping):
        raise UserError(f"the configuration of the {kind} names no class: add _target_: module.Class")
    if isinstance(part, functools.partial):
        raise UserError(f"the configuration of the {kind} has _partial_: true, which builds nothing: remove that line")
    if isinstance(part, type):
        raise UserError(f"the {kind} is the class {part.__name__}, not an object of it: name it as _target_")


def _check_images(images: object, shape: tuple[int, ...], what: str, *, bounded: bool = True) -> None:
    """Refuses anything but finite floating-point images of this shape; `bounded`: in [0, 1]."""
    if not isinstance(images, Tensor):
        raise UserError(f"{what} returns a {type(images).__name__}, not a tensor")
    if tuple(images.shape) != tuple(shape):
        raise UserError(f"{what} returns the shape {tuple(images.shape)}, not {tuple(shape)}")
    if not images.is_floating_point() or not _finite(images):
        raise UserError(f"{what} returns {images.dtype} values that are not all finite floating-point numbers")
    if bounded and not (images.min() >= -1e-4 and images.max() <= 1 + 1e-4):
        raise UserError(f"{what} returns values from {images.min():.4g} to {images.max():.4g}, not in [0, 1]")


def _finite(*tensors: Tensor) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def _picture(height: int, width: int) -> Tensor:
    """(3, height, width) in [0.1, 0.9]: a gradient of brightness, an edge and coloured texture."""
    rows, columns = torch.arange(height)[:, None] / height, torch.arange(width) / width
    texture = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    return 0.1 + 0.3 * rows + 0.3 * (columns > 0.5) + 0.2 * texture


def _packed(photo: Tensor) -> PackedPhotos:
    thumbnails = torch.zeros(1, THUMBNAIL, THUMBNAIL, dtype=torch.uint8)
    return PackedPhotos(photo.flatten(), torch.tensor([photo.shape[:2]]), ["made up"], thumbnails, "made up")


def _title(part: object, kind: str) -> str:
    return f"the {kind} {type(part).__name__}"
