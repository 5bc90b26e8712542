"""Names, titles, order and units of metrics, tasks, columns and parts of a study.

This module imports no other module of the package, so that every module may use it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

INPUT = "input"  # column of the degraded input
QUICK = (
    "l2",
    "psnr",
    "l1",
    "ssim",
    "ms_ssim",
)  # metrics of the validation; the other metrics take several times as long
CURVES = ("psnr", "ms_ssim", "ssim", "l1", "l2")  # the same metrics, in the order of TensorBoard's charts
GRADIENT_SHARE = "9 share of the gradient"  # the tag ends with the name of a term of the loss
DECIDING = ("psnr", "ms_ssim")  # the metrics that decide a claim
SQUARED, AMPLITUDE = 0.023, 0.012  # 0.1 dB is 2.3 % of a squared error and 1.2 % of an amplitude


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How a metric is shown, and which differences count as equal.

    Attributes:
        unit: shown behind the title and behind differences; may be empty.
        digits: decimals of a shown value.
        shown_times: factor between the stored and the shown value.
        margin: the largest difference that counts as equal: a share of the remaining error, or, where `absolute`, a
            value in the metric's unit.
    """

    title: str
    unit: str = ""
    higher_is_better: bool
    digits: int = 4
    shown_times: float = 1.0
    margin: float = SQUARED
    absolute: bool = False

    @property
    def label(self) -> str:
        """Title and unit, as in "PSNR (dB)"."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def heading(self) -> str:
        """The label with an arrow towards the better values, as in "PSNR (dB) ↑"."""
        return f"{self.label} {'↑' if self.higher_is_better else '↓'}"

    def shown(self, value: float) -> str:
        """A value as a table shows it, always with the same decimals; "–" for a missing one."""
        if value != value:
            return "–"
        return f"{round(value * self.shown_times, self.digits) + 0.0:.{self.digits}f}".replace("-", "−")

    def named(self, value: float) -> str:
        """A value with its title and unit, as in "PSNR 31.53 dB"."""
        return f"{self.title} {self.shown(value)} {self.unit}".rstrip()

    def shown_difference(self, value: float, *, sign: bool = False) -> str:
        """A difference with a minus sign (U+2212). A negative difference that rounds to 0 is shown as −0.00.

        Args:
            sign: mark positive differences with +.
        """
        return f"{value * self.shown_times:{'+' if sign else ''}.{self.digits}f}".replace("-", "−")

    def margin_at(self, reference: float) -> float:
        """The largest difference to a mean value of `reference` that counts as equal, in the metric's unit."""
        if self.absolute:
            return self.margin
        return self.margin * abs(1 - reference if self.higher_is_better else reference)


def _artefact(title: str) -> Metric:
    return Metric(title=title, unit="levels", higher_is_better=False, digits=3, margin=AMPLITUDE)


METRICS = {
    "l2": Metric(title="1000 L2", higher_is_better=False, digits=3, shown_times=1000),
    "psnr": Metric(title="PSNR", unit="dB", higher_is_better=True, digits=2, margin=0.1, absolute=True),
    "l1": Metric(title="1000 L1", higher_is_better=False, digits=2, shown_times=1000, margin=AMPLITUDE),
    "ssim": Metric(title="SSIM", higher_is_better=True),
    "ms_ssim": Metric(title="MS-SSIM", higher_is_better=True),
    "iw_ssim": Metric(title="IW-SSIM", higher_is_better=True),
    "gmsd": Metric(title="GMSD", higher_is_better=False),
    "fsim": Metric(title="FSIM", higher_is_better=True),
    "fsimc": Metric(title="FSIMc", higher_is_better=True),
    "psnr_y": Metric(title="PSNR-Y", unit="dB", higher_is_better=True, digits=2, margin=0.1, absolute=True),
    "ssim_y": Metric(title="SSIM-Y", higher_is_better=True),
}
HEADLINE = ("psnr", "ssim", "ms_ssim")  # metrics of the first table
OTHERS = {  # metrics of the further tables, by title
    "errors and luma": ("l2", "l1", "psnr_y", "ssim_y"),
    "structure": ("iw_ssim", "gmsd", "fsim", "fsimc"),
}
PAPER_METRICS = ("l2", "psnr", "l1", "ssim", "ms_ssim", "iw_ssim", "gmsd", "fsim", "fsimc")  # of the paper's Table 1
METRICS_NOTE = (
    "IW-SSIM, GMSD, FSIM: as piq 0.8, on luma; PSNR-Y, SSIM-Y: on luma from 16 to 235 as MATLAB's rgb2ycbcr, peak 255"
)
ARTEFACTS = {
    "flat_residual": _artefact("Splotches"),
    "edge_residual": _artefact("Noise at edges"),
    "grating": _artefact("Grating"),
    "block_step": _artefact("Block step"),
    "luminance_shift": _artefact("Luminance shift"),
    "colour_shift": _artefact("Colour shift"),
}
ARTEFACT_TASKS = {"grating": ("sr",), "block_step": ("jpeg",)}  # artefacts that only some tasks can cause
TASKS = {
    "demosaic": "Demosaicking + denoising",
    "sr": "Super-resolution ×2",
    "jpeg": "JPEG deblocking",
}  # in the paper's order
INPUT_TITLES = {"demosaic": "Noisy", "sr": "Bilinear", "jpeg": "JPEG"}
RATES = "rates"  # the part of a study with the short trainings that search learning rates
PARTS = {
    "main": "Main training",
    "seeds": "Several seeds",
    "longer": "Longer training",
    "switching": "Switching losses",
    "sigma": "The σ of SSIM",
    "alpha": "The α of Mix",
    "gaussians": "At the centre pixel or at every pixel, with the same Gaussians",
    "sgd": "Another optimiser: SGD with momentum",
    "adam": "Another optimiser: Adam",
    "adamw": "Another optimiser: AdamW",
    "dense": "Losses at every pixel of a patch",
    "residual": "A network that predicts the residual",
    "raw": "Real raw photographs",
    RATES: "Search of learning rates",
}
FORMER_PARTS = ("seeds", "adamw", "dense")  # of the first edition of the study only
CHANGES = {  # what differs from the training whose order of losses a part is compared with
    "main": "Longer training",  # than in the part "seeds"
    "longer": "Longer training",
    "sgd": "SGD with momentum",
    "adam": "Adam",
    "adamw": "AdamW",
    "dense": "Dense losses",  # without a part of this name: the dense losses of the main part
    "residual": "Residual network",
}
BASELINES = {
    "bicubic": "Bicubic",
    "malvar": "Malvar",
    "menon": "Menon",
    "bm3d": "BM3D",
    "bm3d_blind": "BM3D, blind",
}
TERM_FAMILIES = {"l2": "pixelwise", "l1": "pixelwise", "ms_ssim": "structural"}  # families of the terms of a mixture
UNTRAINED = (INPUT, *BASELINES)  # columns without training and seed, in order
LOSS_ORDER = (
    "l2",
    "l1",
    "ssim1",
    "ssim3",
    "ssim5",
    "ssim9",
    "ms_ssim",
    "mix",
    "ms_ssim_l2",
    "ssim_dense",
    "ms_ssim_dense",
    "mix_dense",
    "l1_to_l2",
    "l2_to_l1",
)  # as in the paper; other losses follow by name


def metric(name: str) -> Metric:
    """The facts of a metric or artefact measure.

    Raises:
        KeyError: the name is unknown; the message lists the known ones.
    """
    known = {**METRICS, **ARTEFACTS}
    if name not in known:
        raise KeyError(f"unknown metric {name!r}; known: {', '.join(known)}")
    return known[name]


def curve_tag(metric: str, photographs: str = "validation") -> str:
    """The tag of a metric's curve in TensorBoard, which sorts charts by their tags."""
    return f"{CURVES.index(metric) + 1} {METRICS[metric].label}/{photographs}"


def is_measured(artefact: str, task: str) -> bool:
    """Whether a task can cause an artefact; true for every metric."""
    return task in ARTEFACT_TASKS.get(artefact, (task,))


def task_title(task: str) -> str:
    return TASKS.get(task, task)


def input_title(task: str) -> str:
    """The column title of a task's degraded input."""
    return INPUT_TITLES.get(task, "Input")


def part_title(part: str) -> str:
    return PARTS.get(part, part)


def ordered_tasks(tasks: Iterable[str]) -> list[str]:
    """The paper's tasks in its order, then others by name."""
    return _ordered(tasks, tuple(TASKS))


def ordered_parts(parts: Iterable[str]) -> list[str]:
    return _ordered(parts, tuple(PARTS))


def ordered_metrics(metrics: Iterable[str]) -> list[str]:
    return _ordered(metrics, (*METRICS, *ARTEFACTS))


def ordered_columns(columns: Iterable[str]) -> list[str]:
    """The degraded input, baselines, the paper's losses in its order, then others by name."""
    return _ordered(columns, (*UNTRAINED, *LOSS_ORDER))


def _ordered(names: Iterable[str], order: tuple[str, ...]) -> list[str]:
    position = {name: number for number, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (position.get(name, len(order)), name))
