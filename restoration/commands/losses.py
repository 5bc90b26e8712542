"""`restoration losses`: what the package has to train with."""

import argparse
import inspect
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from restoration import losses
from restoration.commands.terminal import print_table

PATCHES, SIDE, NOISE, REPEATS = 8, 31, 10 / 255, 15


def run(asked: argparse.Namespace) -> int:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(PATCHES, 3, SIDE, SIDE, generator=generator)
    restored = target + NOISE * torch.randn(target.shape, generator=generator)
    rows = []
    for name in losses.__all__:
        made = getattr(losses, name)
        meaning = (inspect.getdoc(made) or "").replace("\n", " ").partition(". ")[0].rstrip(".")
        needed = [parameter for parameter in inspect.signature(made).parameters.values() if _is_needed(parameter)]
        value, milliseconds = ("", "") if needed else _measured(made, restored, target)
        rows.append([name, value, milliseconds, meaning])
    print_table(["restoration.losses", "value", "ms", "what it is"], rows, texts=(0, 3))
    print(
        "\nImages are (N, C, H, W) in [0, 1]; lower is better.\n"
        "value: of an image with Gaussian noise of 10 levels of 255; –: refuses these patches, or lacks its package\n"
        f"ms: forward and backward, {PATCHES} patches of {SIDE} x {SIDE}, float32, CPU, median on this machine\n"
        "Source, where none is named: Zhao et al., 2017, section III. Options: help(restoration.losses.MixLoss)."
    )
    return 0


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )


def _measured(made: Callable[[], nn.Module], restored: torch.Tensor, target: torch.Tensor) -> tuple[str, str]:
    """The value, and the median of the milliseconds that it takes with its gradient."""
    value, seconds = torch.empty(0), []
    try:
        loss = made()
        loss(restored, target)
    except (ImportError, ValueError):
        return "–", ""
    for _ in range(REPEATS):
        image = restored.clone().requires_grad_()
        start = time.perf_counter()
        value = loss(image, target)
        value.backward()
        seconds.append(time.perf_counter() - start)
    return f"{value.item():.3g}", f"{1000 * statistics.median(seconds):.2f}"
