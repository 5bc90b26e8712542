"""Probes of the gradient: is it finite, does it point downhill, is it the derivative of the value?"""

import torch
from torch import Tensor

from restoration.check.pictures import normal
from restoration.check.probe import FAULT, LIMIT, OK, SKIPPED, probe
from restoration.check.subject import Subject

SOURCES = {"noise": 0.03, "blur": 1, "JPEG": 20}


@probe("descent", "a step down the gradient must bring photographs nearer to the truth", "noise, blur, JPEG")
def descent(subject: Subject) -> tuple[str, str]:
    y = subject.target()
    cosines = {}
    for kind, strength in SOURCES.items():
        x = subject.restored(kind, strength)
        cosines[kind] = torch.cosine_similarity(subject.gradient(x, y).flatten(), (x - y).flatten(), dim=0).item()
    text = ", ".join(f"{kind} {cosine:.2f}" for kind, cosine in cosines.items())
    return (OK if all(cosine > 0 for cosine in cosines.values()) else FAULT), f"cosine to the error: {text}"


@probe("photographs", "one patch without a finite gradient ends a training", "each patch with noise of 0.03")
def photographs(subject: Subject) -> tuple[str, str]:
    gradient = subject.gradient(*subject.noisy())
    return _useful(gradient.flatten(1))


@probe("every pixel", "a pixel without a gradient is never corrected", "noise of 0.03")
def every_pixel(subject: Subject) -> tuple[str, str]:
    seen = (subject.gradient(*subject.noisy()) != 0).any(dim=0).any(dim=0)
    share = seen.float().mean().item()
    return (OK, "all") if share == 1 else (LIMIT, f"{100 * (1 - share):.0f} % of the pixels have none")


@probe("exact", "0/0 and the root of 0 have no gradient: a perfect patch would end the training", "x = y, photographs")
def exact(subject: Subject) -> tuple[str, str]:
    y = subject.target()
    return _finite(subject.gradient(y, y))


@probe("exact flat", "the same for flat areas, such as the sky", "x = y = 0.5; x = y = 0; x = y = 1")
def exact_flat(subject: Subject) -> tuple[str, str]:
    flat = torch.ones_like(subject.target()[:1])
    return _finite(torch.cat([subject.gradient(level * flat, level * flat) for level in (0.5, 0.0, 1.0)]))


@probe("negative", "the worst picture needs a gradient, too", "x = 1 - y")
def negative(subject: Subject) -> tuple[str, str]:
    y = subject.target()
    return _useful(subject.gradient(1 - y, y).flatten(1))


@probe("flat", "sky: no texture to divide by", "x = 0.4, y = 0.5")
def flat(subject: Subject) -> tuple[str, str]:
    y = torch.full_like(subject.target()[:1], 0.5)
    return _useful(subject.gradient(y - 0.1, y).flatten(1))


@probe("black", "shadows", "x = 0.001 and y a photograph; y = 0 and x nearly so")
def black(subject: Subject) -> tuple[str, str]:
    return _of_level(subject, 0.0, 0.001, 0.02)


@probe("white", "highlights", "x = 0.999 and y a photograph; y = 1 and x nearly so")
def white(subject: Subject) -> tuple[str, str]:
    return _of_level(subject, 1.0, 0.999, 0.98)


@probe("clipped", "photographs with blown highlights and lost shadows", "y = 3 y - 1, clamped; x = y + noise, clamped")
def clipped(subject: Subject) -> tuple[str, str]:
    y = (3 * subject.target() - 1).clamp(0, 1)
    x = (y + 0.03 * normal(y.shape)).clamp(0, 1)
    return _useful(subject.gradient(x, y).flatten(1))


@probe("outside", "networks give values outside [0, 1], which must be pulled back", "x = 2 y - 0.5")
def outside(subject: Subject) -> tuple[str, str]:
    y = subject.target()
    x = 2 * y - 0.5
    beyond = (x < 0) | (x > 1)
    if subject.bounded:
        return LIMIT, "values outside [0, 1] are refused: restoration.losses.Clamped clamps them"
    gradient = subject.gradient(x, y)
    if not gradient.isfinite().all():
        return FAULT, "the gradient is not finite"
    share = (gradient[beyond] != 0).float().mean().item()
    return (OK, "pulled back") if share > 0.5 else (LIMIT, f"{100 * (1 - share):.0f} % of such values get no gradient")


@probe(
    "gradcheck",
    "a detached or wrongly weighted term makes the gradient differ from the derivative of the value",
    "differences, 2 patches",
)
def gradcheck(subject: Subject) -> tuple[str, str]:
    x, y, step = _precise(subject)
    gradient = subject.gradient(x, y)
    worst = 0.0
    for direction in (gradient, x - y, normal(x.shape).to(x), normal(x.shape, 1).to(x)):
        unit = direction / direction.norm()
        slope = (subject.value(x + step * unit, y) - subject.value(x - step * unit, y)) / (2 * step)
        worst = max(worst, abs(slope - (gradient * unit).sum().item()) / gradient.norm().item())
    rounding = torch.finfo(x.dtype).eps * abs(subject.value(x, y)) / (step * gradient.norm().item())
    tolerance = (1e-4 if x.dtype == torch.float64 else 0.02) + 10 * rounding
    text = f"largest error {worst:.1g} of the gradient's norm"
    if x.dtype != torch.float64:
        return (OK if worst < tolerance else LIMIT), f"{text}, in float32: float64 is refused"
    return (OK if worst < tolerance else FAULT), text


@probe("second derivative", "optimizers with curvature and meta-learning need one", "differences of the gradient")
def second(subject: Subject) -> tuple[str, str]:
    x, y, step = _precise(subject)
    if x.dtype != torch.float64:
        return SKIPPED, "float64 is refused"
    unit = normal(x.shape).to(x)
    unit = unit / unit.norm()
    x.requires_grad_()
    try:
        (gradient,) = torch.autograd.grad(subject.raw(x, y), x, create_graph=True)
        product = torch.zeros_like(x)
        if gradient.requires_grad:
            (product,) = torch.autograd.grad((gradient * unit).sum(), x, allow_unused=True, materialize_grads=True)
    except RuntimeError as error:
        return LIMIT, f"none: {str(error).splitlines()[0][:80]}"
    slope = (subject.gradient(x + step * unit, y) - subject.gradient(x - step * unit, y)) / (2 * step)
    error = (product - slope).norm().item()
    scale = max(slope.norm().item(), product.norm().item(), gradient.norm().item())
    return (OK if error < 1e-3 * scale else FAULT), f"error {error / scale:.1g}"


def _precise(subject: Subject) -> tuple[Tensor, Tensor, float]:
    """Two noisy patches in float64, or in float32 for a loss that refuses it, and the step of finite differences."""
    x, y = (image[:2] for image in subject.noisy())
    try:
        subject.gradient(x.double(), y.double())
    except Exception:
        return x, y, 1e-2
    return x.double(), y.double(), 1e-5


def _of_level(subject: Subject, level: float, near: float, far: float) -> tuple[str, str]:
    y = subject.target()
    flat, ramp = torch.full_like(y, near), torch.linspace(near, far, y.shape[3]).expand_as(y)
    return _useful(torch.cat([subject.gradient(flat, y), subject.gradient(ramp, torch.full_like(y, level))]).flatten(1))


def _finite(gradient: Tensor) -> tuple[str, str]:
    return (OK, "finite") if gradient.isfinite().all() else (FAULT, "the gradient is not finite")


def _useful(gradients: Tensor) -> tuple[str, str]:
    """The verdict on gradients, one in each row: each must be finite and not zero."""
    wrong = len(gradients) - gradients.isfinite().all(dim=1).sum().item()
    if wrong:
        return FAULT, f"the gradient of {wrong} of {len(gradients)} patches is not finite"
    zero = (gradients == 0).all(dim=1).sum().item()
    return (FAULT, f"the gradient of {zero} of {len(gradients)} patches is zero") if zero else (OK, "finite, not zero")
