"""The claims ledger as a block of a report."""

from collections.abc import Sequence

from restoration.study.ledger import Ledger as JudgedLedger
from restoration.study.ledger import Row
from restoration.study.report.contents import Claim, Ledger, Verdict


def ledger_of(judged: JudgedLedger) -> Ledger:
    """The ledger with its figures folded."""
    return Ledger(
        judged.title,
        [_claim(row, pieces) for row, pieces in judged.claims()],
        [*filter(None, [judged.lacking()]), judged.note()],
    )


def _claim(row: Row, pieces: Sequence[Row]) -> Claim:
    return Claim(
        row.piece or f"{row.number}. {row.marked_claim()}",
        row.in_few_words(pieces),
        Verdict(row.verdict),
        "" if row.piece else row.test,
        row.figures,
        [_claim(piece, ()) for piece in pieces if piece.figures],
        row.dagger,
    )
