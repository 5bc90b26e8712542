"""The learning rate of each loss, chosen by validation PSNR after short trainings.

One rate for all losses would be unfair: a good rate for L1 may be too high for SSIM.
"""

import pandas as pd

from restoration.names import METRICS, RATES, task_title
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table

TIE = 0.02  # dB; rates within this difference count as equal


def best_rate(psnr: pd.Series) -> float:
    """The rate (index) with the highest PSNR, or a smaller rate whose PSNR is at most `TIE` lower."""
    return float(min(psnr.index[psnr >= psnr.max() - TIE]))


def tried_rates(study: Study, metric: str) -> pd.DataFrame:
    """Validation scores at the end of the short trainings: a row for each task and loss, a column for each rate."""
    runs = study.runs[study.runs["part"] == RATES]
    curves = study.curves[(study.curves["part"] == RATES) & (study.curves["tag"] == f"val/{metric}")]
    last = curves.sort_values("patches").groupby(["task", "loss", "seed"], as_index=False)["value"].last()
    rows = runs.merge(last, on=["task", "loss", "seed"])
    return rows.pivot_table(index=["task", "title"], columns="learning_rate", values="value", sort=False).sort_index(
        axis=1
    )


def rates_tables(study: Study) -> list[Table]:
    """A table for each task: PSNR and MS-SSIM by learning rate, the chosen rate highlighted."""
    psnr = tried_rates(study, "psnr")
    ms_ssim = tried_rates(study, "ms_ssim").reindex_like(psnr)
    tables = []
    for task in psnr.index.unique("task"):
        rows = [(str(loss), _cells(psnr.loc[(task, loss)], ms_ssim.loc[(task, loss)])) for loss in psnr.loc[task].index]
        title = f"{task_title(task)}: PSNR (dB) and MS-SSIM of validation photographs by learning rate"
        notes = [
            f"highlighted: the highest PSNR, or a smaller rate at most {TIE} dB below it; main trainings take that rate"
        ]
        tables.append(Table(title, [f"{rate:g}" for rate in psnr.columns], rows, notes))
    return tables


def _cells(psnr: pd.Series, ms_ssim: pd.Series) -> list[Cell]:
    best = best_rate(psnr.dropna())
    return [
        Cell(METRICS["psnr"].shown(value), METRICS["ms_ssim"].shown(structure), best=rate == best)
        for (rate, value), structure in zip(psnr.items(), ms_ssim, strict=True)
    ]
