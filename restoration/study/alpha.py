"""The best α of Mix: which reading of the paper is right, and how flat is the optimum?

Mix is α·S + (1 − α)·u·A: S is 1 − MS-SSIM, A is L1 in [0, 1], u the unit of L1 (255: 8-bit levels; 1: the range
[0, 1]). Settings with the same odds α / ((1 − α)·u) are equivalent. So each setting has one α for L1 in [0, 1],
α / (α + (1 − α)·u), and one for L1 in 8-bit levels. A reading is a setting that the paper's or the code's α may mean.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from restoration.names import task_title
from restoration.study.curves import SHARE
from restoration.study.records import Study
from restoration.study.rendering import Cell, Table
from restoration.study.rows import HIGHLIGHT, caution, rows
from restoration.study.statistics import Comparisons
from restoration.study.tables import photograph_sets, set_title
from restoration.study.values import Condition

Key = tuple[float, float]  # α and the unit of L1
PAPER, NAIVE, CODE = (0.84, 255.0), (0.84, 1.0), (0.025, 1.0)
READINGS: dict[Key, str] = {
    PAPER: "α = 0.84, L1 in 8-bit levels (our reading of the paper)",
    NAIVE: "α = 0.84, L1 in [0, 1] (the paper's α, the code's unit)",
    CODE: "α = 0.025, L1 in [0, 1] (the authors' code)",
}
SHORT = {PAPER: "the paper's", NAIVE: "0.84, [0, 1]", CODE: "the code's"}
METRICS = ("psnr", "ssim", "ms_ssim")
LEVELS = 255.0


def unit_alpha(alpha: float, l1_scale: float) -> float:
    """The equivalent α if L1 is in the range [0, 1]."""
    return alpha / (alpha + (1 - alpha) * l1_scale)


@dataclass(frozen=True)
class Setting:
    """A trained mixture: α, the unit of L1, and L1's mean `share` of the gradient, 0 to 1."""

    loss: str
    alpha: float
    l1_scale: float
    share: float = math.nan

    @property
    def key(self) -> Key:
        return self.alpha, self.l1_scale

    @property
    def unit_alpha(self) -> float:
        """The equivalent α if L1 is in the range [0, 1]."""
        return unit_alpha(self.alpha, self.l1_scale)

    @property
    def levels_alpha(self) -> float:
        """The equivalent α if L1 is in 8-bit levels."""
        return unit_alpha(self.unit_alpha, 1 / LEVELS)

    @property
    def title(self) -> str:
        units = {LEVELS: "8-bit levels", 1.0: "[0, 1]"}
        unit = units.get(self.l1_scale, f"units of 1/{self.l1_scale:g}")
        return READINGS.get(self.key, f"α = {self.alpha:g}, L1 in {unit}")


def settings_of(study: Study, task: str) -> list[Setting]:
    """Every mixture with L1 that was trained for a task, by rising α."""
    runs = study.runs[(study.runs["part"] == _part(study)) & (study.runs["task"] == task)].drop_duplicates("loss")
    mixed = runs[runs["alpha"].between(0, 1, inclusive="neither") & runs["l1_scale"].notna()]
    if mixed.empty:
        return []
    of_l1 = study.curves[study.curves["tag"] == f"{SHARE}l1"]
    shares = of_l1[(of_l1["part"] == _part(study)) & (of_l1["task"] == task)].groupby("loss")["value"].mean()
    columns = mixed[["loss", "alpha", "l1_scale"]].itertuples(index=False, name=None)
    settings = [Setting(loss, alpha, scale, float(shares.get(loss, math.nan))) for loss, alpha, scale in columns]
    return sorted(settings, key=lambda setting: (setting.unit_alpha, setting.loss))


@dataclass(frozen=True)
class Sweep:
    """The settings of one task, by rising α, compared by PSNR on one test set.

    Attributes:
        condition: the task and test set, with PSNR as metric.
        best: the setting with the highest mean PSNR.
        nearest: the reading with the highest mean PSNR; then the readings that are as good.
        ends: lowest and highest α of the range around the best setting in which all settings are as good.
    """

    condition: Condition
    settings: Sequence[Setting]
    best: Setting
    nearest: Sequence[Setting]
    ends: tuple[Setting, Setting]

    def title(self, study: Study) -> str:
        return f"{task_title(self.condition.task)} on {set_title(study, self.condition.test_set)}"

    def with_key(self, key: Key) -> Setting | None:
        return next((setting for setting in self.settings if setting.key == key), None)


def sweeps(comparisons: Comparisons) -> list[Sweep]:
    """A sweep for each task and test set on which two settings or more are scored."""
    study = comparisons.study
    part = _part(study)
    conditions = [
        Condition(part, task, test_set, "psnr") for task in study.tasks for test_set in photograph_sets(study)
    ]
    return [sweep for condition in conditions if (sweep := _sweep(comparisons, condition))]


def _sweep(comparisons: Comparisons, condition: Condition) -> Sweep | None:
    trained = settings_of(comparisons.study, condition.task)
    table = rows(comparisons, [condition], [setting.loss for setting in trained])
    settings = [setting for setting in trained if table and setting.loss in table[0].means]
    if len(settings) < 2:
        return None
    (row,) = table
    best = max(settings, key=lambda setting: row.means[setting.loss])
    readings = sorted((each for each in settings if each.key in READINGS), key=lambda each: -row.means[each.loss])
    near = rows(comparisons, [condition], [reading.loss for reading in readings])
    nearest = [reading for reading in readings if reading.loss in near[0].near_best]
    low = high = settings.index(best)
    while low > 0 and settings[low - 1].loss in row.near_best:
        low -= 1
    while high < len(settings) - 1 and settings[high + 1].loss in row.near_best:
        high += 1
    return Sweep(condition, settings, best, nearest, (settings[low], settings[high]))


def answer(all_sweeps: Sequence[Sweep]) -> str:
    """Which reading has the highest PSNR, and which α are as good as the best everywhere, in sentences."""
    first = _counted((sweep.nearest[:1] for sweep in all_sweeps), len(all_sweeps)) or "none was trained"
    others = _counted((sweep.nearest[1:] for sweep in all_sweeps), len(all_sweeps))
    low = max((sweep.ends[0] for sweep in all_sweeps), key=lambda setting: setting.unit_alpha)
    high = min((sweep.ends[1] for sweep in all_sweeps), key=lambda setting: setting.unit_alpha)
    common = (
        f"α from {_plain(low.unit_alpha)} to {_plain(high.unit_alpha)} with L1 in [0, 1] "
        f"({_plain(low.levels_alpha)} to {_plain(high.levels_alpha)} with L1 in 8-bit levels)"
    )
    as_good = common if low.unit_alpha <= high.unit_alpha else "no α that was trained"
    return (
        f"Highest PSNR of the readings of α: {first} pairs of task and test set. "
        + (f"As good: {others}. " if others else "")
        + f"As good as the best α in all pairs: {as_good}."
    )


def readings_table(comparisons: Comparisons, all_sweeps: Sequence[Sweep]) -> Table:
    """A row for each task and test set: the best α, the PSNR of each reading, the range as good as the best."""
    study = comparisons.study
    readings = [key for key in READINGS if any(sweep.with_key(key) for sweep in all_sweeps)]
    sound = not caution(comparisons, _part(study))
    body = []
    for sweep in all_sweeps:
        cells = [_range(sweep.best)]
        for setting in map(sweep.with_key, readings):
            behind = comparisons.compare(sweep.condition, setting.loss, sweep.best.loss) if setting else None
            shown = Cell(behind.shown, behind.interval, sound and setting in sweep.nearest) if behind else Cell("–")
            cells.append(Cell("best", best=sound) if setting == sweep.best else shown)
        body.append((sweep.title(study), [*cells, _range(*sweep.ends)]))
    titles = [f"{READINGS[key].partition(' (')[0]} (dB)" for key in readings]
    notes = [
        "α with L1 in [0, 1]; 8 bit: the same α with L1 in 8-bit levels",
        "readings: PSNR below the best setting; highlighted: the best reading, and readings that are as good",
        "as good: equal to the best, or not known to differ from the best; of α: neighbours of the best α",
    ]
    title = "Which reading of α is nearest to the best PSNR"
    return Table(title, ["best α", *titles, "as good as the best"], body, notes)


def behind_best(comparisons: Comparisons, all_sweeps: Sequence[Sweep]) -> pd.DataFrame:
    """PSNR of every setting minus the best PSNR, as input of `figures.alpha`."""
    study, lines = comparisons.study, []
    for sweep in all_sweeps:
        titles = task_title(sweep.condition.task), set_title(study, sweep.condition.test_set)
        for setting in sweep.settings:
            behind = comparisons.compare(sweep.condition, setting.loss, sweep.best.loss)
            bounds = (behind.difference, behind.low, behind.high) if behind else (math.nan,) * 3
            lines.append((*titles, setting.unit_alpha, *bounds, setting.share))
    return pd.DataFrame(lines, columns=["task", "test_set", "alpha", "value", "low", "high", "share"])


def sweep_table(comparisons: Comparisons, sweep: Sweep) -> Table:
    """A row for each setting: L1's share of the gradient, and metrics with the difference to the paper's α."""
    conditions = [sweep.condition._replace(metric=name) for name in METRICS]
    shown = rows(comparisons, conditions, [setting.loss for setting in sweep.settings])
    paper = sweep.with_key(PAPER)
    body = []
    for setting in sweep.settings:
        share = "–" if math.isnan(setting.share) else f"{100 * setting.share:.2g} %"
        cells = [Cell(_plain(setting.unit_alpha, 3)), Cell(share)]
        for row in shown:
            beside = None if paper in (None, setting) else comparisons.compare(row.condition, setting.loss, paper.loss)
            cells.append(row.cell(setting.loss, beside))
        body.append((setting.title, cells))
    title = f"α of Mix: {sweep.title(comparisons.study)}"
    columns = ["α, L1 in [0, 1]", "L1's share of the gradient", *(row.heading for row in shown)]
    return Table(title, columns, body, [HIGHLIGHT, "below a value: its difference to α = 0.84 in 8-bit levels"])


def _part(study: Study) -> str:
    return "alpha" if "alpha" in study.parts else "main"


def _range(*ends: Setting) -> Cell:
    """The ends of a range of α, with L1 in [0, 1] and in 8-bit levels; equal ends once."""
    unit = " – ".join(dict.fromkeys(_plain(setting.unit_alpha) for setting in ends))
    levels = " – ".join(dict.fromkeys(_plain(setting.levels_alpha) for setting in ends))
    return Cell(unit, f"(8 bit: {levels})")


def _plain(value: float, digits: int = 2) -> str:
    """A number with this many significant digits, without an exponent."""
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


def _counted(settings: Iterable[Sequence[Setting]], pairs: int) -> str:
    """Titles with the number of pairs of task and test set, as in "α = 0.84, L1 in 8-bit levels, in 6 of 6"."""
    counts = Counter(setting.title for group in settings for setting in group)
    return "; ".join(f"{title}, in {count} of {pairs}" for title, count in counts.most_common())
