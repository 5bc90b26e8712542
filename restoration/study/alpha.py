"""Which reading of Mix's α is right, and how flat is the optimum?

Mix is α·S + (1 − α)·u·A, S being 1 − MS-SSIM, A the L1 term in the unit range and u the unit in which it counts (255:
8-bit levels; 1: the unit range). A factor changes nothing, so settings with the same odds α / ((1 − α)·u) train
alike: each is the same as α' / (1 − α') = α / ((1 − α)·u), or α' = α / (α + (1 − α)·u), with L1 in the unit range.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from restoration.study.rendering import Cell, Table
from restoration.study.scales import scale_of
from restoration.study.scores import Scores
from restoration.study.statistics import Condition, Difference

REFERENCE = "mix"
NAMED = {  # α and u: the readings of the paper and of its authors' code
    (0.84, 255.0): "0.84 in 8-bit levels: the paper's, as read here",
    (0.84, 1.0): "0.84 in the unit range: the paper's, read naively",
    (0.025, 1.0): "0.025 in the unit range: the authors' code",
    (0.055, 1.0): "0.055 in the unit range",
}
SHORT = {
    (0.84, 255.0): "0.84, 8 bit",
    (0.84, 1.0): "0.84, unit",
    (0.025, 1.0): "0.025, unit",
    (0.055, 1.0): "0.055, unit",
}
METRICS = ("psnr", "ssim", "ms_ssim")
NEAR = 0.1  # dB


@dataclass(frozen=True)
class Setting:
    """α and the unit of L1 of one training of Mix; `share` of the gradient is L1's, on average over the training."""

    loss: str
    alpha: float
    l1_scale: float
    share: float = math.nan

    @property
    def unit_alpha(self) -> float:
        """The α that is the same with L1 in the unit range."""
        return self.alpha / (self.alpha + (1 - self.alpha) * self.l1_scale)

    @property
    def levels_alpha(self) -> float:
        """The α that is the same with L1 in 8-bit levels."""
        return self.unit_alpha / (self.unit_alpha + (1 - self.unit_alpha) / 255)

    @property
    def log_odds(self) -> float:
        return math.log10(self.unit_alpha / (1 - self.unit_alpha))

    @property
    def key(self) -> tuple[float, float]:
        return self.alpha, self.l1_scale

    @property
    def named(self) -> bool:
        return self.key in NAMED

    @property
    def title(self) -> str:
        units = {255.0: "8-bit levels", 1.0: "the unit range"}
        unit = units.get(self.l1_scale, f"units of 1/{self.l1_scale:g}")
        return NAMED.get(self.key, f"{self.alpha:g} in {unit}")


@dataclass(frozen=True)
class AlphaStudy:
    """Settings that were trained on one task and are scored on one test set, `mix` among them."""

    scores: Scores
    at: Condition  # with the metric PSNR
    settings: Sequence[Setting]

    def ordered(self) -> list[Setting]:
        """The readings, then the others by what they are in the unit range."""
        names = list(NAMED)
        readings = sorted((it for it in self.settings if it.named), key=lambda it: names.index(it.key))
        return readings + sorted((it for it in self.settings if not it.named), key=lambda it: it.unit_alpha)

    def along_the_axis(self) -> list[Setting]:
        return sorted((it for it in self.settings if 0 < it.unit_alpha < 1), key=lambda it: (it.log_odds, it.loss))

    def metrics(self) -> list[str]:
        places = {metric: replace(self.at, metric=metric) for metric in METRICS}
        return [
            metric
            for metric, at in places.items()
            if all(self.scores.has(at, setting.loss) for setting in self.settings)
        ]

    def mean(self, setting: Setting, metric: str) -> float:
        """Over seeds and the photographs that have a finite value."""
        values = self.scores.table(replace(self.at, metric=metric), setting.loss).to_numpy(float)
        return float(values[np.isfinite(values)].mean())

    def difference(self, first: Setting, second: str, metric: str) -> Difference:
        return self.scores.compare(replace(self.at, metric=metric), first.loss, second)

    def basis(self) -> str:
        """From how many images and seeds the differences are."""
        best = self.best().loss
        found = (self.scores.compare(self.at, it.loss, best, resamples=1) for it in self.settings)
        return "; ".join(dict.fromkeys(each.basis() for each in found))

    def best(self) -> Setting:
        """By PSNR; of equals the one with the least α."""
        return max(self.along_the_axis(), key=lambda setting: self.mean(setting, "psnr"))

    def nearest(self) -> list[Setting]:
        """The reading with the best PSNR, then those that the interval does not tell from it; of what was trained."""
        readings = [it for it in self.along_the_axis() if it.named]
        if not readings:
            return []
        first = max(readings, key=lambda setting: self.mean(setting, "psnr"))
        others = {it: self.difference(it, first.loss, "psnr") for it in readings if it != first}
        return [first, *(it for it, found in others.items() if found.low <= 0 <= found.high)]

    def near_best(self) -> tuple[Setting, Setting]:
        """The ends of the range around the best setting whose PSNR is within 0.1 dB of it or not told from it."""
        line, best = self.along_the_axis(), self.best()
        behind = [self.difference(it, best.loss, "psnr") for it in line]
        near = [found.value >= -NEAR or found.high >= 0 for found in behind]
        low = high = line.index(best)
        while low > 0 and near[low - 1]:
            low -= 1
        while high < len(line) - 1 and near[high + 1]:
            high += 1
        return line[low], line[high]


def alpha_table(study: AlphaStudy) -> Table:
    """A row for each setting: its α on the common axis, the share of L1, and the metrics beside their differences."""
    titles = {metric: f"{scale_of(metric).unit.strip('()')}" for metric in METRICS}
    titles["psnr"] = "PSNR (dB)"
    metrics = study.metrics()
    highest = {metric: max(study.mean(it, metric) for it in study.settings) for metric in metrics}
    best = {metric: scale_of(metric).shown(mean) for metric, mean in highest.items()}
    rows = []
    for it in study.ordered():
        cells = [
            Cell(_plain(it.unit_alpha, 3)),
            Cell("–" if math.isnan(it.share) else f"{it.share:.0%}".replace("%", " %")),
        ]
        for metric in metrics:
            shown = _shown(study, it, metric)
            compared = it.loss != REFERENCE and study.scores.has(study.at, REFERENCE)
            beside = _interval(study.difference(it, REFERENCE, metric)) if compared else ""
            cells.append(Cell(shown, beside, shown == best[metric]))
        rows.append((it.title, cells))
    return Table(
        f"α of Mix: {study.at.task} on {study.at.test_set}",
        ["α in the unit range", "L1's share of the gradient", *(titles[metric] for metric in metrics)],
        rows,
        [
            "α in the unit range: α / (α + (1 − α)·u), u being the unit of the L1 term, 255 for 8-bit levels; settings "
            "of one value train alike",
            f"below each value: its difference to α = 0.84 in 8-bit levels with the 95 % interval; {study.basis()}",
        ],
    )


def alpha_overview(studies: Sequence[AlphaStudy]) -> Table:
    """A row for each task and test set: the best setting, how far each reading is from it, and how flat it is there."""
    readings = [name for name in NAMED if any(name == it.key for study in studies for it in study.settings)]
    rows = []
    for study in studies:
        best, (low, high) = study.best(), study.near_best()
        nearest = study.nearest()
        by_key = {it.key: it for it in study.settings}
        cells = [Cell(_plain(best.unit_alpha), f"({study.mean(best, 'psnr'):.2f} dB)")]
        for name in readings:
            it = by_key.get(name)
            cells.append(Cell("–") if it is None else _behind(study, it, best, nearest))
        ends = f"{_plain(low.unit_alpha)} – {_plain(high.unit_alpha)}"
        cells.append(Cell(ends, f"(8 bit: {_plain(low.levels_alpha)} – {_plain(high.levels_alpha)})"))
        rows.append((f"{study.at.task} on {study.at.test_set}", cells))
    return Table(
        "Which reading of α is nearest to the best PSNR",
        ["best α", *(f"{SHORT[name]} (dB)" for name in readings), f"within {NEAR} dB, or not told apart"],
        rows,
        [
            "α: with L1 in the unit range; 8 bit: with L1 in 8-bit levels. Below each difference to the best: its 95 % "
            "interval. Highlighted: the nearest reading, and those that the interval does not tell from it. Last: from "
            "the best on, neighbours that are as near to it or not told from it by the interval",
            f"from {'; '.join(dict.fromkeys(study.basis() for study in studies))}",
        ],
    )


def alpha_answer(studies: Sequence[AlphaStudy]) -> str:
    """Which reading is the nearest to the best, how often, and which α is near it everywhere: from the figures."""
    nearest = [study.nearest() for study in studies]
    counted = _counted(it for readings in nearest for it in readings[:1]) or "no reading was trained"
    others = _counted(it for readings in nearest for it in readings[1:])
    unsure = f" Not told from the nearest by the 95 % interval: {others}." if others else ""
    ends = [study.near_best() for study in studies]
    low = max((low for low, _ in ends), key=lambda it: it.log_odds)
    high = min((high for _, high in ends), key=lambda it: it.log_odds)
    flat = (
        f"α from {_plain(low.unit_alpha)} to {_plain(high.unit_alpha)} with L1 in the unit range, "
        f"{_plain(low.levels_alpha)} to {_plain(high.levels_alpha)} with L1 in 8-bit levels, is"
        if low.log_odds <= high.log_odds
        else "no α that was tried is"
    )
    return (
        f"Nearest to the best PSNR, of {len(studies)} pairs of task and test set: {counted}.{unsure} "
        f"In all of them {flat} within {NEAR} dB of the best, or not told from it."
    )


def _plain(value: float, digits: int = 2) -> str:
    """To so many significant digits, without an exponent."""
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


def _counted(settings: Iterable[Setting]) -> str:
    counts = Counter(it.title for it in settings)
    return "; ".join(f"{title}, in {count}" for title, count in counts.most_common())


def _behind(study: AlphaStudy, setting: Setting, best: Setting, nearest: Sequence[Setting]) -> Cell:
    """How far a setting's PSNR is behind the best."""
    if setting == best:
        return Cell("best", best=True)
    found = study.difference(setting, best.loss, "psnr")
    scale = scale_of("psnr")
    interval = f"[{scale.shown(found.low)}, {scale.shown(found.high)}]"
    return Cell(scale.shown(found.value, sign="+"), interval, setting in nearest)


def _shown(study: AlphaStudy, setting: Setting, metric: str) -> str:
    return scale_of(metric).shown(study.mean(setting, metric))


def _interval(found: Difference) -> str:
    if not found.images:
        return ""
    scale = scale_of(found.at.metric)
    return f"{scale.shown(found.value, sign='+')}\n[{scale.shown(found.low)}, {scale.shown(found.high)}]"
