"""The study's tables as tables of a report."""

from collections.abc import Iterable, Sequence

import pandas as pd

from restoration.artefacts import ARTEFACTS
from restoration.ledger import Ledger as JudgedLedger
from restoration.ledger import Row
from restoration.metrics import METRICS
from restoration.report.contents import Cell, Claim, Ledger, Table, Verdict
from restoration.scales import scale_of
from restoration.statistics import UNTRAINED, Difference
from restoration.tables import ResultTable, in_order, title_of


def table_of(result: ResultTable, differences: Iterable[Difference] = ()) -> Table:
    """The same numbers; below those of losses their spread over seeds, or else their difference to one other loss.

    Args:
        differences: of the same task and test set, all to the same loss.
    """
    trained = [each for each in differences if each.images and each.first not in UNTRAINED]
    beside = {(each.at.metric, title_of(each.first)): each for each in trained}
    rows = []
    for name, cells in zip(result.metrics, result.cells(), strict=True):
        found = [beside.get((name, column)) for column in result.columns]
        row = [_cell(text, each, best=best) for (text, best), each in zip(cells, found, strict=True)]
        rows.append((METRICS[name].title, row))
    to = {title_of(each.second) for each in beside.values()}
    notes = [f"below each value: its difference to {title}, paired, with the 95 % interval" for title in sorted(to)]
    return Table(result.title, result.columns, rows, (*notes, *result.header))


def _cell(text: str, difference: Difference | None, *, best: bool) -> Cell:
    value, sign, spread = text.partition(" ± ")
    if spread or difference is None:
        return Cell(value, f"{sign}{spread}".strip(), best)
    scale = scale_of(difference.at.metric)
    low, high = scale.shown(difference.low), scale.shown(difference.high)
    return Cell(value, f"{scale.shown(difference.value, sign='+')}\n[{low}, {high}]", best)


def difference_tables(differences: Sequence[Difference]) -> list[Table]:
    """A table for each task, test set and loss that others are compared with; bold where one is better than it."""
    groups: dict[tuple[str, ...], list[Difference]] = {}
    for each in differences:
        groups.setdefault((each.at.task, each.at.test_set, each.at.variant, each.second), []).append(each)
    return [_difference_table(f"Against {title_of(key[3])}: {key[0]} on {key[1]}", its) for key, its in groups.items()]


def _difference_table(title: str, differences: Sequence[Difference]) -> Table:
    losses = in_order({each.first for each in differences})
    cells = {(each.at.metric, each.first): _compared(each) for each in differences}
    metrics = dict.fromkeys(each.at.metric for each in differences)
    rows = [(title_of_metric(name), [cells.get((name, loss), Cell("–")) for loss in losses]) for name in metrics]
    seeds = ", ".join(str(count) for count in sorted({each.seeds for each in differences}))
    images = max(each.images + each.left_out for each in differences)
    notes = (f"{images} photographs; seeds {seeds}; highlighted: better than {title_of(differences[0].second)}",)
    return Table(title, [title_of(loss) for loss in losses], rows, notes)


def rank_tables(ranks: pd.DataFrame) -> list[Table]:
    """The frame of `comparisons.mean_ranks` as a table for each task and test set."""
    tables = []
    for (task, test_set), rows in ranks.groupby(["task", "test_set"], sort=False):
        losses = [name for name in ranks.columns[7:] if rows[name].notna().any()]
        body = []
        for _, row in rows.iterrows():
            least = f"{row[losses].min():.2f}"
            texts = [f"{row[loss]:.2f}".replace("nan", "–") for loss in losses]
            body.append((title_of_metric(row["metric"]), [Cell(text, best=text == least) for text in texts]))
        tables.append(Table(f"Mean rank over photographs: {task} on {test_set}", [*map(title_of, losses)], body))
    return tables


def _compared(each: Difference) -> Cell:
    if not each.images:
        return Cell("–")
    scale = scale_of(each.at.metric)
    interval = f"[{scale.shown(each.low)}, {scale.shown(each.high)}]"
    return Cell(scale.shown(each.value, sign="+"), interval, each.better == each.first)


def title_of_metric(metric: str) -> str:
    if metric in METRICS:
        return METRICS[metric].title
    return ARTEFACTS[metric][0] if metric in ARTEFACTS else metric


def ledger_of(judged: JudgedLedger) -> Ledger:
    """The ledger with its figures folded."""
    lacking = [f"{text} ({', '.join(numbers)})" for text, numbers in judged.missing().items()]
    return Ledger(
        judged.title,
        [_claim(row, pieces) for row, pieces in judged.claims()],
        [*([f"Missing, and for which claims: {'; '.join(lacking)}."] if lacking else []), judged.note()],
    )


def _claim(row: Row, pieces: Sequence[Row]) -> Claim:
    return Claim(
        row.piece or f"{row.number}. {row.marked_claim()}",
        row.in_few_words(pieces),
        Verdict(row.verdict),
        "" if row.piece else row.test,
        row.figures,
        [_claim(piece, ()) for piece in pieces if piece.figures],
    )
