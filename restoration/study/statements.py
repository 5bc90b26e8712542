"""What can be claimed about losses, made of parts that figures decide; the rules are told in `judge`."""

from collections.abc import Mapping
from dataclasses import dataclass

from restoration.study.statistics import Condition, Difference

HOLDS, FAILS, UNDECIDED, UNMEASURED = "holds", "does not hold", "undecided", "not measured"
FEWEST = 6  # photographs: with fewer, Wilcoxon's p, by which the other parts go, cannot be below 0.05
MARKS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?", UNMEASURED: "–"}


@dataclass(frozen=True)
class Pair:
    """Two losses at one condition: the figure that a part needs."""

    at: Condition
    first: str
    second: str

    @property
    def test(self) -> tuple[object, ...]:
        """The same for first − second and second − first."""
        return self.at, frozenset((self.first, self.second))


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
        if found.images < FEWEST:
            return UNDECIDED
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
        same = (before == self.main.first) == (after == self.other.first)  # its losses may have other names
        return UNDECIDED if after is None else HOLDS if same else FAILS


Part = Better | Alike | Survives


@dataclass(frozen=True)
class Claim:
    """A statement and the parts that it is made of.

    Attributes:
        source: [S] stated, [R] recalled (see the paper's summary), "question" where the paper is silent.
        test: in words.
        missing: records without which not even the parts can be said.
        summary: whether its pieces show its parts' figures one by one.
        piece: what of the claim before it that is a summary, in words; empty for a claim of its own.
    """

    number: str
    words: str
    source: str
    test: str
    parts: tuple[Part, ...] = ()
    missing: tuple[str, ...] = ()
    summary: bool = False
    piece: str = ""

    def variants(self) -> set[str]:
        """Of the runs that its parts are about."""
        return {pair.at.variant for part in self.parts for pair in part.pairs()}
