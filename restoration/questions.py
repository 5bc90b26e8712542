"""What the paper does not say: does the ranking survive other training, and which α is meant?"""

from dataclasses import replace
from itertools import combinations

from restoration.ledger import Claim, Pair, Part, Survives
from restoration.main_runs import PAPER_COLUMNS, Main

RANKED_BY = ("psnr", "ssim")


def questions(main: Main, longer: str) -> list[Claim]:
    """Questions 1 to 5; `longer` names the variant that is trained longer than the main one."""
    asked = (
        ("longer training", [longer] if longer != main.variant else []),
        ("another optimiser (AdamW)", main.variants_like("-adamw")),
        ("losses on every pixel instead of a patch's centre", main.variants_like("-dense")),
        ("a network that predicts the residual", main.variants_like("-residual")),
    )
    test = "pairs of the paper's losses of which one is better by PSNR or SSIM: the same one is better there"
    claims = []
    for number, (words, variants) in enumerate(asked, start=1):
        parts = {variant: tuple(_survivals(main, variant)) for variant in variants}
        missing = [f"variant {variant} with two of the paper's losses" for variant in variants if not parts[variant]]
        claims.append(
            Claim(
                f"Q{number}",
                f"The ranking of the losses survives {words}",
                "question",
                test,
                tuple(part for each in parts.values() for part in each),
                tuple(missing) if variants else (f"a variant of {main.variant} with {words}",),
            )
        )
    study = main.part("alpha")
    tasks = study.tasks_of("mix_code", "mix_unit0.84")
    alpha = Claim(
        "Q5",
        "The paper's α = 0.84 counts L1 in 8-bit units, nearly the 0.025 in the unit range of its authors' code",
        "question",
        "Mix alike with both constants (0.1 dB, 0.002 of SSIM); better by PSNR than with 0.84 in the unit range",
        study.alike("mix", "mix_code", tasks) + study.better("mix", "mix_unit0.84", tasks, ["psnr"]),
    )
    return [*claims, alpha]


def _survivals(main: Main, variant: str) -> list[Part]:
    """For every two of the paper's losses that were trained in both variants."""
    parts: list[Part] = []
    for task, columns in PAPER_COLUMNS.items():
        both = {*main.losses(task)} & {*main.losses(task, variant=variant)}
        for worse, better in combinations([loss for loss in columns if loss in both], 2):
            for metric in RANKED_BY:
                at = main.at(task, metric)
                parts.append(Survives(Pair(at, better, worse), Pair(replace(at, variant=variant), better, worse)))
    return parts
