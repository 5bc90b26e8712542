"""Probes of the value: does an error raise the loss, does a larger error raise it more, does every colour count?"""

from itertools import pairwise

import torch
from torch import Tensor

from restoration.check.pictures import DEGRADATIONS, normal
from restoration.check.probe import FAULT, LIMIT, OK, probe
from restoration.check.subject import Subject

LUMA = torch.tensor([[0.299, 0.587, 0.114], [0.2126, 0.7152, 0.0722]])  # BT.601 and BT.709
SEEN = 1e-4  # smaller changes, relative to the cost of noise, count as rounding
NAMES = ("red", "green", "blue")


@probe("one number", "a training needs one finite number with a gradient", "noise of 0.03")
def one_number(subject: Subject) -> tuple[str, str]:
    value = subject.value(*subject.noisy())
    return (OK if abs(value) < float("inf") else FAULT), f"{value:.4g}"


@probe("minimum", "a training makes the loss small: a similarity, or a wrong sign, makes pictures worse", "x = y")
def minimum(subject: Subject) -> tuple[str, str]:
    y = subject.target()
    exact = subject.value(y, y)
    errors = {kind: subject.value(subject.restored(kind, steps[0]), y) for kind, (_, steps) in DEGRADATIONS.items()}
    errors["noise of 0.001"] = subject.value(y + 0.001 * normal(y.shape), y)
    rounding = SEEN / 10 * _scale(subject)
    below = [f"{kind} ({value:.4g})" for kind, value in errors.items() if not exact <= value + rounding]
    return (FAULT, f"{exact:.4g} for an exact picture, less for {', '.join(below)}") if below else (OK, f"{exact:.4g}")


@probe("zero", "a value of 0 says that nothing is left to do", "x = y")
def zero(subject: Subject) -> tuple[str, str]:
    y = subject.target()
    exact, noisy = subject.value(y, y), subject.value(*subject.noisy())
    if not abs(exact) < float("inf"):
        return FAULT, f"{exact} for an exact picture"
    return (OK, f"{exact:.2g}") if abs(exact) < 1e-4 * abs(noisy) else (LIMIT, f"the smallest value is {exact:.4g}")


def costs_more(kind: str) -> None:
    """Adds the probe of one degradation."""
    _, steps = DEGRADATIONS[kind]

    @probe(kind.lower(), f"more {kind} must cost more, or a training may add it", f"strengths {steps}")
    def more(subject: Subject) -> tuple[str, str]:
        y = subject.target()
        values = [_of_exact(subject, y), *(subject.value(subject.restored(kind, step), y) for step in steps)]
        text = ", ".join(f"{value:.3g}" for value in values)
        if not values[-1] - values[0] > SEEN * _scale(subject):
            return FAULT, f"not seen, or it costs less: {text}"
        return (OK if all(low < high for low, high in pairwise(values)) else LIMIT), text


for kind in DEGRADATIONS:
    costs_more(kind)


@probe("hue", "a channel that counts less, or not at all, takes on a tint", "grey pictures, one channel + 0.05")
def hue(subject: Subject) -> tuple[str, str]:
    y = _grey(subject.target())
    shifts = 0.05 * torch.eye(3)[:, :, None, None]
    return _alike(subject, [subject.value(y + shift, y) for shift in shifts], _of_exact(subject, y))


@probe("channel noise", "a channel that counts less, or twice, is restored worse or better", "noise in one channel")
def channel_noise(subject: Subject) -> tuple[str, str]:
    y = _grey(subject.target())
    noise = 0.03 * normal((len(y), 1, *y.shape[2:])) * torch.eye(3)[:, None, :, None, None]
    return _alike(subject, [subject.value(y + channel, y) for channel in noise], _of_exact(subject, y))


@probe(
    "colour",
    "a loss of the luma alone leaves tints",
    "noise that keeps luma and mean, beside grey noise",
)
def colour(subject: Subject) -> tuple[str, str]:
    y = _grey(subject.target())
    noise = 0.03 * normal((len(y), 1, *y.shape[2:]))
    exact, grey = _of_exact(subject, y), subject.value(y + 3**-0.5 * noise, y)
    coloured = [torch.linalg.cross(torch.ones(3), luma) for luma in LUMA]  # orthogonal to luma and to the mean
    costs = [subject.value(y + noise * (tint / tint.norm())[:, None, None], y) for tint in coloured]
    share = (min(costs) - exact) / (grey - exact)
    return (OK if share > 0.05 else FAULT), f"costs {share:.2g} times the grey noise"


def _grey(image: Tensor) -> Tensor:
    return image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1).contiguous()


def _of_exact(subject: Subject, y: Tensor) -> float:
    """The value at x = y; if that is not finite, the value for a nearly equal x."""
    value = subject.value(y, y)
    return value if abs(value) < float("inf") else subject.value(y + 1e-5 * normal(y.shape), y)


def _scale(subject: Subject) -> float:
    """The loss for noise of 0.03."""
    x, y = subject.noisy()
    return abs(subject.value(x, y) - _of_exact(subject, y))


def _alike(subject: Subject, costs: list[float], exact: float) -> tuple[str, str]:
    """Whether red, green and blue cost the same."""
    costs = [cost - exact for cost in costs]
    text = ", ".join(f"{name} {cost:.3g}" for name, cost in zip(NAMES, costs, strict=True))
    if not min(costs) > SEEN * _scale(subject):
        return FAULT, f"not seen: {text}"
    return (OK if max(costs) < 1.02 * min(costs) else FAULT), text
