"""Curves against patches seen, as diagrams and as tables, from the scalars of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from restoration.scoring.metrics import METRICS
from restoration.study.columns import in_order, title_of
from restoration.study.rendering import Cell, Table
from restoration.study.report.contents import Curves, Series
from restoration.study.scalars import curve

X = "patches seen"


def diagram(
    title: str, scalars: Mapping[str, pd.DataFrame], tag: str, *, marks: Sequence[tuple[float, str]] = ()
) -> Curves:
    """A metric, the last part of the tag, of every loss that has it.

    Args:
        scalars: of one run for each loss.
    """
    metric = METRICS[tag.rpartition("/")[2]]
    series = [
        Series(title_of(loss), x, [metric.shown_times * value for value in y])
        for loss in in_order(set(scalars))
        for x, y in [curve(scalars[loss], tag)]
        if x
    ]
    return Curves(title, X, metric.title, series, (), marks)


def with_close_ups(curves: Curves) -> list[Curves]:
    """The diagram, and from each of its marks on: what came before may be so large that the rest looks flat."""
    close_ups = []
    for place, name in curves.marks:
        later = [
            Series(series.name, *zip(*points, strict=True))
            for series in curves.series
            if (points := [(x, y) for x, y in zip(series.x, series.y, strict=True) if x >= place])
        ]
        close_ups.append(replace(curves, title=f"{curves.title} since the {name}", series=later))
    return [curves, *close_ups]


def as_table(curves: Curves, digits: int) -> Table:
    """The points of a diagram: a row for each curve, a column for each place, a dash where it has no point."""
    places = sorted({x for series in curves.series for x in series.x})
    rows = []
    for series in curves.series:
        values = dict(zip(series.x, series.y, strict=True))
        rows.append((series.name, [Cell(f"{values[x]:.{digits}f}" if x in values else "–") for x in places]))
    notes = [f"{curves.y_label} against {curves.x_label}", *(f"{name} at {x:,.0f}" for x, name in curves.marks)]
    return Table(curves.title, [f"{x:,.0f}" for x in places], rows, notes)
