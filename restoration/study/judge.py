"""Claims and records -> the ledger, with a verdict each.

Verdicts follow these rules, and nothing else:

- *First is better than second* holds where the 95 % interval of their difference excludes 0 in the claimed direction
  and Wilcoxon's signed ranks agree, with p below 0.05 after Holm's correction; it does not hold where both are so sure
  of the other direction; else undecided.
- *First and second are alike* holds where the interval lies within ± a margin, does not hold where it lies wholly
  outside, else undecided; so it is with fewer than six photographs, which Wilcoxon's test cannot decide by either.
- *The order survives* asks about two losses of which one is better in the main runs (others have no order to survive):
  it holds where the same one is better in the other runs, does not hold where the other one is, else undecided.
- A claim of several parts does not hold if any part does not; holds if all parts are measured and hold; else it is
  undecided. A claim without any measured part is "not measured"; what is missing is named once, below the ledger.
- A verdict that rests on a comparison of trained losses without knowing what another seed would change is marked.

The family of Holm's correction is every comparison of the ledger that is tested by p, each counted once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import pandas as pd

from restoration.study.bootstrap import RESAMPLES
from restoration.study.columns import title_of
from restoration.study.ledger import Ledger, Row
from restoration.study.scales import scale_of
from restoration.study.scores import Scores
from restoration.study.statements import (
    FAILS,
    HOLDS,
    UNDECIDED,
    UNMEASURED,
    Alike,
    Claim,
    Figures,
    Pair,
    Part,
    Survives,
)
from restoration.study.statistics import holm

SHOWN = 9  # figures of a claim's parts; the rest is counted


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
        pair: scores.compare(pair.at, pair.first, pair.second, resamples=resamples, seed=seed)
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
    return Ledger(title, test_set, rows, unit, pd.DataFrame(details), count)


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
        any(figures[pair].of_these_trainings for _, part in judged for pair in part.pairs()),
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
