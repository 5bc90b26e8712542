"""A table as plain data, and its text in Markdown, LaTeX and a terminal."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

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
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
LINE = 64  # characters of a LaTeX table in all columns together: 345 pt in \small, with room between columns
HEADING = 12  # characters of a line of a heading in LaTeX
SMALLER = 1.25  # as many characters of an interval fit where one character of a value fits
UNBOUNDED = 10_000


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        interval: smaller text beside or below the value, such as "[0.12, 0.25]" or "± 0.02"; may have two lines.
        best: highlighted.
    """

    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """Named rows with a cell for each column title, and notes. `words`: the cells hold words, not numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    notes: Sequence[str] = ()
    words: bool = False

    def __post_init__(self) -> None:
        for name, cells in self.rows:
            if len(cells) != len(self.columns):
                raise ValueError(
                    f"table {self.title!r}, row {name!r}: {len(self.columns)} cells are needed, one for each column, "
                    f"got {len(cells)}"
                )


def markdown(table: Table) -> str:
    """A GitHub table below its title, the notes as a list."""
    rows = [
        [name, *(_markdown_cell(cell, "<br>" if table.words else " ") for cell in cells)] for name, cells in table.rows
    ]
    notes = "".join(f"- {note}\n" for note in table.notes)
    left = 1 + (len(table.columns) if table.words else 0)
    shown = markdown_table(["", *table.columns], rows, left=left)
    return f"**{table.title}**\n\n{shown}" + (f"\n{notes}" if notes else "")


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A GitHub table; the first `left` columns are aligned to the left."""
    lines = [[*head], *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    rule = "|" + "---|" * left + "---:|" * (len(head) - left)
    return "\n".join([texts[0], rule, *texts[1:]]) + "\n"


def latex(table: Table) -> str:
    """A table with caption and label for the package booktabs that fits into 345 pt.

    An interval is below its value. Names, headings and words are broken into lines that fit the columns.
    """
    head = ["", *table.columns]
    body = [(name, *cells) for name, cells in table.rows]
    natural = [min(max(map(len, title.split()), default=0), HEADING) for title in head]
    for row in body:
        natural = [max(length, _natural_width(cell)) for length, cell in zip(natural, row, strict=True)]
    while sum(natural) > LINE:
        natural[natural.index(max(natural))] -= 1
    sentences = [re.sub("^[a-z]", lambda first: first[0].upper(), text) for text in (table.title, *table.notes)]
    lines = [
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{_escaped(' '.join(text if text[-1] in '.?' else f'{text}.' for text in sentences))}}}",
        rf"\label{{tab:{re.sub('[^a-z0-9]+', '-', table.title.lower()).strip('-')}}}",
        rf"\begin{{tabular}}{{@{{}}l{('l' if table.words else 'r') * len(table.columns)}@{{}}}}",
        r"\toprule",
        *_latex_row(head, [max(width, HEADING) for width in natural]),
        r"\midrule",
        *(line for row in body for line in _latex_row(row, natural)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def show(table: Table, console: Console) -> None:
    """Prints the table and its notes; columns that do not fit into the width are printed below the others."""
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
    """The names of the rows, and the columns from start to end − 1."""
    grid = ConsoleTable()
    grid.add_column(overflow="fold")
    for column in table.columns[start:end]:
        grid.add_column(Text(column), justify="left" if table.words else "right", overflow="fold")
    for name, cells in table.rows:
        texts = [
            Text(" ".join([cell.text, *cell.interval.splitlines()]), "bold" if cell.best else "")
            for cell in cells[start:end]
        ]
        grid.add_row(Text(name), *texts)
    return grid


def _width(grid: ConsoleTable, console: Console) -> int:
    """Characters that the grid needs if every cell is one line."""
    return console.measure(grid, options=console.options.update_width(UNBOUNDED)).maximum


def _markdown_cell(cell: Cell, between: str) -> str:
    lines = [f"**{cell.text}**" if cell.best else cell.text, *cell.interval.splitlines()]
    return between.join(lines)


def _natural_width(cell: str | Cell) -> int:
    """Width of a cell in one line of LaTeX, in characters; smaller characters count less."""
    if isinstance(cell, str):
        return len(cell)
    return max(len(cell.text), *(round(len(line) / SMALLER) for line in [*cell.interval.splitlines(), ""]))


def _latex_row(cells: Sequence[str | Cell], widths: Sequence[int]) -> list[str]:
    """The lines of a row; each cell is broken into lines that fit its width."""
    columns = [_latex_lines(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = [" & ".join(line) + r" \\" for line in zip_longest(*columns, fillvalue="")]
    return [*lines, r"\addlinespace"] if len(lines) > 1 else lines


def _latex_lines(cell: str | Cell, width: int) -> list[str]:
    if isinstance(cell, str):
        return _broken(cell, width)
    small = [line for part in cell.interval.splitlines() for line in _broken(part, round(SMALLER * width))]
    text = _broken(cell.text, width)
    return [
        *(rf"\textbf{{{line}}}" if cell.best else line for line in text),
        *(rf"{{\scriptsize {line}}}" for line in small),
    ]


def _broken(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters where the spaces allow it."""
    return list(map(_escaped, textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)))


def _escaped(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)
