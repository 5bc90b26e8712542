"""A table says the same in every form."""

from io import StringIO

from rich.console import Console

from restoration.rendering import Cell, Table, latex, markdown, markdown_table, show


def test_tables_are_written_as_markdown_and_latex():
    cells = [Cell("30.1", "+0.2\n[−0.1, 0.5]", best=True), Cell("–")]
    table = Table("α_1: 5 %", ("A&B", "L1"), [("a_b", cells)], ("100 % noted",))
    assert markdown(table) == (
        "**α_1: 5 %**\n\n|  | A&B | L1 |\n|---|---:|---:|\n| a_b | **30.1** +0.2 [−0.1, 0.5] | – |\n\n- 100 % noted\n"
    )
    assert latex(table).splitlines() == [
        "% α_1: 5 %",
        "% 100 % noted",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r" & A\&B & L1 \\",
        r"\midrule",
        r"a\_b & \textbf{30.1} +0.2 [$-$0.1, 0.5] & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_the_terminal_shows_every_text_as_it_is():
    shown = StringIO()
    cells = [Cell("30.1", "+0.2\n[−0.1, 0.5]", best=True), Cell("[red]1")]
    show(Table("[b]title", ("A", "B"), [("[i]name", cells)], ("[u]noted",)), Console(width=100, file=shown))
    for text in ("[b]title", "[i]name", "30.1 +0.2 [−0.1, 0.5]", "[red]1", "[u]noted"):
        assert text in shown.getvalue()


def test_cells_cannot_break_a_table():
    assert markdown_table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n|---|---:|\n| x\\|y | 1 |\n"
