"""The order of the losses in other trainings: longer, with another optimiser, dense losses or a residual network.

An order is a pair of the paper's losses: the first is better than the second by PSNR or MS-SSIM, on one task and test
set.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

from restoration.names import CHANGES, DECIDING, metric, part_title, task_title
from restoration.study.claims import PAPER_LOSSES
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.statistics import BETTER, EQUAL, NOT_KNOWN, WORSE, Comparison, Comparisons
from restoration.study.tables import photograph_sets, set_title
from restoration.study.values import Condition

DENSE = {"ssim5": "ssim_dense", "ms_ssim": "ms_ssim_dense", "mix": "mix_dense"}  # the loss at every pixel of a patch
SAME, REVERSED = "same", "reversed"


def survival_table(comparisons: Comparisons) -> Table | None:
    """A row for each change of the training, with the number of orders that stay; None without changes."""
    study = comparisons.study
    base = "seeds" if "seeds" in study.parts else "main"
    body, reversals = [], []
    for change, title in CHANGES.items():
        part = base if change == "dense" and "dense" not in study.parts else change
        if part not in study.parts or change == base:
            continue
        cells = []
        for task in study.tasks:
            pairs = list(_orders(comparisons, base, part, task, DENSE if change == "dense" else {}))
            counts = Counter(_outcome(*pair) for pair in pairs)
            rest = ", ".join(f"{counts[name]} {name}" for name in (REVERSED, EQUAL, NOT_KNOWN) if counts[name])
            cells.append(Cell(f"{counts[SAME]} of {len(pairs)}", f"({rest})" if rest else "") if pairs else Cell("–"))
            for before, after in pairs:
                if _outcome(before, after) == REVERSED:
                    losses = " − ".join(study.title(loss) for loss in (after.first, after.second))
                    where = f"{title}, {task_title(task)} on {set_title(study, after.condition.test_set)}"
                    name = metric(after.condition.metric).title
                    reversals.append(f"reversed: {where}: {losses} = {after} by {name}, before {before}")
        if any(cell.text != "–" for cell in cells):
            body.append((title, cells))
    if not body:
        return None
    note = (
        f"orders of two losses in the part '{part_title(base)}', by PSNR and MS-SSIM, on all test sets: how many of "
        "them are the same after the change"
    )
    return Table(
        "Orders of two losses that stay the same",
        list(map(task_title, study.tasks)),
        body,
        [note, *_fewer_patches(study, base), *reversals],
        words=True,
    )


def _fewer_patches(study: Study, base: str) -> list[str]:
    """One line about the changes whose networks saw fewer patches; no line without such changes."""
    patches = study.runs.groupby("part")["patches"].max().to_dict()
    shorter = [title for part, title in CHANGES.items() if patches.get(part, patches[base]) < patches[base]]
    return [f"trained with fewer than {patches[base]:,} patches: {', '.join(shorter)}"] if shorter else []


def _orders(
    comparisons: Comparisons, base: str, part: str, task: str, renamed: Mapping[str, str]
) -> Iterator[tuple[Comparison, Comparison]]:
    """Orders in the part `base`, each with the comparison of the same losses, perhaps renamed, in another part."""
    losses: tuple[str, ...] = PAPER_LOSSES.get(task, ())
    for first, second in combinations(losses, 2):
        others = renamed.get(first, first), renamed.get(second, second)
        if renamed and others == (first, second):
            continue
        for test_set in photograph_sets(comparisons.study):
            for name in DECIDING:
                before = comparisons.compare(Condition(base, task, test_set, name), first, second)
                after = comparisons.compare(Condition(part, task, test_set, name), *others)
                if before and after and before.verdict in (BETTER, WORSE):
                    yield before, after


def _outcome(before: Comparison, after: Comparison) -> str:
    if before.verdict == after.verdict:
        return SAME
    return REVERSED if after.verdict in (BETTER, WORSE) else after.verdict
