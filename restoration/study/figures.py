"""The figures of a study as SVG, from plain tables: curves, differences, the sweep of α.

The same table gives the same bytes. An SVG has a white ground, since it is shown on light and on dark pages.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from restoration.study.looks import COLOURS, DASHES, MARKERS, Look, looks

WIDTH, COLUMNS = 4.9, 2  # inches of an SVG, and panels in a row: letters stay readable on a phone
HEIGHT = 1.4  # inches of a panel
TOP, BETWEEN, BELOW = 0.25, 0.8, 0.42  # inches above all panels, between rows, and of these below a panel
LABELS, LINE = 0.78, 0.125  # inches at the right of curves for their labels, and between two labels
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "",  # the same identifiers in every run
    "svg.fonttype": "none",  # letters stay letters: the file is small and can be searched
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],
    "font.size": 8.5,
    "axes.titlesize": 8,
    "axes.titlepad": 4,
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.5",
    "xtick.color": "0.3",
    "ytick.color": "0.3",
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "legend.frameon": False,
}
ALPHAS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99)  # ticks


def curves(frame: pd.DataFrame, titles: Mapping[str, str], *, switch: float | None = None) -> str:
    """Values against patches seen, a panel for each value of `panel`, scaled to the last third of the training.

    Args:
        frame: columns panel (its title), loss, seed, patches, value (finite). Of several seeds the line is the mean,
            and a band reaches from the least value to the greatest.
        titles: of the losses, by name; they stand at the ends of the lines.
        switch: number of patches after which the training switches from one loss to another.

    Returns:
        An SVG, as all figures.
    """
    shown = looks(frame["loss"].unique())
    panels = list(frame.groupby("panel", sort=False))
    with mpl.rc_context(STYLE):
        figure, places = panels_in_rows(len(panels), top=0, right=LABELS)
        for axes, (title, rows) in zip(places, panels, strict=True):
            later = rows.loc[rows["patches"] >= rows["patches"].max() * 2 / 3, "value"]
            axes.set(title=title, ylim=_padded(later.min(), later.max()), xlim=(0, rows["patches"].max()))
            ends = {loss: _curve(axes, rows[rows["loss"] == loss], look) for loss, look in shown.items()}
            label_ends(axes, {titles[loss]: (*end, shown[loss].colour) for loss, end in ends.items() if end})
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            if switch is not None:
                axes.axvline(switch, color="0.5", linewidth=0.8, linestyle=":")
        for axes in places[-COLUMNS:]:
            axes.set_xlabel("patches seen")
        return svg_of(figure)


def label_ends(axes: Axes, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Writes each title beside the end (x, y, colour) of its line; no label is on another one."""
    low, high = axes.get_ylim()
    gap = LINE / HEIGHT
    order = sorted(ends, key=lambda title: ends[title][1])
    heights = [(ends[title][1] - low) / (high - low) for title in order]
    for number in range(1, len(heights)):
        heights[number] = max(heights[number], heights[number - 1] + gap)
    top = 1 + gap / 2
    for number in reversed(range(len(heights))):
        heights[number] = top = min(heights[number], top)
        top -= gap
    for title, height in zip(order, heights, strict=True):
        x, y, colour = ends[title]
        axes.annotate(
            title,
            (x, y),
            (1.1, height),
            textcoords="axes fraction",
            va="center",
            fontsize=7,
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
        )


def _curve(axes: Axes, rows: pd.DataFrame, look: Look) -> tuple[float, float] | None:
    """Draws a line with at most eight markers, the last one at its end; returns the end."""
    if rows.empty:
        return None
    values = rows.groupby("patches")["value"].agg(["mean", "min", "max"])
    if rows["seed"].nunique() > 1:
        axes.fill_between(values.index, values["min"], values["max"], color=look.colour, alpha=0.15, linewidth=0)
    last, every = len(values) - 1, len(values) // 8 + 1
    marks = (last % every, every)
    axes.plot(
        values.index,
        values["mean"],
        color=look.colour,
        linestyle=look.dash,
        marker=look.marker,
        markevery=marks,
    )
    return float(values.index[-1]), float(values["mean"].iloc[-1])


def differences(frame: pd.DataFrame, titles: Mapping[str, str], *, label: str) -> str:
    """Differences to one loss with their intervals, a line for each loss, a panel for each value of `panel`.

    Args:
        frame: columns panel (its title), loss, value, low, high, margin (of what counts as equal, drawn as a band).
        titles: of the losses, by name.
        label: of the axes below.
    """
    shown = looks(frame["loss"].unique())
    panels = list(frame.groupby("panel", sort=False))
    with mpl.rc_context(STYLE):
        figure, places = panels_in_rows(len(panels), height=0.17 * len(shown), top=0, left=0.12, margin=0.95)
        for axes, (title, rows) in zip(places, panels, strict=True):
            margin = rows["margin"].iloc[0]
            axes.axvspan(-margin, margin, color="0.9", linewidth=0)
            axes.axvline(0, color="0.5", linewidth=0.8)
            for line, (loss, look) in enumerate(shown.items()):
                for _, row in rows[rows["loss"] == loss].iterrows():
                    axes.plot([row["low"], row["high"]], [line, line], color=look.colour)
                    axes.plot(row["value"], line, color=look.colour, marker=look.marker)
            axes.set(title=title, ylim=(len(shown) - 0.5, -0.5))
            axes.set_yticks(range(len(shown)), [])
            axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        for axes in places[::COLUMNS]:
            axes.set_yticks(range(len(shown)), [titles[loss] for loss in shown])
        for axes in places[-COLUMNS:]:
            axes.set_xlabel(label)
        return svg_of(figure)


def alpha(frame: pd.DataFrame, readings: Mapping[str, float]) -> str:
    """How far each α of Mix is behind the best one, and L1's share of the gradient, a row of panels for each task.

    Args:
        frame: columns task (its title), test_set (its title), alpha (with L1 in the unit range, 0 < alpha < 1), value,
            low, high (dB behind the best; the last two may be unknown), share (of L1, 0 to 1; may be unknown).
        readings: short names of the readings of α, with their α for L1 in the unit range.
    """
    tasks = list(frame.groupby("task", sort=False))
    tests = dict(zip(frame["test_set"].unique(), map(Look, COLOURS, DASHES, MARKERS), strict=False))
    with mpl.rc_context(STYLE):
        figure, places = panels_in_rows(2 * len(tasks), height=1.6, left=0.45, above=0.3)
        for (title, rows), lost, share in zip(tasks, places[::2], places[1::2], strict=True):
            for test, look in tests.items():
                _sweep(lost, rows[rows["test_set"] == test], look)
            shares = rows.dropna(subset="share").drop_duplicates("alpha").sort_values("alpha")
            share.plot(_log_odds(shares["alpha"]), 100 * shares["share"], color="0.3", marker=".")
            lost.set(title=f"{title}\nPSNR (dB) behind the best α")
            share.set(title=f"{title}\nL1's share of the gradient (%)", ylim=(0, 100))
            for axes in (lost, share):
                _alpha_axis(axes, readings, named=axes is lost)
        for axes in places[-COLUMNS:]:
            axes.set_xlabel("α; above: with L1 in 8-bit levels")
        _legend(figure, tests)
        return svg_of(figure)


def _sweep(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    rows = rows.sort_values("alpha")
    places = _log_odds(rows["alpha"])
    axes.vlines(places, rows["low"], rows["high"], color=look.colour, linewidth=0.8)
    axes.plot(places, rows["value"], color=look.colour, linestyle=look.dash, marker=look.marker)


def _alpha_axis(axes: Axes, readings: Mapping[str, float], *, named: bool) -> None:
    """Ticks of α below, of the same α with L1 in 8-bit levels above; dotted lines for the readings, some with names."""
    axes.xaxis.set_major_locator(FixedLocator(_log_odds(ALPHAS).tolist()))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{alpha:g}" for alpha in ALPHAS]))
    above = axes.secondary_xaxis("top", functions=(lambda x: x + np.log10(255), lambda x: x - np.log10(255)))
    above.xaxis.set_major_locator(FixedLocator(_log_odds(ALPHAS[1:]).tolist()))
    above.xaxis.set_major_formatter(FixedFormatter([f"{alpha:g}" for alpha in ALPHAS[1:]]))
    above.xaxis.set_minor_locator(NullLocator())
    for side in (axes, above):
        side.tick_params(axis="x", labelsize=6.5)
    for number, (name, place) in enumerate(sorted(readings.items(), key=lambda reading: reading[1])):
        x = float(_log_odds(place))
        axes.axvline(x, color="0.6", linewidth=0.8, linestyle=":")
        if named:
            y = (0.02, 0.42, 0.5)[number % 3]  # neighbours above each other, the last one clear of the falling curve
            style: Any = {"rotation": 90, "fontsize": 6.5, "color": "0.35", "ha": "center", "va": "bottom"}
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axes.text(x, y, name, transform=axes.get_xaxis_transform(), bbox=ground, **style)


def _log_odds(alpha: Sequence[float] | pd.Series | float) -> np.ndarray:
    odds = np.asarray(alpha, dtype=float)
    return np.log10(odds / (1 - odds))


def panels_in_rows(
    count: int,
    *,
    height: float = HEIGHT,
    top: float = TOP,
    above: float = 0,
    left: float = 0.5,
    right: float = 0.1,
    margin: float = 0.05,
) -> tuple[Figure, list[Axes]]:
    """Panels in rows, placed in inches. No text is measured, since its size differs between versions of FreeType.

    Args:
        top: room for a legend.
        above: more room above each panel.
        left, right: room for tick labels and other texts beside each panel.
        margin: more room at the left of the figure.
    """
    rows = -(-count // COLUMNS)
    between = BETWEEN + above
    tall = rows * (height + between) + top
    figure = Figure(figsize=(WIDTH, tall))
    width = (WIDTH - margin) / COLUMNS
    places = []
    for row, column in itertools.islice(itertools.product(range(rows), range(COLUMNS)), count):
        corner = (margin + column * width + left, tall - top - (row + 1) * (height + between) + BELOW)
        box = np.divide([*corner, width - left - right, height], [WIDTH, tall, WIDTH, tall])
        places.append(figure.add_axes(tuple(box)))
    return figure, places


def _legend(figure: Figure, looks_: Mapping[str, Look]) -> None:
    lines = [Line2D([], [], color=look.colour, linestyle=look.dash, marker=look.marker) for look in looks_.values()]
    figure.legend(lines, list(looks_), loc="upper left", ncols=7, columnspacing=1.2, borderaxespad=0.3)


def _padded(low: float, high: float) -> tuple[float, float]:
    room = 0.06 * (high - low) or abs(high) / 10 or 1
    return low - room, high + room


def svg_of(figure: Figure) -> str:
    """The figure as SVG. Coordinates have two decimals: further decimals would differ from machine to machine.

    Identifiers are hashes of NumPy's printed arrays, and packages change how NumPy prints: colour-science does.
    """
    text = StringIO()
    with np.printoptions(legacy=False):
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return re.sub(r"<[^>]+>", lambda tag: re.sub(r"\d+\.\d{3,}", _rounded, tag[0]), text.getvalue())


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}"
