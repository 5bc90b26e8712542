"""Claims of the paper, further questions of this project, and the verdicts of a study on each of them.

A claim is a list of expected verdicts, such as "L1 is better than L2 by PSNR on demosaicking". PSNR and MS-SSIM decide;
if a claim names an artefact or the L2 of the test photographs, this measure decides. All other metrics of the paper
are shown, too. The verdict on a claim is given for each task, from all test sets together:

    supported  every comparison has the expected verdict
    refuted    every comparison contradicts the expected verdict: "equal" and "worse" contradict "better"
    mixed      some comparisons have the expected verdict, others contradict it
    not known  in all other cases

Comparisons of losses that were not trained do not count; a note lists them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from restoration.names import DECIDING, INPUT, PAPER_METRICS, TASKS, metric, part_title, task_title
from restoration.study.alpha import CODE, NAIVE, PAPER, Key, settings_of
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.statistics import BETTER, EQUAL, NOT_KNOWN, WORSE, Comparison, Comparisons, Pair
from restoration.study.tables import column_title, photograph_sets, set_title, short_title
from restoration.study.values import Condition

SUPPORTED, REFUTED, MIXED, NOT_RUN = "supported", "refuted", "mixed", "not run"
PAPER_LOSSES = {  # the columns of the paper's tables
    "demosaic": ("l2", "l1", "ssim5", "ssim9", "ms_ssim", "mix"),
    "sr": ("l2", "l1", "ms_ssim", "mix"),
    "jpeg": ("l2", "l1", "ms_ssim", "mix"),
}
NOISY = ("demosaic",)  # the task with noise
SMALL_CHANGE = 0.1  # of α
NOTES = (
    "supported: every comparison agrees with the claim, by PSNR and MS-SSIM or by the artefact or error that the claim "
    "names; refuted: every one contradicts the claim; mixed: some agree, others contradict; not known: all other cases",
    "verdicts are for all test sets together; where test sets differ, each has a line",
    "recalled: what the paper says is known from memory only; our question: the paper says nothing about it",
)


class Expected(NamedTuple):
    """The verdict that a claim expects on the first of two losses, on every test set."""

    task: str
    metric: str
    first: str
    second: str
    verdict: str = BETTER


@dataclass(frozen=True)
class Claim:
    """A row of the table of claims. If the study lacks the named part, the main part decides."""

    number: str
    words: str
    source: str
    part: str
    expected: Sequence[Expected]


class Finding(NamedTuple):
    """An expected verdict, and the comparison on one test set that decides it: None if a loss was not trained."""

    expected: Expected
    pair: Pair
    comparison: Comparison | None

    @property
    def outcome(self) -> str:
        if self.comparison is None:
            return NOT_RUN
        if self.comparison.verdict == NOT_KNOWN:
            return NOT_KNOWN
        return SUPPORTED if self.comparison.verdict == self.expected.verdict else REFUTED


@dataclass(frozen=True)
class Judged:
    """A claim, the part of the study that decides the claim, and the findings in this part."""

    claim: Claim
    part: str
    findings: Sequence[Finding]

    def test_sets(self, task: str) -> list[str]:
        """The test sets on which the claim is judged for a task."""
        return list(dict.fromkeys(each.pair.condition.test_set for each in self.findings if each.expected.task == task))

    def verdict(self, task: str, test_set: str | None = None) -> str:
        """The verdict on the claim for one task, on one test set or on all; empty if it says nothing about the task."""
        outcomes = {
            finding.outcome
            for finding in self.findings
            if finding.expected.task == task and test_set in (None, finding.pair.condition.test_set)
        }
        measured = outcomes - {NOT_RUN}
        if len(measured) < 2:
            return next(iter(measured or outcomes), "")
        return MIXED if {SUPPORTED, REFUTED} <= measured else NOT_KNOWN


def claims(study: Study) -> list[Claim]:
    """The table of claims; those about α depend on the settings that were trained."""
    return [
        Claim("1", "L1 beats L2", "", "main", better("l1", "l2")),
        Claim("2", "Mix beats every other loss of the paper", "", "main", _mix_first()),
        Claim("3", "L2 leaves more splotches, grating (×2) and blocks (JPEG)", "", "main", _artefacts()),
        Claim("4a", "MS-SSIM beats SSIM", "", "main", better("ms_ssim", "ssim5", "ssim9")),
        Claim("4b", "MS-SSIM shifts brightness and colours more than L1", "partly recalled", "main", _shifts()),
        Claim("5a", "A small σ loses flat areas", "", "sigma", _sigma("ssim9", "ssim1", "flat_residual")),
        Claim("5b", "A large σ keeps noise at edges", "", "sigma", _sigma("ssim1", "ssim9", "edge_residual")),
        Claim("6", "Switching L1 and L2 half-way ends with a lower L2 than L2 alone", "", "switching", _switched()),
        Claim("7", "Small changes of α hardly matter", "", "alpha", _small_changes(study)),
        Claim("8", "Mix beats MS-SSIM+L2", "recalled", "main", better("mix", "ms_ssim_l2")),
        Claim("9", "L1 and Mix beat BM3D followed by demosaicking", "partly recalled", "main", _both("bm3d")),
        Claim("10", "L1 and Mix improve real raw photographs", "partly recalled", "raw", _both(INPUT)),
        Claim(
            "Q5a",
            "α = 0.84, L1 in 8-bit levels, equals the code's α",
            "our question",
            "alpha",
            _paper(study, CODE, EQUAL),
        ),
        Claim(
            "Q5b", "α = 0.84, L1 in 8-bit levels, beats 0.84 in [0, 1]", "our question", "alpha", _paper(study, NAIVE)
        ),
        Claim(
            "Q6",
            "L1 and Mix beat BM3D that knows the noise of real raw photographs",
            "our question",
            "raw",
            _both("bm3d"),
        ),
    ]


def judge(comparisons: Comparisons, *, main: str = "main") -> list[Judged]:
    """All claims with their findings. With another part as `main`: only the claims that the main part decides."""
    study, judged = comparisons.study, []
    raw = [name for name, facts in study.test_sets.items() if facts.get("noise") == "light"]
    for claim in claims(study):
        if claim.part == "main" or main == "main":
            part = claim.part if claim.part != "main" and claim.part in study.parts else main
            sets = raw if claim.part == "raw" else photograph_sets(study)
            wanted = [
                (each, Pair(Condition(part, each.task, test_set, each.metric), each.first, each.second))
                for each in claim.expected
                for test_set in sets
            ]
            known = comparisons.compare_all(pair for _, pair in wanted)
            judged.append(Judged(claim, part, [Finding(each, pair, known.get(pair)) for each, pair in wanted]))
    return judged


def verdict_table(comparisons: Comparisons, judged: Sequence[Judged], title: str, *, legend: bool = True) -> Table:
    """A row for each claim with its verdict for each task; notes explain the verdicts and list missing losses."""
    study, body = comparisons.study, []
    for each in judged:
        cells = [Cell(each.verdict(task), _by_test_set(study, each, task)) for task in study.tasks]
        source = f" ({each.claim.source})" if each.claim.source else ""
        body.append((f"{each.claim.number}. {each.claim.words}{source}", cells))
    notes = [*(NOTES if legend else ()), *_tiled(judged), *_not_run(comparisons, judged)]
    return Table(title, list(map(task_title, study.tasks)), body, notes, words=True)


def details(comparisons: Comparisons, judged: Judged) -> Table | None:
    """Every comparison that decides a claim, and the verdicts by the paper's other metrics; None if there is none."""
    study = comparisons.study
    measured = {finding.pair: finding.comparison for finding in judged.findings if finding.comparison}
    deciding = list(dict.fromkeys(pair.condition.metric for pair in measured))
    others = [name for name in PAPER_METRICS if name not in deciding] if set(deciding) == set(DECIDING) else []
    body = []
    for pair in dict.fromkeys(pair.by("") for pair in measured):
        by_metric = [measured.get(pair.by(name)) for name in deciding]
        cells = [Cell(each.verdict, str(each)) if each else Cell("–") for each in by_metric]
        if others:
            beside = comparisons.compare_all(pair.by(name) for name in others)
            cells.append(Cell(_by_verdict(beside.values())))
        losses = " − ".join(column_title(study, loss, pair.condition.task) for loss in pair[1:])
        body.append(
            (f"{task_title(pair.condition.task)} on {set_title(study, pair.condition.test_set)}: {losses}", cells)
        )
    if not body:
        return None
    columns = [metric(name).label for name in deciding] + (["other metrics"] if others else [])
    basis = dict.fromkeys(comparison.basis for comparison in measured.values())
    title = f"{judged.claim.number}. {judged.claim.words} ({part_title(judged.part).lower()})"
    return Table(title, columns, body, [f"from {'; '.join(basis)}"], words=True)


def better(first: str, *others: str, tasks: Iterable[str] = TASKS, metrics: Sequence[str] = DECIDING) -> list[Expected]:
    """The first loss is better than each of the others, in every task and by every metric."""
    return [Expected(task, name, first, other) for other in others for task in tasks for name in metrics]


def _mix_first() -> list[Expected]:
    losses = [(task, loss) for task, names in PAPER_LOSSES.items() for loss in names if loss != "mix"]
    return [expected for task, loss in losses for expected in better("mix", loss, tasks=[task])]


def _artefacts() -> list[Expected]:
    named = {"demosaic": ("flat_residual", "l1", "mix"), "sr": ("grating", "l1", "mix"), "jpeg": ("block_step", "l1")}
    return [Expected(task, name, loss, "l2") for task, (name, *losses) in named.items() for loss in losses]


def _shifts() -> list[Expected]:
    return better("l1", "ms_ssim", metrics=["luminance_shift", "colour_shift"])


def _sigma(first: str, second: str, artefact: str) -> list[Expected]:
    return better(first, second, tasks=NOISY, metrics=[artefact])


def _switched() -> list[Expected]:
    return better("l1_to_l2", "l2", metrics=["l2"]) + better("l2_to_l1", "l2", metrics=["l2"])


def _both(other: str) -> list[Expected]:
    return better("l1", other, tasks=NOISY) + better("mix", other, tasks=NOISY)


def _small_changes(study: Study) -> list[Expected]:
    """Every α within 0.1 of the paper's, L1 in the same unit, is equal to the paper's."""
    expected = []
    for task in study.tasks:
        losses = {setting.key: setting.loss for setting in settings_of(study, task)}
        near = [loss for (alpha, unit), loss in losses.items() if unit == PAPER[1] and _is_near(alpha)]
        expected += [
            Expected(task, name, loss, losses[PAPER], EQUAL) for loss in near for name in DECIDING if PAPER in losses
        ]
    return expected


def _is_near(alpha: float) -> bool:
    return 0 < abs(alpha - PAPER[0]) < SMALL_CHANGE + 1e-9


def _paper(study: Study, other: Key, verdict: str = BETTER) -> list[Expected]:
    """The paper's α, L1 in 8-bit levels, is expected to have this verdict against another reading."""
    expected = []
    for task in study.tasks:
        losses = {setting.key: setting.loss for setting in settings_of(study, task)}
        if PAPER in losses and other in losses:
            expected += [Expected(task, name, losses[PAPER], losses[other], verdict) for name in DECIDING]
    return expected


def _by_test_set(study: Study, judged: Judged, task: str) -> str:
    """A line for each test set, as in "Kodak: supported"; empty where all have one verdict."""
    verdicts = {test_set: judged.verdict(task, test_set) for test_set in judged.test_sets(task)}
    lines = [f"{short_title(study, test_set)}: {verdict}" for test_set, verdict in verdicts.items()]
    return "\n".join(lines) if len({*verdicts.values()}) > 1 else ""


def _tiled(judged: Sequence[Judged]) -> list[str]:
    """One line about the claims that tiles of a raw photograph decide; no line without such claims."""
    compared = [(each.claim.number, finding.comparison) for each in judged for finding in each.findings]
    numbers = dict.fromkeys(number for number, comparison in compared if comparison and comparison.tiled)
    return [f"{', '.join(numbers)}: from tiles of one photograph; other photographs may differ"] if numbers else []


def _not_run(comparisons: Comparisons, judged: Sequence[Judged]) -> list[str]:
    """One line about losses that were not trained, and the claims that need them; no line if none is missing."""
    lacking: dict[str, dict[str, None]] = {}
    for each in judged:
        for _, (condition, *losses), comparison in each.findings:
            if comparison is None:
                absent = [loss for loss in losses if comparisons.values(condition, loss) is None]
                titles = [column_title(comparisons.study, loss) for loss in absent or losses]
                for title in titles if absent else [f"a common seed of {' and '.join(titles)}"]:
                    lacking.setdefault(f"{title} for {task_title(condition.task)}", {})[each.claim.number] = None
    words = [f"{title} ({', '.join(numbers)})" for title, numbers in lacking.items()]
    return [f"not run: {'; '.join(words)}"] if words else []


def _by_verdict(comparisons: Iterable[Comparison]) -> str:
    """Titles of metrics, as in "better: SSIM, FSIM; not known: GMSD"."""
    titles: dict[str, list[str]] = {}
    for comparison in comparisons:
        titles.setdefault(comparison.verdict, []).append(metric(comparison.condition.metric).title)
    verdicts = [name for name in (BETTER, EQUAL, WORSE, NOT_KNOWN) if name in titles]
    return "; ".join(f"{name}: {', '.join(titles[name])}" for name in verdicts)
