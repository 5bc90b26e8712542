"""The table of the field: report cards of the losses of installed libraries, as results/losses/field.md.

TORCHDYNAMO_DISABLE=1 python -m scripts.field [LIBRARY ...]

Libraries that are not installed are left out: pip install kornia piq piqa pyiqa pytorch-msssim torchmetrics
focal-frequency-loss frame-analytics.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module, metadata
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor, nn

from restoration.check import check_loss
from restoration.check.probe import DECLARED, FAULT, LIMIT
from restoration.files import write_text

FILE = Path("results/losses/field.md")
WORKERS = 2  # processes of one thread each
LUMA: Mapping[str, str] = dict.fromkeys(
    ("hue", "channel noise", "colour"), "defined on the luma, or on weighted colours"
)
STEPS: Mapping[str, str] = {**LUMA, **dict.fromkeys(("brightness", "flat"), "compares steps between pixels")}
FREQUENCY: Mapping[str, str] = dict.fromkeys(
    ("gradcheck", "second derivative"), "the weights are constants by definition"
)
ANGLE: Mapping[str, str] = dict.fromkeys(
    ("brightness", "contrast", "flat", "black", "white"), "an angle between colours"
)


@dataclass(frozen=True)
class Case:
    """A loss of a library.

    Attributes:
        made: Python text, evaluated with `library` as the module.
        declares: for the report card, what the loss does not see by its definition.
    """

    library: str
    made: str
    declares: Mapping[str, str] = field(default_factory=dict)


PACKAGES = {"restoration.losses": "restoration-losses"}  # distributions whose name is not the module's
OURS = "restoration.losses"
CASES = [
    *(Case("torch", f"nn.{made}") for made in ("L1Loss()", "MSELoss()", "SmoothL1Loss()", "HuberLoss()")),
    *(Case(OURS, f"{made}Loss()") for made in ("L1", "L2", "SSIM", "MSSSIM", "Mix", "MSSSIML2")),
    *(
        Case(OURS, f"{made}Loss()")
        for made in ("Charbonnier", "RMSE", "PSNR", "Edge", "FFT", "FocalFrequency", "LPIPS")
    ),
    *(Case(OURS, made) for made in ("PyramidMSSSIMLoss(2)", "MixLoss(dense=True, window=31)")),
    *(
        Case("kornia", f"losses.{name}Loss(reduction='mean')")
        for name in ("Charbonnier", "Welsch", "Cauchy", "GemanMcclure")
    ),
    *(Case("kornia", f"losses.{made}") for made in ("PSNRLoss(1.0)", "SSIMLoss(11)", "MS_SSIMLoss()")),
    *(Case("piq", f"{name}Loss()") for name in ("SSIM", "MultiScaleSSIM")),
    Case("piq", "InformationWeightedSSIMLoss()", LUMA),
    *(
        Case("piq", f"{name}Loss()", STEPS if "GMSD" in name else LUMA)
        for name in ("VIF", "GMSD", "MultiScaleGMSD", "FSIM", "SRSIM", "VSI", "MDSI", "HaarPSI", "DSS")
    ),
    *(Case("piqa", f"Rest(library.{name}())") for name in ("SSIM", "MS_SSIM")),
    *(Case("piqa", f"Rest(library.{name}())", LUMA) for name in ("FSIM", "VSI", "HaarPSI")),
    *(Case("piqa", f"{name}()", STEPS) for name in ("GMSD", "MS_GMSD")),
    Case("piqa", "MDSI()", LUMA),
    Case("piqa", "Rest(library.PSNR())"),
    *(Case("pytorch_msssim", f"Rest(library.{name}(data_range=1.0))") for name in ("SSIM", "MS_SSIM")),
    Case("torchmetrics", "functional.mean_squared_error"),
    Case("torchmetrics", "functional.mean_absolute_error"),
    *(
        Case("torchmetrics", f"Rest(library.functional.image.{name}, data_range=1.0)")
        for name in (
            "structural_similarity_index_measure",
            "multiscale_structural_similarity_index_measure",
            "peak_signal_noise_ratio",
        )
    ),
    Case("torchmetrics", "Rest(library.functional.image.universal_image_quality_index)"),
    Case("torchmetrics", "functional.image.error_relative_global_dimensionless_synthesis"),
    Case("torchmetrics", "functional.image.relative_average_spectral_error"),
    Case("torchmetrics", "functional.image.root_mean_squared_error_using_sliding_window"),
    Case("torchmetrics", "functional.image.spectral_angle_mapper", ANGLE),
    Case("focal_frequency_loss", "FocalFrequencyLoss()", FREQUENCY),
    *(Case("frame_analytics", f"{name}().loss") for name in ("L1", "Charbonnier", "Huber", "SSIM", "MSSSIM")),
    *(
        Case("frame_analytics", f"{name}().loss", STEPS if "GMSD" in name else LUMA)
        for name in (
            *("GMSD", "MS_GMSD", "DSS", "NLPD", "FSIM", "SRSIM", "VSI", "MDSI", "HAARPSI"),
            *("CIEDE2000", "FLIP", "SCIELAB", "IWSSIM", "VIFP", "LPIPS"),
        )
    ),
    *(
        Case("pyiqa", f"create_metric('{name}', as_loss=True, device='cpu')", STEPS if name == "gmsd" else LUMA)
        for name in ("ssim", "ms_ssim", "cw_ssim", "psnr", "fsim", "vif", "gmsd", "nlpd", "mad")
    ),
]

NOISY = "x = y + 0.03 * torch.randn_like(y); "
BACK = "; loss(x, y).backward(); x.grad.isfinite().all(), x.grad.any()"
REPRODUCTIONS = {  # by probe, after the lines of HEAD
    "exact": "x = y.clone().requires_grad_()" + BACK,
    "exact flat": "y = torch.full_like(y, 0.5); x = y.clone().requires_grad_()" + BACK,
    "flat": "x = torch.full_like(y, 0.4).requires_grad_(); y = torch.full_like(y, 0.5)" + BACK,
    "negative": "x = (1 - y).requires_grad_()" + BACK,
    "black": "x = torch.full_like(y, 0.001).requires_grad_()" + BACK,
    "white": "x = torch.full_like(y, 0.999).requires_grad_()" + BACK,
    "zero": "loss(y, y)",
    "minimum": "loss(y, y), loss(y + 0.01 * torch.randn_like(y), y)",
    "bfloat16": NOISY + "loss(x.bfloat16(), y.bfloat16()), loss(x.bfloat16().float(), y.bfloat16().float())",
    "float16": NOISY + "loss(x.half(), y.half()), loss(x.half().float(), y.half().float())",
    "autocast": NOISY + "torch.set_autocast_enabled('cpu', True); loss(x, y)",
    "mean over batch": NOISY + "loss(x[:1], y[:1]), loss(x[[0, 0]], y[[0, 0]])",
    "hue": "y = y.mean(1, keepdim=True).expand_as(y); [loss(y + c.view(3, 1, 1), y) for c in 0.05 * torch.eye(3)]",
}
HEAD = """```python
import skimage.data, torch
import LIBRARY as library

loss = LOSS  # as in the table, after `library.`
y = torch.tensor(skimage.data.astronaut()[:248, 100:348] / 255).float().permute(2, 0, 1)
y = 0.1 + 0.8 * y.unfold(1, 31, 31).unfold(2, 31, 31).flatten(1, 2).transpose(0, 1)  # 64 patches, (64, 3, 31, 31)
```"""
PROSE = """Each loss is called as a training calls it, with its defaults, on patches of photographs in [0, 1]; one that
refuses 31 pixels gets larger patches. Many were made as metrics, for whole images or 8-bit levels, and serve well
there. *Faults*: a training can go wrong unnoticed. *Limits*: usable, but not everywhere. *By definition*: what a loss
leaves out on purpose. `Rest(f)` is 1 - f. `restoration check-loss` asks the same of any loss, and says why each probe
matters."""


class Rest(nn.Module):
    """1 - a similarity."""

    def __init__(self, similarity: Callable[..., Tensor], **options: float):
        super().__init__()
        self.similarity, self.options = similarity, options

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return 1 - self.similarity(restored, target, **self.options)


class Function(nn.Module):
    """A loss that is a function."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        return self.function(restored, target)


def made(case: Case) -> nn.Module:
    library = import_module(case.library)
    if case.library == "torchmetrics":
        import_module("torchmetrics.functional.image")
    loss = eval(
        case.made if case.made.startswith("Rest") else f"library.{case.made}", {"library": library, "Rest": Rest}
    )
    return loss if isinstance(loss, nn.Module) else Function(loss)


@dataclass(frozen=True)
class Row:
    """What the card of a loss says."""

    case: Case
    faults: dict[str, str]
    limits: list[str]
    declared: list[str]

    @property
    def shown(self) -> str:
        return f"`{self.case.made.replace('library.', '')}`"


def row_of(case: Case) -> Row | None:
    """None for a library that is not installed; a line in the terminal."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of other libraries
    try:
        loss = made(case)
    except ImportError as error:
        print(f"{case.library} is left out: {error}", flush=True)
        return None
    card = check_loss(loss, case.made, case.declares)
    print(f"{case.library} {case.made}: {card.summary}; {card.seconds:.1f} s", flush=True)
    by_verdict = {
        verdict: {each.probe.name: each.text for each in card.findings if each.verdict == verdict}
        for verdict in (FAULT, LIMIT, DECLARED)
    }
    return Row(case, by_verdict[FAULT], [*by_verdict[LIMIT]], [*by_verdict[DECLARED]])


def table(rows: list[Row]) -> str:
    """The page: versions, a row for each loss, each fault, and how to see it."""
    libraries = list(dict.fromkeys(row.case.library for row in rows))
    versions = ", ".join(f"{name} {_version(name)}" for name in libraries)
    lines = [
        "# The losses of the field, seen by one report card",
        "",
        f"{len(rows)} losses of {len(libraries)} libraries: {versions}. Made by `python -m scripts.field`, "
        "without torch.compile, on a CPU.",
        "",
        PROSE,
        "",
        "| library | loss | faults | limits | by definition |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [", ".join(names) or "–" for names in (row.faults, row.limits, row.declared)]
        lines.append(f"| {row.case.library} | {row.shown} | {' | '.join(cells)} |")
    lines += ["", "## What was seen", ""]
    for row in [row for row in rows if row.faults]:
        lines += [f"- {row.case.library} {row.shown}", *(f"  - {name}: {text}" for name, text in row.faults.items())]
    lines += ["", "## To see it yourself", "", HEAD, "", "| probe | then |", "|---|---|"]
    lines += [f"| {name} | `{code}` |" for name, code in REPRODUCTIONS.items()]
    return "\n".join(lines) + "\n"


def _version(library: str) -> str:
    try:
        return metadata.version(PACKAGES.get(library, library.replace("_", "-")))
    except metadata.PackageNotFoundError:
        return import_module(library).__version__


def main() -> None:
    cases = [case for case in CASES if case.library in sys.argv[1:] or not sys.argv[1:]]
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as workers:
        rows = [row for row in workers.map(row_of, cases) if row]
    write_text(FILE, table(rows))
    print(f"written to {FILE}")


if __name__ == "__main__":
    main()
