"""The claims ledger: what was judged, as texts; `judge` does that by its rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from restoration.study.rendering import Cell, Table, markdown_table
from restoration.study.statements import FAILS, HOLDS, MARKS, UNMEASURED


@dataclass(frozen=True)
class Row:
    """A line of the ledger.

    Attributes:
        measured: in few words.
        figures: one by one.
        of_these_trainings: whether some figure does not know what another seed would change.
    """

    number: str
    claim: str
    piece: str
    source: str
    test: str
    verdict: str
    measured: str
    figures: tuple[str, ...]
    missing: tuple[str, ...]
    of_these_trainings: bool

    @property
    def dagger(self) -> str:
        """Where other trainings may decide otherwise."""
        return " †" if self.of_these_trainings and self.verdict in (HOLDS, FAILS) else ""

    def marked_verdict(self) -> str:
        return f"{MARKS[self.verdict]} {self.verdict}{self.dagger}"

    def marked_claim(self) -> str:
        """With where it is from, where the paper makes it."""
        return f"{self.claim} {self.source}" if self.source.startswith("[") else self.claim

    def in_few_words(self, pieces: Sequence["Row"]) -> str:
        """What was measured, and which of its pieces hold."""
        if not any(piece.verdict != UNMEASURED for piece in pieces):
            return self.measured
        return f"{self.measured}: {'; '.join(f'{piece.piece} {MARKS[piece.verdict]}' for piece in pieces)}"


@dataclass(frozen=True)
class Ledger:
    """Judged claims of one test set, each before its pieces.

    Attributes:
        unit: what the figures are means over, beside seeds: "image", or "tile" where images are not independent.
        parts: a row for every part of every claim.
        tests: how many were corrected together.
    """

    title: str
    test_set: str
    rows: tuple[Row, ...]
    unit: str
    parts: pd.DataFrame
    tests: int

    def claims(self) -> list[tuple[Row, list[Row]]]:
        """Every claim with its pieces."""
        claims: list[tuple[Row, list[Row]]] = []
        for row in self.rows:
            if row.piece:
                claims[-1][1].append(row)
            else:
                claims.append((row, []))
        return claims

    def note(self) -> str:
        """What the figures are, and when a loss is called better."""
        alone = (
            f" †: nothing is known of what another seed would change: intervals are over {self.unit}s only, and other "
            "trainings may differ."
        )
        tiles = " Tiles of one photograph are not photographs: intervals do not tell how photographs differ."
        return (
            f"Measured: mean over {self.unit}s and seeds [95 % bootstrap interval over both; what another seed changes "
            "is taken from losses of its kind that were trained several times]. Better means: the interval excludes 0 "
            f"and Wilcoxon's signed-rank test over {self.unit}s agrees with p < 0.05 after Holm's correction for "
            f"{self.tests} comparisons; p is shown corrected."
            f"{alone if any(row.dagger for row in self.rows) else ''}"
            f"{tiles if self.unit == 'tile' else ''} Every figure: claims.csv. "
            "[S]: stated in the paper; [R]: recalled, unverified."
        )

    def markdown(self) -> str:
        """Under the title a GitHub table of verdicts, what is missing, and a table of tests and figures."""
        verdicts = [
            (row.marked_verdict(), row.number, row.marked_claim(), row.in_few_words(pieces))
            for row, pieces in self.claims()
        ]
        figures = [
            (row.number, row.piece or row.claim, row.test, MARKS[row.verdict], "<br>".join(row.figures))
            for row in self.rows
            if row.figures
        ]
        texts = [
            f"**{self.title}**",
            markdown_table(("verdict", "", "claim", "measured"), verdicts, left=4),
            *filter(None, [self.lacking()]),
            f"{self.note()}\n",
            f"**Tests and figures on {self.test_set}**",
            markdown_table(("", "claim", "test", "", "measured"), figures, left=5),
        ]
        return "\n".join(text if text.endswith("\n") else f"{text}\n" for text in texts)

    def lacking(self) -> str:
        """What is missing, as a sentence; empty where nothing is."""
        texts = [f"{text} ({', '.join(numbers)})" for text, numbers in self.missing().items()]
        return f"Missing, and for which claims: {'; '.join(texts)}." if texts else ""

    def missing(self) -> dict[str, list[str]]:
        """What the records lack, and the numbers of the claims that it is lacking to, pieces not told apart."""
        lacking: dict[str, list[str]] = {}
        for row, _ in self.claims():
            for text in row.missing:
                lacking.setdefault(text, []).append(row.number)
        return lacking


def verdicts(ledgers: Mapping[str, Ledger]) -> Table:
    """The verdicts of several ledgers side by side, by their names."""
    judged = {name: {row.number: row for row, _ in ledger.claims()} for name, ledger in ledgers.items()}
    claims = {number: row.marked_claim() for rows in judged.values() for number, row in rows.items()}
    body = []
    for number, words in sorted(claims.items(), key=lambda claim: _order(claim[0])):
        found = [rows[number].marked_verdict() if number in rows else "" for rows in judged.values()]
        body.append((f"{number}. {words}", [Cell(text) for text in found]))
    marked = any(row.dagger for rows in judged.values() for row in rows.values())
    notes = [
        *(["†: nothing is known of what another seed would change"] if marked else []),
        "the tests, figures and intervals behind each verdict: claims.md",
        "[S]: stated in the paper, [R]: recalled, unverified; Q: asked by this project, the paper does not say",
    ]
    return Table("What the paper claims, and what was found", [*ledgers], body, notes)


def _order(number: str) -> tuple[bool, float]:
    """The paper's claims by number, then the questions."""
    return number.startswith("Q"), float(number.lstrip("Q"))
