"""The claims ledger: statements about losses, tested on records, with a verdict each.

Verdicts follow these rules, and nothing else:

- *First is better than second* holds where the 95 % interval of their difference excludes 0 in the claimed direction
  and Wilcoxon's p is below 0.05 after Holm's correction; it does not hold where the interval excludes 0 in the other
  direction with such a p; else undecided.
- *First and second are alike* holds where the interval lies within ± a margin, does not hold where it lies wholly
  outside, else undecided; so it is with fewer than six photographs, which Wilcoxon's test cannot decide by either.
- *The order survives* asks about two losses of which one is better in the main runs (others have no order to survive):
  it holds where the same one is better in the other runs, does not hold where the other one is, else undecided.
- A claim of several parts does not hold if any part does not; holds if all parts are measured and hold; else it is
  undecided. A claim without any measured part is "not measured"; what is missing is named once, below the ledger.

The family of Holm's correction is every comparison of the ledger that is tested by p, each counted once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from restoration.bootstrap import RESAMPLES
from restoration.columns import title_of
from restoration.rendering import Cell, Table, markdown_table
from restoration.scales import scale_of
from restoration.statements import (
    FAILS,
    HOLDS,
    MARKS,
    UNDECIDED,
    UNMEASURED,
    Alike,
    Claim,
    Figures,
    Pair,
    Part,
    Survives,
)
from restoration.statistics import Scores, holm

SHOWN = 9  # figures of a claim's parts; the rest is counted


@dataclass(frozen=True)
class Row:
    """A line of the ledger: `measured` in few words, `figures` one by one."""

    number: str
    claim: str
    piece: str
    source: str
    test: str
    verdict: str
    measured: str
    figures: tuple[str, ...]
    missing: tuple[str, ...]

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
        seeds: how many trainings each figure may rest on.
    """

    title: str
    test_set: str
    rows: tuple[Row, ...]
    unit: str
    parts: pd.DataFrame
    tests: int
    seeds: frozenset[int]

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
            f" Where there is 1 seed, both are over {self.unit}s alone: the verdict is about these very networks, and "
            "others, trained alike from another seed, may differ where the difference is small."
        )
        few = (
            " Intervals of a few seeds are too short: of three they hold the truth in 79 to 89 % of simulated cases, "
            "where seeds shift all photographs together."
        )
        tiles = " Tiles of one photograph are not photographs: intervals do not tell how photographs differ."
        return (
            f"Measured: mean over {self.unit}s and seeds [95 % bootstrap interval over both]. Better means: the "
            "interval excludes 0 and Wilcoxon's signed-rank test agrees with p < 0.05 after Holm's correction for "
            f"{self.tests} comparisons; p is shown corrected.{alone if 1 in self.seeds else ''}"
            f"{few if self.seeds & {2, 3, 4} else ''}{tiles if self.unit == 'tile' else ''} Every figure: claims.csv. "
            "[S]: stated in the paper; [R]: recalled, unverified."
        )

    def markdown(self) -> str:
        """Under the title a GitHub table of verdicts, what is missing, and a table of tests and figures."""
        verdicts = [
            (f"{MARKS[row.verdict]} {row.verdict}", row.number, row.marked_claim(), row.in_few_words(pieces))
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
        found = [rows[number].verdict if number in rows else "" for rows in judged.values()]
        body.append((f"{number}. {words}", [Cell(f"{MARKS[it]} {it}" if it else "") for it in found]))
    notes = [
        "the tests, figures and intervals behind each verdict: claims.md",
        "[S]: stated in the paper, [R]: recalled, unverified; Q: asked by this project, the paper does not say",
    ]
    return Table("What the paper claims, and what was found", [*ledgers], body, notes)


def _order(number: str) -> tuple[bool, float]:
    """The paper's claims by number, then the questions."""
    return number.startswith("Q"), float(number.lstrip("Q"))


def judge(
    claims: Sequence[Claim],
    scores: Scores,
    *,
    title: str,
    test_set: str,
    unit: str = "image",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Ledger:
    """Measures what the claims need and the scores have, corrects it together, and gives every claim its verdict."""
    parts = [part for claim in claims for part in claim.parts]
    figures = {
        pair: scores.compare(pair.at, pair.first, pair.second, only=pair.seeds or None, resamples=resamples, seed=seed)
        for pair in dict.fromkeys(pair for part in parts for pair in part.pairs())
        if not _missing(pair, scores)
    }
    tested = [
        pair
        for pair in dict.fromkeys(pair for part in parts if not isinstance(part, Alike) for pair in part.pairs())
        if pair in figures
    ]
    p_values = {pair.test: figures[pair].p for pair in tested}
    adjusted = dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
    figures |= {pair: replace(figures[pair], p_holm=adjusted[pair.test]) for pair in tested}
    details = [line for claim in claims for line in _details(claim, figures)]
    rows = tuple(_row(claim, figures, scores, unit) for claim in claims)
    count = len({pair.test for pair in tested if figures[pair].images})
    seeds = frozenset(found.seeds for found in figures.values() if found.images)
    return Ledger(title, test_set, rows, unit, pd.DataFrame(details), count, seeds)


def _row(claim: Claim, figures: Figures, scores: Scores, unit: str) -> Row:
    missing = list(claim.missing)
    judged: list[tuple[str | None, Part]] = []
    for part in claim.parts:
        lacking = [text for pair in part.pairs() for text in _lacking(pair, figures, scores)]
        missing += lacking
        if not lacking:
            judged.append((part.verdict(figures), part))
    decided = [verdict for verdict, _ in judged if verdict is not None]
    if not judged:
        verdict = UNMEASURED
    elif FAILS in decided:
        verdict = FAILS
    else:
        verdict = HOLDS if decided and not missing and set(decided) == {HOLDS} else UNDECIDED
    shown = () if claim.summary or not judged else (*_figures(judged, figures), _basis(judged, figures, unit))
    unmeasured = len(claim.parts) - len(judged)
    return Row(
        claim.number,
        claim.words,
        claim.piece,
        claim.source,
        claim.test,
        verdict,
        _counted(judged, unmeasured, figures),
        shown,
        tuple(dict.fromkeys(missing)),
    )


def _counted(judged: Sequence[tuple[str | None, Part]], unmeasured: int, figures: Figures) -> str:
    """The figure of a single part; of more, how many say what."""
    if not judged:
        return "–"
    if len(judged) == 1 and not unmeasured:
        return _told(judged[0][1], figures)
    counts = Counter(verdict for verdict, _ in judged)
    texts = [f"{counts[HOLDS]} of {len(judged)} hold"]
    texts += [
        f"{counts[verdict]} {words}"
        for verdict, words in ((FAILS, "do not"), (UNDECIDED, "undecided"), (None, "without an order"))
        if counts[verdict]
    ]
    return ", ".join([*texts, *([f"{unmeasured} more not measured"] if unmeasured else [])])


def _figures(judged: Sequence[tuple[str | None, Part]], figures: Figures) -> list[str]:
    """The figures of the parts: contradictions first, then the undecided."""
    order = {FAILS: 0, UNDECIDED: 1, HOLDS: 2, None: 3}
    ranked = sorted(judged, key=lambda each: order[each[0]])
    texts = [_told(part, figures) for _, part in ranked[:SHOWN]]
    return [*texts, f"and {len(ranked) - SHOWN} more"] if len(ranked) > SHOWN else texts


def _basis(judged: Sequence[tuple[str | None, Part]], figures: Figures, unit: str) -> str:
    """Which part of the experiment the figures are from, and how many images and seeds."""
    variants: dict[str, dict[str, None]] = {}
    for pair in (pair for _, part in judged for pair in part.pairs()):
        variants.setdefault(figures[pair].basis(unit), {})[pair.at.variant] = None
    return "from " + "; ".join(f"{', '.join(names)}: {basis}" for basis, names in variants.items())


def _told(part: Part, figures: Figures) -> str:
    """The figures of a part, in one line without semicolons."""
    if isinstance(part, Survives):
        before, after = (figures[pair] for pair in part.pairs())
        return f"{part.main.at.task}: {before} in {part.main.at.variant}, {after} in {part.other.at.variant}"
    found = figures[part.pair]
    if isinstance(part, Alike):
        return f"{part.pair.at.task}: {found}, margin {scale_of(part.pair.at.metric).shown(part.margin)}"
    return f"{part.pair.at.task}: {found}, {found.shown_p().removesuffix(' after Holm')}"


def _details(claim: Claim, figures: Figures) -> Iterable[dict[str, object]]:
    for part in claim.parts:
        if all(pair in figures and figures[pair].images for pair in part.pairs()):
            verdict = part.verdict(figures) or "no order to survive"
            for pair in part.pairs():
                facts = asdict(figures[pair])
                yield {"number": claim.number, **facts.pop("at"), **facts, "verdict": verdict}


def _lacking(pair: Pair, figures: Figures, scores: Scores) -> list[str]:
    if pair not in figures:
        return _missing(pair, scores)
    found = figures[pair]
    return [] if found.images else [f"a finite {found.at.metric} of {found.at.task}"]


def _missing(pair: Pair, scores: Scores) -> list[str]:
    """What the records lack of a pair, in words."""
    texts = []
    for loss in (pair.first, pair.second):
        if scores.has(pair.at, loss):
            continue
        if pair.at.variant not in scores.variants:
            texts.append(f"variant {pair.at.variant}")
        elif not any(scores.has(replace(pair.at, metric=metric), loss) for metric in scores.metrics):
            texts.append(f"{title_of(loss)} for {pair.at.task}")
        else:
            texts.append(f"{pair.at.metric} of {title_of(loss)} for {pair.at.task}")
    if not texts and not scores.comparable(pair.at, pair.first, pair.second):
        losses = f"{title_of(pair.first)} and {title_of(pair.second)}"
        texts.append(f"a common seed of {losses} for {pair.at.task} in {pair.at.variant}")
    return texts
