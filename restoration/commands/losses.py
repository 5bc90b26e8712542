"""`restoration losses`: a table of all losses of the package."""

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


def run(arguments: argparse.Namespace) -> int:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(PATCHES, 3, SIDE, SIDE, generator=generator)
    restored = target + NOISE * torch.randn(target.shape, generator=generator)
    rows = []
    for name in losses.__all__:
        loss_class = getattr(losses, name)
        meaning = (inspect.getdoc(loss_class) or "").replace("\n", " ").partition(". ")[0].rstrip(".")
        needed = [parameter for parameter in inspect.signature(loss_class).parameters.values() if _is_needed(parameter)]
        value, milliseconds = ("", "") if needed else _measured(loss_class, restored, target)
        rows.append([name, value, milliseconds, meaning])
    print_table(["restoration.losses", "value", "ms", "what it is"], rows, texts=(0, 3))
    print(
        "\nImages are (N, C, H, W) in [0, 1]; lower is better.\n"
        "value: for Gaussian noise of 10 levels of 255; –: these patches are refused, or a package is not installed\n"
        f"ms: forward and backward, {PATCHES} patches of {SIDE} x {SIDE}, float32, CPU, median on this machine\n"
        "Source: Zhao et al., 2017, section III, unless another is named. Options: help(restoration.losses.MixLoss)."
    )
    return 0


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )


def _measured(loss_class: Callable[[], nn.Module], restored: torch.Tensor, target: torch.Tensor) -> tuple[str, str]:
    """Loss value, and median milliseconds of forward and backward; "–" if the loss cannot be computed."""
    value, seconds = torch.empty(0), []
    try:
        loss = loss_class()
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
