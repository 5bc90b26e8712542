"""What the paper does not say: does the ranking survive other training, and which α is meant?

The ranking is that of the shorter training, where the paper's experiment has it (as "cpu-third"), since the
other variants have no more; else that of the main runs. Asked of all losses that every part of the experiment has.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType

from restoration.study.columns import title_of
from restoration.study.main_runs import PAPER_COLUMNS, Main
from restoration.study.statements import Claim, Pair, Part, Survives

RANKED_BY = ("psnr", "ssim")
RANKED = {task: [loss for loss in columns if loss != "ssim9"] for task, columns in PAPER_COLUMNS.items()}
DENSE = {"ssim5": "ssim_dense", "ms_ssim": "ms_ssim_dense", "mix": "mix_dense"}  # of a patch's centre: of every pixel
SAME: Mapping[str, str] = MappingProxyType({})


def questions(main: Main) -> list[Claim]:
    """Questions 1 to 5."""
    base = main.part("third")
    asked = (
        ("third", "three times as long a training", SAME),
        ("adamw", "another optimiser (AdamW)", SAME),
        ("dense", "losses on every pixel instead of a patch's centre", DENSE),
        ("residual", "a network that predicts the residual", SAME),
    )
    test = (
        f"pairs of the paper's losses, SSIM9 left out, of which one is better by PSNR or SSIM in {base.variant}: the "
        "same one is better there"
    )
    claims = []
    for number, (name, words, names) in enumerate(asked, start=1):
        other = main if name == "third" else main.part(name)  # the shorter training is what all are compared with
        parts, missing = [], [f"variant {main.variant}-{name}"]
        if main.has_part(name):
            parts = [part for task in RANKED for part in _survivals(base, other.variant, task, names)]
            missing = _lacking(base, base.variant, SAME) + _lacking(base, other.variant, names)
        words = f"The ranking of the losses survives {words}"
        claims.append(Claim(f"Q{number}", words, "question", test, tuple(parts), tuple(missing)))
    study = main.part("alpha")
    alpha = Claim(
        "Q5",
        "The paper's α = 0.84 counts L1 in 8-bit units, nearly the 0.025 in the unit range of its authors' code",
        "question",
        "Mix alike with both constants (0.1 dB, 0.002 of SSIM); better by PSNR than with 0.84 in the unit range",
        study.alike("mix", "mix_code", PAPER_COLUMNS) + study.better("mix", "mix_unit0.84", PAPER_COLUMNS, ["psnr"]),
    )
    return [*claims, alpha]


def _survivals(base: Main, variant: str, task: str, names: Mapping[str, str]) -> list[Part]:
    """For every two losses that were trained in both variants.

    Args:
        names: what takes a loss's place in the variant; with any, pairs of which both losses stay are left out.
    """
    there = base.losses(task, variant=variant)
    both = [loss for loss in RANKED[task] if loss in base.losses(task) and names.get(loss, loss) in there]
    parts: list[Part] = []
    for worse, better in combinations(both, 2):
        if names and not {worse, better} & names.keys():
            continue
        for metric in RANKED_BY:
            at = base.at(task, metric)
            after = Pair(replace(at, variant=variant), names.get(better, better), names.get(worse, worse))
            parts.append(Survives(Pair(at, better, worse), after))
    return parts


def _lacking(base: Main, variant: str, names: Mapping[str, str]) -> list[str]:
    """The losses that a variant should have and has not, in words."""
    return [
        f"{title_of(name)} for {task} in {variant}"
        for task, losses in RANKED.items()
        for name in (names.get(loss, loss) for loss in losses)
        if name not in base.losses(task, variant=variant)
    ]
