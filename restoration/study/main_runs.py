"""The runs that claims are about: one data set, variant and test set, and what the paper's tables have of each task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from restoration.names import METRICS
from restoration.study.scores import Scores
from restoration.study.statements import Alike, Better, Pair, Part
from restoration.study.statistics import Condition

TABLE_1 = tuple(
    name for name in ("l2", "psnr", "l1", "ssim", "ms_ssim", "iw_ssim", "gmsd", "fsim", "fsimc") if name in METRICS
)
PAPER_COLUMNS = {
    "demosaic": ("l2", "l1", "ssim5", "ssim9", "ms_ssim", "mix"),
    "sr": ("l2", "l1", "ms_ssim", "mix"),
    "jpeg": ("l2", "l1", "ms_ssim", "mix"),
}
MARGINS = {"psnr": 0.1, "ssim": 0.002}


@dataclass(frozen=True)
class Main:
    """The runs that the claims are about; `study` is the main variant of the experiment that they are a part of."""

    scores: Scores
    data: str
    variant: str
    test_set: str
    study: str

    def at(self, task: str, metric: str) -> Condition:
        return Condition(self.data, self.variant, task, self.test_set, metric)

    def better(self, first: str, second: str, tasks: Iterable[str], metrics: Sequence[str]) -> tuple[Part, ...]:
        return tuple(Better(Pair(self.at(task, metric), first, second)) for task in tasks for metric in metrics)

    def alike(self, first: str, second: str, tasks: Iterable[str]) -> tuple[Part, ...]:
        return tuple(
            Alike(Pair(self.at(task, metric), first, second), margin)
            for task in tasks
            for metric, margin in MARGINS.items()
        )

    def losses(self, task: str, *, variant: str | None = None) -> list[str]:
        """Those that are scored by PSNR."""
        at = self.at(task, "psnr")
        return self.scores.losses(replace(at, variant=variant) if variant else at)

    def has_part(self, name: str) -> bool:
        """Whether a part of the experiment has a variant of its own, as "cpu-alpha"."""
        return f"{self.study}-{name}" in self.scores.variants

    def part(self, name: str) -> "Main":
        """The runs of one part of the experiment, where it has a variant of its own; else these."""
        return replace(self, variant=f"{self.study}-{name}") if self.has_part(name) else self
