"""What the paper does not say: does the ranking survive other training, and which α is meant?

The ranking is that of the shorter training, where the paper's experiment has it (as "cpu-third"), since the
other variants have no more; else that of the main runs. Both sides of a comparison have the same seeds.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType

from restoration.main_runs import PAPER_COLUMNS, Main
from restoration.statements import Claim, Pair, Part, Survives

RANKED_BY = ("psnr", "ssim")
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
        f"pairs of the paper's losses of which one is better by PSNR or SSIM in {base.variant}: the same one is better "
        "there, with the same seeds"
    )
    claims = []
    for number, (name, words, names) in enumerate(asked, start=1):
        other = main if name == "third" else main.part(name)  # the shorter training is what all are compared with
        parts, missing = {}, [f"variant {main.variant}-{name}"]
        if main.has_part(name):
            parts = {task: _survivals(base, other.variant, task, names) for task in base.tasks()}
            missing = [f"two of the paper's losses for {task} in {other.variant}" for task in parts if not parts[task]]
        claims.append(
            Claim(
                f"Q{number}",
                f"The ranking of the losses survives {words}",
                "question",
                test,
                tuple(part for each in parts.values() for part in each),
                tuple(missing),
            )
        )
    study, tasks = main.part("alpha"), main.tasks()
    alpha = Claim(
        "Q5",
        "The paper's α = 0.84 counts L1 in 8-bit units, nearly the 0.025 in the unit range of its authors' code",
        "question",
        "Mix alike with both constants (0.1 dB, 0.002 of SSIM); better by PSNR than with 0.84 in the unit range",
        study.alike("mix", "mix_code", tasks) + study.better("mix", "mix_unit0.84", tasks, ["psnr"]),
    )
    return [*claims, alpha]


def _survivals(base: Main, variant: str, task: str, names: Mapping[str, str]) -> list[Part]:
    """For every two of the paper's losses that were trained in both variants.

    Args:
        names: what takes a loss's place in the variant; with any, pairs of which both losses stay are left out.
    """
    parts: list[Part] = []
    there = base.losses(task, variant=variant)
    both = [loss for loss in PAPER_COLUMNS[task] if loss in base.losses(task) and names.get(loss, loss) in there]
    for worse, better in combinations(both, 2):
        if names and not {worse, better} & names.keys():
            continue
        here, after = (better, worse), (names.get(better, better), names.get(worse, worse))
        own = set.intersection(*(base.seeds(task, loss) for loss in here))
        others = set.intersection(*(base.seeds(task, loss, variant=variant) for loss in after))
        for metric in RANKED_BY if own & others else ():
            at = base.at(task, metric)
            main = Pair(at, *here, _only(own & others, own))
            other = Pair(replace(at, variant=variant), *after, _only(own & others, others))
            parts.append(Survives(main, other))
    return parts


def _only(seeds: set[int], there: set[int]) -> tuple[int, ...]:
    """The seeds, or none where that leaves none out: then it is the comparison that other claims make too."""
    return () if seeds == there else tuple(sorted(seeds))
