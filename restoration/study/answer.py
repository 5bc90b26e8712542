"""Which loss to choose: a table with a row for each task, and a few sentences, from the verdicts of a study.

For each task and deciding metric (PSNR, MS-SSIM), the best loss is the one with the highest mean over test sets. Every
other loss of the main part is one of three things:
    as good       equal to the best, or not known to differ from it, on some test set, and worse on none
    worse         worse than the best on every test set
    undecided     worse on some test sets only
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from restoration.names import DECIDING, UNTRAINED, metric, ordered_columns, task_title
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.rows import caution, photograph_sets
from restoration.study.statistics import WORSE, Comparisons, Pair
from restoration.study.tables import short_title
from restoration.study.values import Condition

SEEDS = "seeds"  # the part whose losses are trained several times
WORDS = Table(
    "What the words mean",
    ["meaning"],
    [
        (
            "PSNR",
            [Cell("−10 log10 of the mean squared error of values in [0, 1], in dB; 0.1 dB is 2.3 % of this error")],
        ),
        ("SSIM, MS-SSIM", [Cell("likeness of local structure, at one scale or at five; 1 for equal images")]),
        ("equal", [Cell("the 95 % interval of the difference lies within ±0.1 dB, or ±2.3 % of the remaining error")]),
        ("not known", [Cell("the interval holds 0 and reaches beyond this margin: the measurement cannot tell")]),
        (
            "Mix, SSIM5, SSIM9",
            [Cell("Mix: 0.84 MS-SSIM + 0.16 L1 in 8-bit levels; 5, 9: the σ of SSIM's window in pixels")],
        ),
    ],
    words=True,
)


@dataclass(frozen=True)
class Ranking:
    """The losses of one task by one metric.

    Attributes:
        best: the loss with the highest mean over test sets.
        as_good: losses other than the best that are worse on no test set.
        worse: losses that are worse than the best on every test set, with the size of the difference on each.
        undecided: the other losses, with the differences on the test sets on which they are worse.
    """

    task: str
    metric: str
    best: str
    as_good: Sequence[str]
    worse: dict[str, dict[str, float]]
    undecided: dict[str, dict[str, float]]

    @property
    def sound(self) -> list[str]:
        """The best loss and the losses that are as good, in the order of tables."""
        return ordered_columns([self.best, *self.as_good])

    def costs(self, loss: str) -> list[float]:
        """How much worse the loss is than the best loss: a value for each test set on which it is worse."""
        return [*(self.worse.get(loss) or self.undecided.get(loss, {})).values()]


def rankings(comparisons: Comparisons, *, part: str = "main") -> list[Ranking]:
    """A ranking for each task and deciding metric."""
    study = comparisons.study
    ranked = [
        _ranking(comparisons, [Condition(part, task, test, name) for test in photograph_sets(study)])
        for task in study.tasks
        for name in DECIDING
    ]
    return [ranking for ranking in ranked if ranking is not None]


def _ranking(comparisons: Comparisons, conditions: Sequence[Condition]) -> Ranking | None:
    conditions = [condition for condition in conditions if set(comparisons.columns(condition)) - {*UNTRAINED}]
    if not conditions:
        return None
    losses = [
        loss
        for loss in comparisons.columns(conditions[0])
        if loss not in UNTRAINED and all(comparisons.values(condition, loss) for condition in conditions)
    ]
    sign = 1 if metric(conditions[0].metric).higher_is_better else -1
    best = max(
        losses, key=lambda loss: sign * np.mean([_mean(comparisons, condition, loss) for condition in conditions])
    )
    others = [loss for loss in losses if loss != best]
    compared = comparisons.compare_all(Pair(condition, loss, best) for loss in others for condition in conditions)
    sizes: dict[str, dict[str, float]] = {loss: {} for loss in others}
    for pair, comparison in compared.items():
        if comparison.verdict == WORSE:
            sizes[pair.first][pair.condition.test_set] = abs(comparison.difference)
    return Ranking(
        task=conditions[0].task,
        metric=conditions[0].metric,
        best=best,
        as_good=[loss for loss in others if not sizes[loss]],
        worse={loss: sizes[loss] for loss in others if len(sizes[loss]) == len(conditions)},
        undecided={loss: sizes[loss] for loss in others if 0 < len(sizes[loss]) < len(conditions)},
    )


def _mean(comparisons: Comparisons, condition: Condition, loss: str) -> float:
    values = comparisons.values(condition, loss)
    return float(values.values[values.finite].mean()) if values and values.finite.any() else -np.inf


def headline(comparisons: Comparisons) -> str:
    """The answer in one sentence, or why there is none; empty for a study of one loss."""
    ranked = rankings(comparisons)
    if not any(len(_losses([ranking])) > 1 for ranking in ranked):
        return ""
    if caution(comparisons):
        return "Too small to say which loss wins"
    title = comparisons.study.title
    by_psnr, by_structure = (_always(_of_metric(ranked, name)) for name in DECIDING)
    if both := [loss for loss in by_psnr if loss in by_structure]:
        return f"Take {_listed(map(title, both), 'or')}"
    structure = f"{_listed(map(title, by_structure), 'or')} if structure (MS-SSIM) matters" if by_structure else ""
    if by_psnr:
        return f"Take {_listed(map(title, by_psnr), 'or')}" + (f", or {structure}" if structure else "")
    return f"By PSNR it depends on the task{f'; take {structure}' if structure else ''}"


def sentences(comparisons: Comparisons) -> list[str]:
    """The cost of the other losses by PSNR and MS-SSIM, and results of several seeds that contradict the headline.

    For a small study, only a warning.
    """
    if warning := caution(comparisons):
        return [warning]
    study, by_psnr = comparisons.study, _of_metric(rankings(comparisons), DECIDING[0])
    where = "every task" if len(by_psnr) > 1 else task_title(by_psnr[0].task)
    best = _always(by_psnr)
    never = [loss for loss in _losses(by_psnr) if all(loss in ranking.worse for ranking in by_psnr)]
    between = [loss for loss in _losses(by_psnr) if loss not in (*best, *never)]
    repeats = study.runs[study.runs["part"] == "main"].groupby(["task", "loss"])["seed"].nunique()
    texts = ["Each loss was trained once."] if repeats.max() == 1 else []
    if between:
        costs = [size for ranking in by_psnr for loss in between for size in ranking.costs(loss)]
        texts.append(
            f"{_listed(map(study.title, between))} {_verb(between)} at most {_span([max(costs)])} of PSNR on average."
        )
    if never:
        costs = [size for ranking in by_psnr for loss in never for size in ranking.costs(loss)]
        texts.append(f"{_listed(map(study.title, never))} {_verb(never)} {_span(costs)} in {where}, on every test set.")
    return texts + _behind_by_structure(comparisons, best) + _contradicted(comparisons, best)


def _behind_by_structure(comparisons: Comparisons, losses: Sequence[str]) -> list[str]:
    """For each task, a sentence on each of these losses that is worse by MS-SSIM than the best loss, with the size."""
    study, facts = comparisons.study, metric(DECIDING[1])
    return [
        f"By {facts.title}, {study.title(loss)} is {facts.shown_difference(max(ranking.costs(loss)))} behind "
        f"{study.title(ranking.best)} in {task_title(ranking.task)}{_only_on(study, ranking.undecided.get(loss, ()))}."
        for ranking in _of_metric(rankings(comparisons), DECIDING[1])
        for loss in losses
        if ranking.costs(loss)
    ]


def _only_on(study: Study, sets: Iterable[str]) -> str:
    names = _listed(short_title(study, test) for test in sets)
    return f", on {names} only" if names else ""


def _contradicted(comparisons: Comparisons, losses: Sequence[str]) -> list[str]:
    """A sentence for each task and loss: with several seeds, this loss is worse by PSNR than another loss."""
    study = comparisons.study
    runs = study.runs[study.runs["part"] == SEEDS]
    patches = " or ".join(f"{count:,}" for count in sorted(runs["patches"].unique()))
    training = f"after {patches} patches, with {runs['seed'].nunique()} seeds"
    return [
        f"But {training}, {study.title(loss)} is {_span(ranking.costs(loss))} worse than {study.title(ranking.best)} "
        f"in {task_title(ranking.task)}."
        for ranking in _of_metric(rankings(comparisons, part=SEEDS), DECIDING[0])
        for loss in losses
        if loss in ranking.worse
    ]


def answer_table(comparisons: Comparisons) -> Table:
    """A row for each task: the best losses by each deciding metric, what the other losses cost, how long to train."""
    study, ranked = comparisons.study, rankings(comparisons)
    main = study.runs[study.runs["part"] == "main"]
    body = []
    for task in dict.fromkeys(ranking.task for ranking in ranked):
        of_task = [ranking for ranking in ranked if ranking.task == task]
        psnr, runs = of_task[0], main[main["task"] == task]
        worse = sorted(psnr.worse, key=lambda loss: max(psnr.costs(loss)))
        cost = f"by {_span([size for loss in worse for size in psnr.costs(loss)])}" if worse else ""
        partly = [
            f"{study.title(loss)} by {_span(psnr.costs(loss))}, on {_listed(short_title(study, test) for test in sets)}"
            for loss, sets in psnr.undecided.items()
        ]
        cells = [_best_cell(comparisons, ranking) for ranking in of_task]
        cells.append(Cell(", ".join(map(study.title, worse)) or "–", "\n".join(filter(None, (cost, *partly)))))
        cells.append(Cell(f"{runs['seconds'].median() / 60:.0f} min"))
        body.append((task_title(task), cells))
    titles = [f"Best by {metric(name).title}" for name in dict.fromkeys(ranking.metric for ranking in ranked)]
    hardware = ", ".join(dict.fromkeys(main["hardware"]))
    note = (
        "best: the highest mean, then all losses that are equal to it (the interval of the difference is within 0.1 dB "
        "of PSNR) or not known to differ; worse than the best: on every test set, or on the one that is named; "
        f"training: median of one network on {hardware}"
    )
    return Table("The losses for each task", [*titles, "Worse by PSNR", "Training"], body, [note], words=True)


def _best_cell(comparisons: Comparisons, ranking: Ranking) -> Cell:
    titles = map(comparisons.study.title, [ranking.best, *ordered_columns(ranking.as_good)])
    return Cell(", ".join(titles), best=not caution(comparisons))


def _of_metric(ranked: Sequence[Ranking], name: str) -> list[Ranking]:
    return [ranking for ranking in ranked if ranking.metric == name]


def _always(ranked: Sequence[Ranking]) -> list[str]:
    """The losses that are, in every ranking, the best loss or as good as the best loss."""
    return [loss for loss in _losses(ranked) if all(loss in ranking.sound for ranking in ranked)]


def _losses(ranked: Sequence[Ranking]) -> list[str]:
    losses = {loss for ranking in ranked for loss in [*ranking.sound, *ranking.worse, *ranking.undecided]}
    return ordered_columns(losses)


def _span(sizes: Sequence[float]) -> str:
    """The range of sizes, as in "0.30 to 1.40 dB"."""
    facts = metric(DECIDING[0])
    low, high = (facts.shown(size) for size in (min(sizes), max(sizes)))
    return f"{low if low == high else f'{low} to {high}'} {facts.unit}"


def _verb(losses: Sequence[str]) -> str:
    return "costs" if len(losses) == 1 else "cost"


def _listed(titles: Iterable[str], word: str = "and") -> str:
    """A list in words, as in "L1, L2 and Mix"; empty without titles."""
    *rest, last = [*titles] or [""]
    return f"{', '.join(rest)} {word} {last}" if rest else last
