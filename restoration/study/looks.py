"""The look of losses in figures: colour, dash and marker, different also under colour blindness."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

from restoration.names import LOSS_ORDER, ordered_columns


class Look(NamedTuple):
    """How a loss is drawn: no other loss has the same dash and marker."""

    colour: str
    dash: Any  # as matplotlib names it
    marker: str


COLOURS = ("#0072b2", "#d55e00", "#000000", "#cc79a7", "#009e73", "#6b0f1a", "#2b2bd0")
DASHES = ("solid", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
FIRST = ("l2", "l1", "mix", "ms_ssim", "ssim5", "ms_ssim_l2", "ssim9")  # the losses with different colours


def looks(losses: Iterable[str]) -> dict[str, Look]:
    """The look of each loss, in the order of the tables. A loss of `names.LOSS_ORDER` looks the same everywhere."""
    names = ordered_columns(losses)
    order = dict.fromkeys([*FIRST, *LOSS_ORDER, *names])
    every = dict(zip(order, map(Look, *map(itertools.cycle, (COLOURS, DASHES, MARKERS))), strict=False))
    return {name: every[name] for name in names}
