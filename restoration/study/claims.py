"""Claims of the paper and further questions of this project.

A claim is a list of expected verdicts, such as "L1 is better than L2 by PSNR on demosaicking". PSNR and MS-SSIM decide;
if a claim names an artefact or the L2 of the test photographs, this measure decides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from restoration.names import DECIDING, INPUT, TASKS
from restoration.study.alpha import CODE, NAIVE, PAPER, Key, settings_of
from restoration.study.records import Study
from restoration.study.statistics import BETTER, EQUAL

PAPER_LOSSES = {  # the columns of the paper's tables
    "demosaic": ("l2", "l1", "ssim5", "ssim9", "ms_ssim", "mix"),
    "sr": ("l2", "l1", "ms_ssim", "mix"),
    "jpeg": ("l2", "l1", "ms_ssim", "mix"),
}
NOISY = ("demosaic",)  # the task with noise
SMALL_CHANGE = 0.1 + 1e-9  # of α; with room for rounding


class Expected(NamedTuple):
    """The verdict that a claim expects on the first of two losses, on every test set."""

    task: str
    metric: str
    first: str
    second: str
    verdict: str = BETTER


@dataclass(frozen=True)
class Claim:
    """A row of the table of claims. If the study lacks the named part, the main part decides."""

    number: str
    words: str
    source: str
    part: str
    expected: Sequence[Expected]


def claims(study: Study) -> list[Claim]:
    """The table of claims; those about α depend on the settings that were trained."""
    return [*_paper_claims(study), *(claim for claim in LATER if claim.part in study.parts)]


def _paper_claims(study: Study) -> list[Claim]:
    """The claims of the first edition."""
    return [
        Claim("1", "L1 beats L2", "", "main", better("l1", "l2")),
        Claim("2", "Mix beats every other loss of the paper", "", "main", _mix_first()),
        Claim("3", "L2 leaves more splotches, grating (×2) and blocks (JPEG)", "", "main", _artefacts()),
        Claim("4a", "MS-SSIM beats SSIM", "", "main", better("ms_ssim", "ssim5", "ssim9")),
        Claim("4b", "MS-SSIM shifts brightness and colours more than L1", "partly recalled", "main", _shifts()),
        Claim("5a", "A small σ loses flat areas", "", "sigma", _sigma("ssim9", "ssim1", "flat_residual")),
        Claim("5b", "A large σ keeps noise at edges", "", "sigma", _sigma("ssim1", "ssim9", "edge_residual")),
        Claim("6", "Switching L1 and L2 half-way ends with a lower L2 than L2 alone", "", "switching", _switched()),
        Claim("7", "Small changes of α hardly matter", "", "alpha", _small_changes(study)),
        Claim("8", "Mix beats MS-SSIM+L2", "recalled", "main", better("mix", "ms_ssim_l2")),
        Claim("9", "L1 and Mix beat BM3D followed by demosaicking", "partly recalled", "main", _both("bm3d")),
        Claim("10", "L1 and Mix improve real raw photographs", "partly recalled", "raw", _both(INPUT)),
        Claim(
            "Q5a",
            "α = 0.84, L1 in 8-bit levels, equals the code's α",
            "our question",
            "alpha",
            _paper(study, CODE, EQUAL),
        ),
        Claim(
            "Q5b", "α = 0.84, L1 in 8-bit levels, beats 0.84 in [0, 1]", "our question", "alpha", _paper(study, NAIVE)
        ),
        Claim(
            "Q6",
            "L1 and Mix beat BM3D that knows the noise of real raw photographs",
            "our question",
            "raw",
            _both("bm3d"),
        ),
    ]


def better(first: str, *others: str, tasks: Iterable[str] = TASKS, metrics: Sequence[str] = DECIDING) -> list[Expected]:
    """The first loss is better than each of the others, in every task and by every metric."""
    return [Expected(task, name, first, other) for other in others for task in tasks for name in metrics]


def _mix_first() -> list[Expected]:
    losses = [(task, loss) for task, names in PAPER_LOSSES.items() for loss in names if loss != "mix"]
    return [expected for task, loss in losses for expected in better("mix", loss, tasks=[task])]


def _artefacts() -> list[Expected]:
    named = {"demosaic": ("flat_residual", "l1", "mix"), "sr": ("grating", "l1", "mix"), "jpeg": ("block_step", "l1")}
    return [Expected(task, name, loss, "l2") for task, (name, *losses) in named.items() for loss in losses]


def _shifts() -> list[Expected]:
    return better("l1", "ms_ssim", metrics=["luminance_shift", "colour_shift"])


def _sigma(first: str, second: str, artefact: str) -> list[Expected]:
    return better(first, second, tasks=NOISY, metrics=[artefact])


def _switched() -> list[Expected]:
    return better("l1_to_l2", "l2", metrics=["l2"]) + better("l2_to_l1", "l2", metrics=["l2"])


def _both(other: str) -> list[Expected]:
    return better("l1", other, tasks=NOISY) + better("mix", other, tasks=NOISY)


def _small_changes(study: Study) -> list[Expected]:
    """Every α within 0.1 of the paper's, L1 in the same unit, is equal to the paper's."""
    return [
        Expected(task, name, loss, losses[PAPER], EQUAL)
        for task, losses in _by_alpha(study).items()
        for (alpha, l1_scale), loss in losses.items()
        for name in DECIDING
        if PAPER in losses and l1_scale == PAPER[1] and 0 < abs(alpha - PAPER[0]) < SMALL_CHANGE
    ]


def _paper(study: Study, other: Key, verdict: str = BETTER) -> list[Expected]:
    """The paper's α, L1 in 8-bit levels, is expected to have this verdict against another reading."""
    return [
        Expected(task, name, losses[PAPER], losses[other], verdict)
        for task, losses in _by_alpha(study).items()
        for name in DECIDING
        if PAPER in losses and other in losses
    ]


def _by_alpha(study: Study) -> dict[str, dict[Key, str]]:
    """The trained mixtures of each task."""
    return {task: {setting.key: setting.loss for setting in settings_of(study, task)} for task in study.tasks}


LATER = (  # questions of the second edition
    Claim(
        "Q7",
        "MS-SSIM and Mix at every pixel beat those at the centre pixel with the same Gaussians",
        "our question",
        "gaussians",
        better("ms_ssim_dense", "ms_ssim_small") + better("mix_dense", "mix_small"),
    ),
    Claim("Q8", "L1 beats L2 with SGD and momentum", "our question", "sgd", better("l1", "l2", tasks=NOISY)),
    Claim("Q9", "L1 beats L2 after a longer training", "our question", "longer", better("l1", "l2", tasks=["sr"])),
)
