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
from restoration.study.rendering import Cell, Table
from restoration.study.statistics import FEWEST, WORSE, Comparison, Comparisons, Pair
from restoration.study.tables import photograph_sets, provenance, set_title
from restoration.study.values import Condition

SEEDS = "seeds"  # the part whose losses are trained several times
FEW_PATCHES = 50_000  # with fewer patches, no loss is recommended


@dataclass(frozen=True)
class Ranking:
    """The losses of one task by one metric.

    Attributes:
        best: the loss with the highest mean over test sets.
        as_good: losses other than the best that are worse on no test set.
        worse: losses that are worse than the best on every test set, with their least and greatest difference.
        undecided: the other losses.
    """

    task: str
    metric: str
    best: str
    as_good: Sequence[str]
    worse: dict[str, tuple[float, float]]
    undecided: Sequence[str]

    @property
    def sound(self) -> list[str]:
        """The best loss and the losses that are as good, in the order of tables."""
        return ordered_columns([self.best, *self.as_good])


def rankings(comparisons: Comparisons, *, part: str = "main") -> list[Ranking]:
    """A ranking for each task and deciding metric."""
    study = comparisons.study
    ranked = [
        _ranking(comparisons, [Condition(part, task, test, name) for test in photograph_sets(study)])
        for task in study.tasks
        for name in DECIDING
    ]
    return [ranking for ranking in ranked if ranking is not None]


def _ranking(comparisons: Comparisons, places: Sequence[Condition]) -> Ranking | None:
    places = [place for place in places if set(comparisons.columns(place)) - {*UNTRAINED}]
    if not places:
        return None
    losses = [
        loss
        for loss in comparisons.columns(places[0])
        if loss not in UNTRAINED and all(comparisons.values(place, loss) for place in places)
    ]
    sign = 1 if metric(places[0].metric).higher_is_better else -1
    best = max(losses, key=lambda loss: sign * np.mean([_mean(comparisons, place, loss) for place in places]))
    others = [loss for loss in losses if loss != best]
    compared = comparisons.compare_all(Pair(place, loss, best) for loss in others for place in places)
    by_loss: dict[str, list[Comparison]] = {}
    for pair, comparison in compared.items():
        by_loss.setdefault(pair.first, []).append(comparison)
    is_worse = {loss: [each.verdict == WORSE for each in by_loss.get(loss, [])] for loss in others}
    worse = {
        loss: [each.difference for each in by_loss[loss]] for loss in others if is_worse[loss] and all(is_worse[loss])
    }
    return Ranking(
        task=places[0].task,
        metric=places[0].metric,
        best=best,
        as_good=[loss for loss in others if not any(is_worse[loss])],
        worse={loss: (min(values, key=abs), max(values, key=abs)) for loss, values in worse.items()},
        undecided=[loss for loss in others if any(is_worse[loss]) and loss not in worse],
    )


def _mean(comparisons: Comparisons, place: Condition, loss: str) -> float:
    values = comparisons.values(place, loss)
    return float(values.values[values.finite].mean()) if values and values.finite.any() else -np.inf


def banner(comparisons: Comparisons) -> str:
    """A warning where a study is too small to tell losses apart; else empty."""
    study = comparisons.study
    images = min((study.test_sets[name]["images"] for name in photograph_sets(study)), default=0)
    patches = min(study.runs["patches"], default=0)
    small = [f"{images} test photographs"] if images < FEWEST else []
    small += [] if comparisons.has_repeats else ["one training of each loss (more: SEED=0,1,2)"]
    small += [f"{patches:,} patches a network"] if patches < FEW_PATCHES else []
    return f"This study shows that the tool works, not which loss wins: {' and '.join(small)}." if small else ""


def sentences(comparisons: Comparisons) -> list[str]:
    """The answer in sentences: the best losses by each metric, and how much worse the worst losses are."""
    study, ranked = comparisons.study, rankings(comparisons)
    if not any(len(_losses([ranking])) > 1 for ranking in ranked):
        return []
    if warning := banner(comparisons):
        return [warning]
    tasks = {ranking.task for ranking in ranked}
    where = "every task" if len(tasks) > 1 else task_title(ranked[0].task)
    texts = []
    for name in dict.fromkeys(ranking.metric for ranking in ranked):
        by_metric = [ranking for ranking in ranked if ranking.metric == name]
        always = [loss for loss in _losses(by_metric) if all(loss in ranking.sound for ranking in by_metric)]
        titles = _listed(study.title(loss) for loss in always) if always else ""
        verb = "is" if len(always) == 1 else "are"
        texts.append(
            f"By {metric(name).title}, {titles} {verb} the best or as good as the best in {where}."
            if always
            else f"By {metric(name).title}, no loss is among the best in {where}: see the table."
        )
        texts += _contradicted(comparisons, name, always)
    by_psnr = [ranking for ranking in ranked if ranking.metric == DECIDING[0]]
    never = [loss for loss in _losses(by_psnr) if all(loss in ranking.worse for ranking in by_psnr)]
    if never:
        costs = [ranking.worse[loss] for ranking in by_psnr for loss in never]
        verb = "costs" if len(never) == 1 else "cost"
        losers = _listed(study.title(loss) for loss in never)
        texts.append(f"{losers} {verb} {_span(DECIDING[0], costs)} in {where}, on every test set.")
    return texts


def _contradicted(comparisons: Comparisons, name: str, losses: Sequence[str]) -> list[str]:
    """A sentence for each task in which the part with several seeds says that one of the losses is worse."""
    study = comparisons.study
    runs = study.runs[study.runs["part"] == SEEDS]
    patches = " or ".join(f"{count:,}" for count in sorted(runs["patches"].unique()))
    training = f"after {patches} patches, with {runs['seed'].nunique()} seeds"
    texts = []
    for ranking in rankings(comparisons, part=SEEDS):
        for loss in losses:
            if ranking.metric == name and loss in ranking.worse:
                worse = f"{study.title(loss)} is worse than {study.title(ranking.best)}"
                cost = _span(name, [ranking.worse[loss]])
                texts.append(f"But {training}, {worse} by {cost} in {task_title(ranking.task)}.")
    return texts


def answer_table(comparisons: Comparisons) -> Table:
    """A row for each task: the best losses by each deciding metric, and the worse losses with their difference."""
    study, ranked = comparisons.study, rankings(comparisons)
    body = []
    for task in dict.fromkeys(ranking.task for ranking in ranked):
        of_task = [ranking for ranking in ranked if ranking.task == task]
        cells = [_best_cell(comparisons, ranking) for ranking in of_task]
        psnr = of_task[0]
        undecided, worse = (", ".join(map(study.title, losses)) or "–" for losses in (psnr.undecided, psnr.worse))
        cost = f"by {_span(psnr.metric, list(psnr.worse.values()))}" if psnr.worse else ""
        body.append((task_title(task), [*cells, Cell(undecided), Cell(worse, cost)]))
    titles = [f"Best by {metric(name).title}" for name in DECIDING if any(each.metric == name for each in ranked)]
    sets = " and ".join(set_title(study, name) for name in photograph_sets(study))
    notes = [
        f"tested on {sets}; best: the loss with the highest mean, then the losses that are not known to be worse",
        "; ".join(provenance(study, "main")),
    ]
    return Table("Which loss?", [*titles, "PSNR worse on some test sets", "PSNR worse on all test sets"], body, notes)


def _best_cell(comparisons: Comparisons, ranking: Ranking) -> Cell:
    title = comparisons.study.title
    rest = ", ".join(title(loss) for loss in ordered_columns(ranking.as_good))
    return Cell(title(ranking.best) + (f", {rest}" if rest else ""), best=not banner(comparisons))


def _losses(ranked: Sequence[Ranking]) -> list[str]:
    losses = {loss for ranking in ranked for loss in [*ranking.sound, *ranking.worse, *ranking.undecided]}
    return ordered_columns(losses)


def _span(name: str, costs: Sequence[tuple[float, float]]) -> str:
    """As in "0.3 to 1.4 dB": the least and the greatest difference, without sign."""
    sizes = sorted(abs(value) for pair in costs for value in pair)
    facts = metric(name)
    low, high = (facts.shown(size) for size in (sizes[0], sizes[-1]))
    return f"{low if low == high else f'{low} to {high}'} {facts.unit}".strip()


def _listed(titles: Iterable[str]) -> str:
    """As in "L1, L2 and Mix"."""
    *rest, last = titles
    return f"{', '.join(rest)} and {last}" if rest else last
