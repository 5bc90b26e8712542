"""Probes: sizes, batches, precision, repeatability, cost."""

import time

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from restoration.check.pictures import normal, photographs
from restoration.check.probe import FAULT, LIMIT, MEASURED, OK, SKIPPED, probe
from restoration.check.subject import Subject

WAITS = ("_local_scalar_dense", "nonzero", "equal", "masked_select")  # operations that wait for a GPU
REPEATS = 5


@probe(
    "guessed range",
    "a range that is guessed from a batch changes the loss from batch to batch",
    "one pixel beyond 0 or 1",
)
def guessed_range(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    if not subject.bounded:
        for level in (-0.001, 1.001, 1.1):
            moved, inside = x.clone(), x.clone()
            moved[:, :, 0, 0], inside[:, :, 0, 0] = level, min(max(level, 0), 1)
            if _ratio(subject.value(moved, y), subject.value(inside, y)) > 1.2:
                return FAULT, f"one pixel of {level} changes the value"
    dark, target = x / 4, y / 4
    lit, truth = dark.clone(), target.clone()
    lit[:, :, 0, 0] = truth[:, :, 0, 0] = 1.0
    change = _ratio(subject.value(lit, truth), subject.value(dark, target))
    return (OK if change < 2 else FAULT), f"a white pixel, exact in both, changes the value {change:.2f} times"


@probe("31 pixels", "patches of trainings are small: the paper's have 31 pixels", "31 x 31")
def small(subject: Subject) -> tuple[str, str]:
    return (LIMIT, f"refused: {subject.refusal[:120]}") if subject.refusal else (OK, "taken")


@probe("odd sizes", "photographs have any size", "two more rows, seven more columns")
def odd(subject: Subject) -> tuple[str, str]:
    y = photographs()[:, :, : subject.side + 2, : subject.side + 8][..., :255, :247]
    return _taken(subject, y.clone())


@probe("one channel", "grey photographs, and networks for the luma", "the first channel")
def one_channel(subject: Subject) -> tuple[str, str]:
    return _taken(subject, subject.target()[:, :1])


@probe("one image", "batches of one, as in a validation", "the first patch")
def one_image(subject: Subject) -> tuple[str, str]:
    return _taken(subject, subject.target()[:1])


@probe("mean over batch", "a sum changes the learning rate with the batch, and with the number of GPUs", "two halves")
def batch_mean(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    x = torch.cat([x[:1] + 0.05 * normal(x[:1].shape, 1), x[1:2]])
    y = y[:2]
    both, halves = subject.value(x, y), [subject.value(x[i : i + 1], y[i : i + 1]) for i in (0, 1)]
    twice = subject.value(x[:1].expand(2, -1, -1, -1).contiguous(), y[:1].expand(2, -1, -1, -1).contiguous())
    if abs(twice - halves[0]) > 0.01 * abs(halves[0]):
        return FAULT, f"{halves[0]:.4g} for a patch, {twice:.4g} for the same patch twice"
    mean = sum(halves) / 2
    text = f"{both:.4g} for two patches; their mean is {mean:.4g}"
    return (OK if abs(both - mean) < 0.01 * abs(mean) else LIMIT), text


@probe(
    "mean over pixels",
    "a sum changes the learning rate with the size of the patches",
    "copies of a patch: 3 x 3, or 2 x 2 of a large one",
)
def pixel_mean(subject: Subject) -> tuple[str, str]:
    x, y = (image[:1] for image in subject.noisy())
    copies = (1, 1, 3, 3) if subject.side % 2 else (1, 1, 2, 2)
    ratio = _ratio(subject.value(x.repeat(copies), y.repeat(copies)), subject.value(x, y))
    return (OK if ratio < 0.7 * copies[2] * copies[3] else FAULT), f"{ratio:.2f} times the value of one"


def rounded(name: str, dtype: torch.dtype) -> None:
    """Adds the probe of one half-precision type."""

    @probe(name, "losses are called with half-precision outputs", f"{name}; the same numbers in float32")
    def half(subject: Subject) -> tuple[str, str]:
        x, y = (image.to(dtype) for image in subject.noisy())
        exact = subject.value(x.float(), y.float())
        try:
            value = subject.value(x, y)
            gradient = subject.gradient(x, y)
        except Exception as error:
            return LIMIT, f"refused: {type(error).__name__}: {str(error)[:80]}"
        if not gradient.isfinite().all():
            return FAULT, "the gradient is not finite"
        return _within(value, exact)


rounded("float16", torch.float16)
rounded("bfloat16", torch.bfloat16)


@probe("autocast", "under autocast, matrix products and convolutions are rounded", "bfloat16 autocast; float32 inputs")
def autocast(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    exact = subject.value(x, y)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            value = subject.value(x, y)
    except RuntimeError as error:
        return LIMIT, f"refused: {str(error)[:80]}"
    return _within(value, exact)


@probe("float32", "differences of large squares lose a small variance", "flat bright patches with noise of 0.002")
def single(subject: Subject) -> tuple[str, str]:
    y = torch.full_like(subject.target()[:4], 0.9) + 0.002 * normal(subject.target()[:4].shape)
    x = y + 0.002 * normal(y.shape, 1)
    try:
        exact = subject.gradient(x.double(), y.double())
    except Exception as error:
        return SKIPPED, f"float64 is refused: {type(error).__name__}"
    error = ((subject.gradient(x, y) - exact).norm() / exact.norm()).item()
    return (OK if error < 0.01 else FAULT), f"the gradient is off by {100 * error:.2g} %"


@probe("repeatable", "a loss that draws or remembers cannot be compared", "the same pair, with another in between")
def repeatable(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    first = subject.value(x, y), subject.gradient(x, y)
    subject.value(y.flip(0), y)
    again = subject.value(x, y), subject.gradient(x, y)
    same = first[0] == again[0] and torch.equal(first[1], again[1])
    return (OK, "to the bit") if same else (FAULT, f"{first[0]:.6g}, then {again[0]:.6g}, or another gradient")


@probe("inputs unchanged", "a loss that writes into its inputs spoils what is logged and saved", "noise of 0.03")
def unchanged(subject: Subject) -> tuple[str, str]:
    x, y = (image.clone() for image in subject.noisy())
    subject.value(x, y)
    same = torch.equal(x, subject.noisy()[0]) and torch.equal(y, subject.noisy()[1])
    return (OK, "unchanged") if same else (FAULT, "an input has other values after the call")


@probe(
    "waits for GPU", "item(), and masks of unknown size, stop the queue of a GPU in each step", "operations of one call"
)
def waits(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    with Operations() as operations:
        subject.gradient(x, y)
    found = {name: operations.names.count(name) for name in WAITS if name in operations.names}
    text = ", ".join(f"{name.strip('_')} ({count})" for name, count in found.items())
    return (LIMIT, f"waits in {text}") if found else (OK, "none")


@probe("seconds", "cost beside L1", "forward and backward, the same patches, the fastest of five, in turns")
def seconds(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    times: dict[bool, list[float]] = {True: [], False: []}
    for ours in [True, False] * REPEATS:
        start = time.perf_counter()
        if ours:
            subject.gradient(x, y)
        else:
            leaf = x.clone().requires_grad_()
            (leaf - y).abs().mean().backward()
        times[ours].append(time.perf_counter() - start)
    fastest, l1 = (min(times[ours]) for ours in (True, False))
    return (
        MEASURED,
        f"{1000 * fastest:.3g} ms for {len(x)} patches of {subject.side} pixels, {fastest / l1:.3g} times L1",
    )


@probe("memory", "what is kept for the backward pass limits the batch", "tensors that are saved, beside the input")
def memory(subject: Subject) -> tuple[str, str]:
    x, y = subject.noisy()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = subject.raw(x.requires_grad_(), y)
    size = sum(kept.values())
    del value
    return MEASURED, f"{size / x.untyped_storage().nbytes():.3g} times the restored patches"


class Operations(TorchDispatchMode):
    """Records the names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def _taken(subject: Subject, y: Tensor) -> tuple[str, str]:
    """Whether the loss accepts patches of this shape and gives a finite gradient."""
    shape = " x ".join(map(str, y.shape))
    try:
        gradient = subject.gradient(y + 0.03 * normal(y.shape), y)
    except Exception as error:
        return LIMIT, f"{shape} refused: {type(error).__name__}: {str(error)[:80]}"
    return (OK, f"{shape} taken") if gradient.isfinite().all() else (FAULT, f"{shape}: the gradient is not finite")


def _ratio(one: float, other: float) -> float:
    """The larger of two values divided by the smaller."""
    small, large = sorted((abs(one), abs(other)))
    return large / small if small else (1.0 if large == small else float("inf"))


def _within(value: float, exact: float) -> tuple[str, str]:
    off = abs(value - exact) / abs(exact)
    return (OK if off < 0.01 else FAULT), f"off by {100 * off:.2g} %"
