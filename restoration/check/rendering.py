"""Writes a card to the terminal, as Markdown, or as an HTML page."""

from collections.abc import Iterable
from html import escape

from rich.console import Console
from rich.table import Table
from rich.text import Text

from restoration.check.card import Card
from restoration.check.probe import DECLARED, FAULT, LIMIT, MEANING, MEASURED, OK

COLOURS = {FAULT: "bold red", LIMIT: "yellow", DECLARED: "cyan", MEASURED: "default"}
COLUMNS = ("probe", "verdict", "what was seen", "why it matters", "input")
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif }}
body {{ max-width: 70rem; margin: 1rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .5rem }}
td {{ border-bottom: 1px solid #8884; overflow-wrap: anywhere }}
.fault td:nth-child(2) {{ font-weight: bold; text-decoration: underline }}
@media (max-width: 45rem) {{ th:nth-child(n+4), td:nth-child(n+4) {{ display: none }} }}
</style>
<h1>{title}</h1><p>{summary}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
<ul>{meaning}</ul>
</html>
"""


def print_card(card: Card, console: Console | None = None) -> None:
    """Probes that are not 'ok' with what was seen; the others by name."""
    console = console or Console()
    table = Table("probe", "verdict", "what was seen", box=None, pad_edge=False)
    for verdict in (FAULT, LIMIT, DECLARED, MEASURED):
        for finding in card.findings:
            if finding.verdict == verdict:
                seen = Text(finding.text)
                if verdict == FAULT:
                    seen.append(f"\n{finding.probe.reason}; input: {finding.probe.given}", style="dim")
                table.add_row(finding.probe.name, Text(verdict, style=COLOURS[verdict]), seen)
    console.print(Text(f"{card.title}: {card.summary}", style="bold"))
    console.print(table)
    passed = ", ".join(finding.probe.name for finding in card.findings if finding.verdict == OK)
    console.print(Text(f"ok: {passed or 'none'}"))


def markdown(card: Card) -> str:
    """A heading, the summary and a table of all probes."""
    lines = [f"## {card.title}", "", card.summary, "", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
    lines += [_row(cell.replace("|", "\\|") for cell in row) for row in _cells(card)]
    lines += ["", *(f"- {verdict}: {meaning}" for verdict, meaning in _meaning(card).items())]
    return "\n".join(lines) + "\n"


def page(card: Card) -> str:
    """An HTML page that needs no other file."""
    rows = (
        f'<tr class="{row[1].replace(" ", "-")}">' + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _cells(card)
    )
    return PAGE.format(
        title=escape(card.title),
        summary=escape(card.summary),
        head="".join(f"<th>{name}</th>" for name in COLUMNS),
        rows="\n".join(rows),
        meaning="".join(f"<li><b>{verdict}</b>: {meaning}</li>" for verdict, meaning in _meaning(card).items()),
    )


def _cells(card: Card) -> list[tuple[str, ...]]:
    return [
        (finding.probe.name, finding.verdict, finding.text, finding.probe.reason, finding.probe.given)
        for finding in card.findings
    ]


def _meaning(card: Card) -> dict[str, str]:
    """The meaning of each verdict on this card."""
    seen = {finding.verdict for finding in card.findings}
    return {verdict: meaning for verdict, meaning in MEANING.items() if verdict in seen}


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
