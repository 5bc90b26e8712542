"""One table in all output formats."""

from io import StringIO

import pytest
from rich.console import Console

from restoration.study.rendering import LINE, Cell, Table, latex, markdown, markdown_table, show


def test_markdown_and_latex():
    cells = [Cell("30.1", "+0.2\n[−0.1, 0.5]", best=True), Cell("–")]
    table = Table("α_1: 5 %", ("A&B", "L1"), [("a_b", cells)], ("100 % noted",))
    assert markdown(table) == (
        "**α_1: 5 %**\n\n|  | A&B | L1 |\n|---|---:|---:|\n| a_b | **30.1** +0.2 [−0.1, 0.5] | – |\n\n- 100 % noted\n"
    )
    assert latex(table).splitlines() == [
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        r"\caption{$\alpha$\_1: 5 \%. 100 \% noted.}",
        r"\label{tab:1-5}",
        r"\begin{tabular}{@{}lrr@{}}",
        r"\toprule",
        r" & A\&B & L1 \\",
        r"\midrule",
        r"a\_b & \textbf{30.1} & -- \\",
        r" & {\scriptsize +0.2} &  \\",
        r" & {\scriptsize [$-$0.1, 0.5]} &  \\",
        r"\addlinespace",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_words():
    """Words are aligned to the left; lines of a cell stay lines in Markdown, and are broken in LaTeX."""
    long = "one two three four five six seven eight nine ten"
    table = Table("Words", ("A", "B"), [(long, [Cell(long, "x: y\nz"), Cell(long)])], words=True)
    assert f"|---|---|---|\n| {long} | {long}<br>x: y<br>z | {long} |" in markdown(table)
    lines = [line for line in latex(table).splitlines() if "&" in line and "{" not in line]
    assert len(lines) > 2
    assert all(len(line.removesuffix(r" \\").replace(" & ", "")) <= LINE for line in lines)


def test_markup_is_text_on_a_terminal():
    shown = StringIO()
    cells = [Cell("30.1", "+0.2\n[−0.1, 0.5]", best=True), Cell("[red]1")]
    show(Table("[b]title", ("A", "B"), [("[i]name", cells)], ("[u]noted",)), Console(width=100, file=shown))
    for text in ("[b]title", "[i]name", "30.1 +0.2 [−0.1, 0.5]", "[red]1", "[u]noted"):
        assert text in shown.getvalue()


def test_latex_escapes():
    rows = latex(Table("T", ("A",), [(r"{a}^2~\b", [Cell("1")])])).splitlines()
    assert rows[8] == r"\{a\}\textasciicircum{}2\textasciitilde{}\textbackslash{}b & 1 \\"


def test_markdown_escapes():
    assert markdown_table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n|---|---:|\n| x\\|y | 1 |\n"


@pytest.mark.parametrize(("width", "grids"), [(400, 1), (80, 6), (20, 12)])
def test_terminal_width(width, grids):
    """In a narrow terminal, columns are printed below each other; no digit is lost."""
    columns = [f"{number}th" for number in range(12)]
    rows = [
        (f"photograph {row}", [Cell(f"{row}{number:02}.125", "[0.12, 0.25]") for number in range(12)]) for row in (1, 2)
    ]
    stream = StringIO()
    show(Table("", columns, rows), Console(file=stream, width=width))
    shown = stream.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    assert shown.count("┏") == grids
    assert "…" not in shown
    if width > 20:  # else in pieces
        assert all(f"{cell.text} [0.12, 0.25]" in shown for _, cells in rows for cell in cells)
