"""The section about the search of learning rates: a table and a panel for each task."""

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import NullFormatter

from restoration import names
from restoration.study.figures import COLUMNS, LABELS, STYLE, label_ends, looks, panels_in_rows, svg_of
from restoration.study.rates import rates_tables, tried_rates
from restoration.study.records import Study
from restoration.study.rendering import markdown
from restoration.study.report.blocks import Block, Figure, Section
from restoration.study.statistics import Comparisons

SHOWN = 1.0  # dB that are shown below the best rate of the worst loss


def searched(comparisons: Comparisons) -> Section | None:
    """Validation PSNR and MS-SSIM by learning rate; None if no rate was searched."""
    study = comparisons.study
    if names.RATES not in set(study.runs["part"]):
        return None
    blocks: list[Block] = [*rates_tables(study)]
    files = {"rates.md": "\n".join(map(markdown, rates_tables(study)))}
    if svg := rates_figure(study):
        note = f"lines leave the panel where a loss is {SHOWN:g} dB below the best rate of the worst loss"
        title = "Short trainings: PSNR of validation photographs by learning rate"
        blocks.insert(0, Figure(title, svg, "A panel for each task, a line for each loss", [note]))
        files["rates.svg"] = svg
    return Section("Which learning rate for each loss?", blocks=blocks, files=files, folded=True)


def rates_figure(study: Study) -> str | None:
    """PSNR by learning rate as SVG: a panel for each task, a line for each loss of the main part, if any."""
    psnr = tried_rates(study, "psnr")
    main = study.runs.loc[study.runs["part"] == "main"].drop_duplicates("loss")
    losses = dict(zip(main["title"], main["loss"], strict=True))
    psnr = psnr[psnr.index.isin(losses, level="title")]
    tasks, shown = list(psnr.index.unique("task")), looks(losses.values())
    rates = psnr.columns.to_numpy(dtype=float)
    if not tasks:
        return None
    with mpl.rc_context(STYLE):
        figure, places = panels_in_rows(len(tasks), height=2, top=0, right=LABELS)
        for axes, task in zip(places, tasks, strict=True):
            rows = psnr.loc[task]
            best = rows.max(axis=1).to_numpy(dtype=float)
            low, high = best.min() - SHOWN, best.max() + SHOWN / 5
            axes.set(title=f"{names.task_title(task)}\n{names.metric('psnr').heading}", xscale="log", ylim=(low, high))
            ends = {}  # the last point that is in the panel
            for title, values in zip(map(str, rows.index), rows.to_numpy(dtype=float), strict=True):
                line, look = (
                    [(x, y) for x, y in zip(rates, values, strict=True) if np.isfinite(y)],
                    shown[losses[title]],
                )
                axes.plot(*zip(*line, strict=True), color=look.colour, linestyle=look.dash, marker=look.marker)
                ends[title] = (*next(point for point in reversed(line) if point[1] >= low), look.colour)
            label_ends(axes, ends)
            axes.xaxis.set_minor_formatter(NullFormatter())
        for axes in places[-COLUMNS:]:
            axes.set_xlabel("learning rate")
        return svg_of(figure)
