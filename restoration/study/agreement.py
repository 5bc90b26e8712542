"""The verdicts of a study on each claim, for each task, on one test set or on all together.

NOTES define the verdicts. "equal" and "worse" contradict "better". Comparisons with losses that were not trained are
ignored; a note lists these losses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from restoration.names import DECIDING, PAPER_METRICS, metric, part_title, task_title
from restoration.study.claims import Claim, claims
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.statistics import BETTER, EQUAL, NOT_KNOWN, WORSE, Comparison, Comparisons, Pair
from restoration.study.tables import column_title, photograph_sets, set_title, short_title
from restoration.study.values import Condition

SUPPORTED, REFUTED, MIXED, NOT_RUN = "supported", "refuted", "mixed", "not run"
NOTES = (
    "supported: every comparison agrees with the claim, by PSNR and MS-SSIM or by the artefact or error that the claim "
    "names; refuted: every one contradicts the claim; mixed: some agree, others contradict; not known: all other cases",
    "verdicts are for all test sets together; where test sets differ, each has a line",
    "recalled: what the paper says is known from memory only; our question: the paper says nothing about it",
)


class Finding(NamedTuple):
    """The expected verdict on a pair of losses, and their comparison; None: a loss was not trained."""

    pair: Pair
    expected: str
    comparison: Comparison | None

    @property
    def outcome(self) -> str:
        if self.comparison is None:
            return NOT_RUN
        if self.comparison.verdict == NOT_KNOWN:
            return NOT_KNOWN
        return SUPPORTED if self.comparison.verdict == self.expected else REFUTED


@dataclass(frozen=True)
class Judged:
    """A claim, the part of the study that decides the claim, and the findings in this part."""

    claim: Claim
    part: str
    findings: Sequence[Finding]

    @property
    def comparisons(self) -> dict[Pair, Comparison]:
        return {finding.pair: finding.comparison for finding in self.findings if finding.comparison}

    def verdict(self, task: str, test_set: str | None = None) -> str:
        """The verdict for one task, on one test set or on all; empty if the claim says nothing about the task."""
        conditions = [(finding.pair.condition, finding.outcome) for finding in self.findings]
        outcomes = {
            outcome
            for condition, outcome in conditions
            if condition.task == task and test_set in (None, condition.test_set)
        }
        measured = outcomes - {NOT_RUN}
        if len(measured) < 2:
            return next(iter(measured or outcomes), "")
        return MIXED if {SUPPORTED, REFUTED} <= measured else NOT_KNOWN


def judge(comparisons: Comparisons, *, main: str = "main") -> list[Judged]:
    """All claims with their findings.

    Args:
        main: the part that stands for the main part. If another part, only claims about the main part are judged.
    """
    study, judged = comparisons.study, []
    raw = [name for name, facts in study.test_sets.items() if facts.get("noise") == "light"]
    for claim in claims(study):
        if claim.part == "main" or main == "main":
            part = claim.part if claim.part != "main" and claim.part in study.parts else main
            expected = {
                Pair(Condition(part, wanted.task, test_set, wanted.metric), wanted.first, wanted.second): wanted.verdict
                for wanted in claim.expected
                for test_set in (raw if claim.part == "raw" else photograph_sets(study))
            }
            compared = comparisons.compare_all(expected)
            findings = [Finding(pair, verdict, compared.get(pair)) for pair, verdict in expected.items()]
            judged.append(Judged(claim, part, findings))
    return judged


def verdict_table(comparisons: Comparisons, judged: Sequence[Judged], title: str, *, legend: bool = True) -> Table:
    """A row for each claim with its verdict for each task; notes explain the verdicts and list missing losses."""
    study, body = comparisons.study, []
    for item in judged:
        claim = item.claim
        cells = [Cell(item.verdict(task), _by_test_set(study, item, task)) for task in study.tasks]
        source = f" ({claim.source})" if claim.source else ""
        body.append((f"{claim.number}. {claim.words}{source}", cells))
    notes = [*(NOTES if legend else ()), *_tiled(judged), *_not_run(comparisons, judged)]
    return Table(title, list(map(task_title, study.tasks)), body, notes, words=True)


def details(comparisons: Comparisons, judged: Judged) -> Table | None:
    """Every comparison that decides a claim, with verdicts by the paper's other metrics; None without comparisons."""
    study, measured = comparisons.study, judged.comparisons
    deciding = list(dict.fromkeys(pair.condition.metric for pair in measured))
    others = [name for name in PAPER_METRICS if name not in deciding] if set(deciding) == set(DECIDING) else []
    body = []
    for pair in dict.fromkeys(pair.by("") for pair in measured):
        by_metric = [measured.get(pair.by(name)) for name in deciding]
        cells = [Cell(compared.verdict, str(compared)) if compared else Cell("–") for compared in by_metric]
        if others:
            cells.append(Cell(_by_verdict(comparisons.compare_all(pair.by(name) for name in others).values())))
        _, task, test_set, _ = pair.condition
        losses = " − ".join(column_title(study, loss, task) for loss in pair[1:])
        body.append((f"{task_title(task)} on {set_title(study, test_set)}: {losses}", cells))
    if not body:
        return None
    columns = [metric(name).label for name in deciding] + (["other metrics"] if others else [])
    basis = dict.fromkeys(comparison.basis for comparison in measured.values())
    title = f"{judged.claim.number}. {judged.claim.words} ({part_title(judged.part).lower()})"
    return Table(title, columns, body, [f"from {'; '.join(basis)}"], words=True)


def _by_test_set(study: Study, judged: Judged, task: str) -> str:
    """A line for each test set, as in "Kodak: supported"; empty where all have one verdict."""
    conditions = [finding.pair.condition for finding in judged.findings]
    test_sets = dict.fromkeys(condition.test_set for condition in conditions if condition.task == task)
    verdicts = {test_set: judged.verdict(task, test_set) for test_set in test_sets}
    lines = [f"{short_title(study, test_set)}: {verdict}" for test_set, verdict in verdicts.items()]
    return "\n".join(lines) if len({*verdicts.values()}) > 1 else ""


def _tiled(judged: Sequence[Judged]) -> list[str]:
    """One line about the claims that tiles of a raw photograph decide; no line without such claims."""
    tiled = [item for item in judged if any(comparison.tiled for comparison in item.comparisons.values())]
    numbers = [item.claim.number for item in tiled]
    return [f"{', '.join(numbers)}: from tiles of one photograph; other photographs may differ"] if numbers else []


def _not_run(comparisons: Comparisons, judged: Sequence[Judged]) -> list[str]:
    """One line about losses that were not trained, and the claims that need them; no line if none is missing."""
    numbers: dict[str, dict[str, None]] = {}
    for item in judged:
        for condition, *losses in (finding.pair for finding in item.findings if finding.comparison is None):
            absent = [loss for loss in losses if comparisons.values(condition, loss) is None]
            titles = [column_title(comparisons.study, loss) for loss in absent or losses]
            for title in titles if absent else [f"a common seed of {' and '.join(titles)}"]:
                numbers.setdefault(f"{title} for {task_title(condition.task)}", {})[item.claim.number] = None
    words = [f"{title} ({', '.join(claims)})" for title, claims in numbers.items()]
    return [f"not run: {'; '.join(words)}"] if words else []


def _by_verdict(comparisons: Iterable[Comparison]) -> str:
    """Titles of metrics, as in "better: SSIM, FSIM; not known: GMSD"."""
    titles: dict[str, list[str]] = {}
    for comparison in comparisons:
        titles.setdefault(comparison.verdict, []).append(metric(comparison.condition.metric).title)
    verdicts = [name for name in (BETTER, EQUAL, WORSE, NOT_KNOWN) if name in titles]
    return "; ".join(f"{name}: {', '.join(titles[name])}" for name in verdicts)
