"""How much of each artefact every loss leaves, as tables."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from restoration.names import ARTEFACTS, INPUT, is_measured
from restoration.study.columns import columns_in_order, title_of
from restoration.study.rendering import Cell, Table
from restoration.study.scales import scale_of
from restoration.study.scores import Scores
from restoration.study.statistics import Condition


def artefact_table(scores: Scores, at: Condition, *, input_title: str) -> Table | None:
    """A row for each measure of a task on a test set, whatever the metric of `at`; None where none is scored.

    A photograph counts where all columns have a value.
    """
    places = [replace(at, metric=name) for name in ARTEFACTS if is_measured(name, at.task)]
    places = [place for place in places if scores.losses(place)]
    columns = columns_in_order({loss for place in places for loss in scores.losses(place)})
    rows = [row for place in places if (row := _row(scores, place, columns))]
    if not rows:
        return None
    return Table(
        f"Artefacts: {at.task} on {at.test_set} ({at.data}, {at.variant})",
        [input_title if loss == INPUT else title_of(loss) for loss in columns],
        rows,
        [
            "8-bit levels, mean over photographs and seeds [95 % bootstrap interval over both]; less is better. What "
            "is measured: restoration/scoring/artefacts.py",
            "differences of losses on the same photographs have intervals of their own: differences.md",
        ],
    )


def _row(scores: Scores, at: Condition, columns: Sequence[str]) -> tuple[str, list[Cell]] | None:
    """Means with their intervals, a dash for what is not scored; None where no photograph has all values."""
    tables = {loss: scores.table(at, loss) for loss in columns if scores.has(at, loss)}
    finite = np.logical_and.reduce([np.isfinite(table.to_numpy(float)).all(axis=1) for table in tables.values()])
    if not finite.any():
        return None
    scale = scale_of(at.metric)
    values = {loss: table.to_numpy(float)[finite] for loss, table in tables.items()}
    means = {loss: scale.shown(table.mean()) for loss, table in values.items()}
    least = scale.shown(min(table.mean() for table in values.values()))
    cells = []
    for loss in columns:
        if loss not in values:
            cells.append(Cell("–"))
            continue
        low, high = scores.interval(at, values[loss], [loss])
        cells.append(Cell(means[loss], f"[{scale.shown(low)}, {scale.shown(high)}]", means[loss] == least))
    title = ARTEFACTS[at.metric].title
    some = "" if finite.all() else f" ({finite.sum()} of {len(finite)} photographs)"
    return f"{title}{some}", cells
