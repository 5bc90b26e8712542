"""The claims ledger: statements about losses, tested on records, with a verdict each.

Verdicts follow these rules, and nothing else:

- *First is better than second* holds where the 95 % interval of their difference excludes 0 in the claimed direction
  and Wilcoxon's p is below 0.05 after Holm's correction; it does not hold where the interval excludes 0 in the other
  direction with such a p; else undecided.
- *First and second are alike* holds where the interval lies within ± a margin, does not hold where it lies wholly
  outside, else undecided.
- *The order survives* asks about two losses of which one is better in the main runs (others have no order to survive):
  it holds where the same one is better in the other runs, does not hold where the other one is, else undecided.
- A claim of several parts does not hold if any part does not; holds if all parts are measured and hold; else it is
  undecided. A claim without any measured part is "not measured", and what is missing is named.

The family of Holm's correction is every comparison of the ledger that is tested by p, each counted once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from restoration.bootstrap import RESAMPLES
from restoration.comparisons import markdown_table
from restoration.scales import scale_of
from restoration.statistics import Condition, Difference, Scores, corrected
from restoration.tables import title_of

HOLDS, FAILS, UNDECIDED, UNMEASURED = "holds", "does not hold", "undecided", "not measured"
SHOWN = 9  # figures of a claim's parts; the rest is counted


@dataclass(frozen=True)
class Pair:
    """Two losses at one condition: the figure that a part needs."""

    at: Condition
    first: str
    second: str


Figures = Mapping[Pair, Difference]


@dataclass(frozen=True)
class Better:
    """`pair.first` is better than `pair.second`."""

    pair: Pair

    def pairs(self) -> tuple[Pair, ...]:
        return (self.pair,)

    def verdict(self, figures: Figures) -> str | None:
        better = figures[self.pair].better
        return UNDECIDED if better is None else HOLDS if better == self.pair.first else FAILS


@dataclass(frozen=True)
class Alike:
    """The two losses of `pair` differ by less than `margin`, in the metric's own unit."""

    pair: Pair
    margin: float

    def pairs(self) -> tuple[Pair, ...]:
        return (self.pair,)

    def verdict(self, figures: Figures) -> str | None:
        found = figures[self.pair]
        if -self.margin < found.low and found.high < self.margin:
            return HOLDS
        return FAILS if found.low >= self.margin or found.high <= -self.margin else UNDECIDED


@dataclass(frozen=True)
class Survives:
    """Which of two losses is better in the `main` runs is better in the `other` runs, too."""

    main: Pair
    other: Pair

    def pairs(self) -> tuple[Pair, ...]:
        return (self.main, self.other)

    def verdict(self, figures: Figures) -> str | None:
        """None where the main runs have no order."""
        before, after = figures[self.main].better, figures[self.other].better
        if before is None:
            return None
        return UNDECIDED if after is None else HOLDS if after == before else FAILS


Part = Better | Alike | Survives


@dataclass(frozen=True)
class Claim:
    """A statement and the parts that it is made of.

    Attributes:
        source: [S] stated, [R] recalled (see the paper's summary), "question" where the paper is silent.
        test: in words.
        missing: records without which not even the parts can be said.
        summary: whether other claims show its parts' figures one by one.
    """

    number: str
    words: str
    source: str
    test: str
    parts: tuple[Part, ...] = ()
    missing: tuple[str, ...] = ()
    summary: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the ledger."""

    number: str
    claim: str
    source: str
    test: str
    measured: str
    verdict: str


@dataclass(frozen=True)
class Ledger:
    """Judged claims of one test set; `parts` has a row for every part of every claim."""

    title: str
    rows: tuple[Row, ...]
    parts: pd.DataFrame
    tests: int

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__dataclass_fields__))

    def markdown(self) -> str:
        """A GitHub table under its title."""
        rows = [
            (row.number, row.claim, row.source, row.test, row.measured.replace("; ", "<br>"), f"**{row.verdict}**")
            for row in self.rows
        ]
        head = ("", "claim", "source", "test", "measured", "verdict")
        note = (
            "Measured: mean over photographs and seeds [95 % bootstrap interval over both]. Better means: the interval "
            f"excludes 0 and Wilcoxon's signed-rank test has p < 0.05 after Holm's correction for {self.tests} "
            "comparisons.\n"
        )
        return f"**{self.title}**\n\n{markdown_table(head, rows, left=len(head))}\n{note}"


def judge(claims: Sequence[Claim], scores: Scores, *, title: str, resamples: int = RESAMPLES, seed: int = 0) -> Ledger:
    """Measures what the claims need and the scores have, corrects it together, and gives every claim its verdict."""
    parts = [part for claim in claims for part in claim.parts]
    figures = {
        pair: scores.compare(pair.at, pair.first, pair.second, resamples=resamples, seed=seed)
        for pair in dict.fromkeys(pair for part in parts for pair in part.pairs())
        if not _missing(pair, scores)
    }
    tested = [
        pair
        for pair in dict.fromkeys(pair for part in parts if not isinstance(part, Alike) for pair in part.pairs())
        if pair in figures
    ]
    figures |= dict(zip(tested, corrected([figures[pair] for pair in tested]), strict=True))
    details = [line for claim in claims for line in _details(claim, figures)]
    rows = tuple(_row(claim, figures, scores) for claim in claims)
    count = len({(pair.at, frozenset((pair.first, pair.second))) for pair in tested if figures[pair].images})
    return Ledger(title, rows, pd.DataFrame(details), count)


def _row(claim: Claim, figures: Figures, scores: Scores) -> Row:
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
    texts = _counts(judged) if len(judged) > 1 else []
    texts += [] if claim.summary else _figures(judged, figures)
    used = [figures[pair].basis() for _, part in judged for pair in part.pairs()]
    texts += [f"from {basis}" for basis in dict.fromkeys(used)]
    if missing:
        texts.append("missing: " + ", ".join(dict.fromkeys(missing)))
    return Row(claim.number, claim.words, claim.source, claim.test, "; ".join(texts), verdict)


def _counts(judged: Sequence[tuple[str | None, Part]]) -> list[str]:
    names = {HOLDS: "hold", FAILS: "do not hold", UNDECIDED: "undecided", None: "without an order to survive"}
    counts = {verdict: sum(each == verdict for each, _ in judged) for verdict in names}
    told = ", ".join(f"{count} {names[verdict]}" for verdict, count in counts.items() if count)
    return [f"{len(judged)} parts: {told}"]


def _figures(judged: Sequence[tuple[str | None, Part]], figures: Figures) -> list[str]:
    """The figures of the parts: contradictions first, then the undecided."""
    order = {FAILS: 0, UNDECIDED: 1, HOLDS: 2, None: 3}
    ranked = sorted(judged, key=lambda each: order[each[0]])
    texts = [_told(part, figures) for _, part in ranked[:SHOWN]]
    return [*texts, f"and {len(ranked) - SHOWN} more"] if len(ranked) > SHOWN else texts


def _told(part: Part, figures: Figures) -> str:
    """The figures of a part, in one line without semicolons."""
    if isinstance(part, Survives):
        before, after = (figures[pair] for pair in part.pairs())
        return f"{part.main.at.task}: {before} in {part.main.at.variant}, {after} in {part.other.at.variant}"
    found = figures[part.pair]
    if isinstance(part, Alike):
        return f"{part.pair.at.task}: {found}, margin {scale_of(part.pair.at.metric).shown(part.margin)}"
    return f"{part.pair.at.task}: {found}, {found.shown_p()}"


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
    return texts
