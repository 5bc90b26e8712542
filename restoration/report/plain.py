"""A report's tables outside its page: Markdown and LaTeX."""

from restoration.comparisons import markdown_table
from restoration.report.contents import Cell, Table

LATEX = {
    **{sign: f"\\{sign}" for sign in "&%#_$"},
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "α": r"$\alpha$",
    "σ": r"$\sigma$",
    "–": "--",
    "·": r"$\cdot$",
    "→": r"$\to$",
}


def markdown(table: Table) -> str:
    """A GitHub table under its title, its notes as a list; intervals beside the values."""
    rows = [[name, *(_marked(cell, f"**{cell.text}**") for cell in cells)] for name, cells in table.rows]
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"**{table.title}**\n\n{markdown_table(['', *table.columns], rows)}" + (f"\n{notes}" if notes else "")


def latex(table: Table) -> str:
    """A booktabs table; title and notes as comments above it."""
    rows = [
        [_escaped(name), *(_marked(_plain(cell), rf"\textbf{{{_plain(cell).text}}}") for cell in cells)]
        for name, cells in table.rows
    ]
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


def _marked(cell: Cell, bold: str) -> str:
    return f"{bold if cell.best else cell.text} {cell.interval}".replace("\n", " ").strip()


def _plain(cell: Cell) -> Cell:
    return Cell(_escaped(cell.text), _escaped(cell.interval), cell.best)


def _escaped(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)
