"""The study's tables as tables of a report."""

from restoration.metrics import METRICS
from restoration.report.contents import Cell, Table
from restoration.tables import ResultTable


def table_of(result: ResultTable) -> Table:
    """The same numbers, with their spread over seeds as the interval."""
    rows = [
        (METRICS[name].title, [_cell(text, best=best) for text, best in cells])
        for name, cells in zip(result.metrics, result.cells(), strict=True)
    ]
    return Table(result.title, result.columns, rows, result.header)


def _cell(text: str, *, best: bool) -> Cell:
    value, sign, spread = text.partition(" ± ")
    return Cell(value, f"{sign}{spread}".strip(), best)
