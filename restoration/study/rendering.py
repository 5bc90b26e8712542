"""A table as plain data, and its text in Markdown, LaTeX and a terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as ConsoleTable
from rich.text import Text

LATEX = {
    **{sign: f"\\{sign}" for sign in "&%#_${}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "α": r"$\alpha$",
    "σ": r"$\sigma$",
    "–": "--",
    "·": r"$\cdot$",
    "→": r"$\to$",
}

UNBOUNDED = 10_000


@dataclass(frozen=True)
class Cell:
    """An entry of a table.

    Attributes:
        interval: smaller text beside or below it, such as "[0.12, 0.25]" or "± 0.02"; may have two lines.
        best: highlighted.
    """

    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """Named rows with a cell for each column title; notes stand below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, cells in self.rows:
            if len(cells) != len(self.columns):
                raise ValueError(
                    f"table {self.title!r}, row {name!r}: {len(self.columns)} cells are needed, one for each column, "
                    f"got {len(cells)}"
                )


def markdown(table: Table) -> str:
    """A GitHub table below its title, the notes as a list."""
    rows = [[name, *map(_markdown_cell, cells)] for name, cells in table.rows]
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"**{table.title}**\n\n{markdown_table(['', *table.columns], rows)}" + (f"\n{notes}" if notes else "")


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A GitHub table; the first `left` columns are aligned to the left."""
    lines = [[*head], *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    rule = "|" + "---|" * left + "---:|" * (len(head) - left)
    return "\n".join([texts[0], rule, *texts[1:]]) + "\n"


def latex(table: Table) -> str:
    """A booktabs table; title and notes as comments above it."""
    rows = [[_escaped(name), *map(_latex_cell, cells)] for name, cells in table.rows]
    lines = [
        *(f"% {line}" for line in (table.title, *table.notes)),
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["", *map(_escaped, table.columns)]) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def show(table: Table, console: Console) -> None:
    """Prints the table and its notes; columns that do not fit into the width go below the others."""
    console.print(Text(table.title))
    start = 0
    while start < len(table.columns):
        end = start + 1
        while end < len(table.columns) and _width(_grid(table, start, end + 1), console) <= console.width:
            end += 1
        console.print(_grid(table, start, end))
        start = end
    for note in table.notes:
        console.print(Padding(Text(note), (0, 0, 0, 2)))


def _grid(table: Table, start: int, end: int) -> ConsoleTable:
    """The columns from start to end − 1, beside the names of the rows."""
    grid = ConsoleTable()
    grid.add_column(overflow="fold")
    for column in table.columns[start:end]:
        grid.add_column(Text(column), justify="right", overflow="fold")
    for name, cells in table.rows:
        texts = [Text(_beside(cell.text, cell.interval), "bold" if cell.best else "") for cell in cells[start:end]]
        grid.add_row(Text(name), *texts)
    return grid


def _width(grid: ConsoleTable, console: Console) -> int:
    """Characters that the grid needs if every cell is one line."""
    return console.measure(grid, options=console.options.update_width(UNBOUNDED)).maximum


def _markdown_cell(cell: Cell) -> str:
    return _beside(f"**{cell.text}**" if cell.best else cell.text, cell.interval)


def _latex_cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    return _beside(rf"\textbf{{{text}}}" if cell.best else text, _escaped(cell.interval))


def _beside(text: str, interval: str) -> str:
    """Value and smaller text in one line."""
    return f"{text} {interval}".replace("\n", " ").strip()


def _escaped(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)
