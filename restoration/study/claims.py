"""What the paper claims, claim by claim, as tests on records; `judge` judges them by its rules.

A claim about "every metric" means those of the paper's Table 1; one about the losses of a task means the columns that
the paper has for it. "A small change of α" is one of at most 0.1 from 0.84, with L1 in 8-bit units; it "hardly matters"
where PSNR changes by less than 0.1 dB and SSIM by less than 0.002 (this project's choice: the paper gives no figure).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_lowercase

import pandas as pd

from restoration.names import INPUT
from restoration.study.bootstrap import RESAMPLES
from restoration.study.columns import title_of
from restoration.study.comparisons import rank_records
from restoration.study.judge import judge
from restoration.study.ledger import Ledger
from restoration.study.main_runs import PAPER_COLUMNS, TABLE_1, Main
from restoration.study.questions import questions
from restoration.study.runs import COLUMNS
from restoration.study.scales import RANK
from restoration.study.scores import Scores
from restoration.study.statements import Better, Claim, Pair, Part

ALPHA, SMALL_CHANGE = 0.84, 0.1


def build_ledger(
    records: pd.DataFrame,
    *,
    data: str,
    variant: str,
    test_set: str,
    study: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Ledger:
    """The ledger of one data set, variant and test set.

    Args:
        records: per-image records; those of the other parts of the experiment among them.
        study: the main variant of the experiment, where `variant` is another part of it: then without the questions
            and the claims that a third part decides.
        seed: of the bootstrap.
    """
    plain = Scores(records)
    known = Main(plain, data, variant, test_set, study or variant)
    ranks = [
        rank_records(
            plain,
            known.at(task, RANK),
            [loss for loss in columns if loss in known.losses(task)],
            TABLE_1,
        )
        for task, columns in PAPER_COLUMNS.items()
    ]
    ranked = [frame for frame in ranks if len(frame)]
    main = replace(known, scores=Scores(pd.concat([records, *ranked], ignore_index=True)))
    title = f"What the paper claims, measured on {test_set} ({data}, {variant})"
    claims = [*quality_claims(main), *artefact_claims(main), *training_claims(main)]
    claims.sort(key=lambda claim: float(claim.number.rstrip(ascii_lowercase)))
    if main.variant == main.study:
        everything = [*claims, *questions(main)]
    else:
        everything = [claim for claim in claims if claim.variants() <= {main.variant}]
    return judge(everything, main.scores, title=title, test_set=test_set, resamples=resamples, seed=seed)


def build_raw_ledger(records: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> Ledger:
    """The ledger of real raw photographs: of several their means over tiles count, of one its tiles.

    Args:
        records: of tiles of them that have a reference, a test set for each kind of noise; none: not measured.
        seed: of the bootstrap.
    """
    photographs = records["image"].str.replace(r" row \d+ column \d+$", "", regex=True)
    tiles, count = records["image"].nunique(), photographs.nunique()
    of = f"{tiles} tiles of {count} " if count else ""
    place = f"{of}real raw photograph{'' if count == 1 else 's'}"
    if count > 1:
        names = COLUMNS[:-1]
        records = records.assign(image=photographs).groupby(names, sort=False)["value"].mean().reset_index()
    scores = Scores(records)
    return judge(
        raw_claims(scores),
        scores,
        title=f"What the paper claims, measured on {place}",
        test_set=place,
        unit="tile" if count == 1 else "photograph",
        resamples=resamples,
        seed=seed,
    )


def quality_claims(main: Main) -> list[Claim]:
    """Claims 1, 2, 4.1, 8 and 9: which loss scores best, and BM3D beside them."""
    others = {task: [loss for loss in columns if loss != "mix"] for task, columns in PAPER_COLUMNS.items()}

    def mix_first(metrics: Sequence[str]) -> dict[str, tuple[Part, ...]]:
        return {
            task: tuple(part for loss in losses for part in main.better("mix", loss, [task], metrics))
            for task, losses in others.items()
        }

    def by_task(first: str, second: str) -> dict[str, tuple[Part, ...]]:
        return {task: main.better(first, second, [task], TABLE_1) for task in PAPER_COLUMNS}

    single_scale_tasks = [  # the paper has demosaic alone
        task for task in PAPER_COLUMNS if task == "demosaic" or {"ssim5", "ssim9"} & {*main.losses(task)}
    ]
    single_scale = {
        f"than {title_of(loss)}": main.better("ms_ssim", loss, single_scale_tasks, TABLE_1)
        for loss in ("ssim5", "ssim9")
    }
    return [
        *_split("1", "L1 beats L2 on every metric and task", "[S]", "L1 better than L2", by_task("l1", "l2")),
        *_split(
            "2.1",
            "Mix is the best loss overall",
            "[S]",
            "Mix's rank among the paper's losses, averaged over metrics for each image, better than each other's",
            mix_first([RANK]),
        ),
        *_split(
            "2.2",
            "Mix is the best loss on every metric of every task",
            "[R]",
            "Mix better than each other loss of the paper's table, metric by metric",
            mix_first(TABLE_1),
        ),
        *_split("4.1", "MS-SSIM beats single-scale SSIM", "[S]", "MS-SSIM better on every metric", single_scale),
        *_split("8", "Mix beats MS-SSIM+L2", "[R]", "Mix better on every metric", by_task("mix", "ms_ssim_l2")),
        *_split(
            "9",
            "The networks beat BM3D in the Bayer domain followed by demosaicking",
            "[S][R]",
            "better than BM3D on every metric",
            {title_of(loss): main.better(loss, "bm3d", ["demosaic"], TABLE_1) for loss in ("l1", "mix")},
        ),
    ]


def artefact_claims(main: Main) -> list[Claim]:
    """Claims 3, 4.2 and 5: what a loss leaves in the image."""
    sigma = main.part("sigma")
    shifts = {
        f"in {words}": main.better("l1", "ms_ssim", PAPER_COLUMNS, [metric])
        for words, metric in (("brightness", "luminance_shift"), ("colour", "colour_shift"))
    }
    return [
        *_split(
            "3",
            "L2 leaves artefacts in flat areas",
            "[S]",
            "more of the artefact's measure after L2 than after L1 (demosaic, sr: and than after Mix)",
            {
                "demosaic, splotches": main.better("l1", "l2", ["demosaic"], ["flat_residual"])
                + main.better("mix", "l2", ["demosaic"], ["flat_residual"]),
                "sr, grating": main.better("l1", "l2", ["sr"], ["grating"])
                + main.better("mix", "l2", ["sr"], ["grating"]),
                "jpeg, blocks": main.better("l1", "l2", ["jpeg"], ["block_step"]),
            },
        ),
        *_split(
            "4.2",
            "MS-SSIM shifts brightness and colours",
            "[S][R]",
            "a larger shift after MS-SSIM than after L1",
            shifts,
        ),
        *_split(
            "5",
            "A small σ of SSIM loses flat areas, a large one keeps noise around edges",
            "[S]",
            "σ = 1 and σ = 9 compared where each is said to be worse",
            {
                "a small σ loses flat areas": sigma.better("ssim9", "ssim1", ["demosaic"], ["flat_residual"]),
                "a large σ keeps noise around edges": sigma.better("ssim1", "ssim9", ["demosaic"], ["edge_residual"]),
            },
        ),
    ]


def training_claims(main: Main) -> list[Claim]:
    """Claims 6 and 7: switching losses, and α."""
    switching, alpha = main.part("switching"), main.part("alpha")
    near = {
        task: [
            loss
            for loss in alpha.losses(task)
            if (match := re.fullmatch(r"mix_a(\d*\.?\d+)", loss))
            and 0 < abs(float(match[1]) - ALPHA) <= SMALL_CHANGE + 1e-9
        ]
        for task in PAPER_COLUMNS
    }
    low, high = ALPHA - SMALL_CHANGE, ALPHA + SMALL_CHANGE
    return [
        *_split(
            "6",
            "Training half with L1 and half with L2 ends lower on the test L2 than L2 throughout",
            "[S]",
            "a lower L2 than after L2 throughout",
            {
                "L1, then L2": switching.better("l1_to_l2", "l2", PAPER_COLUMNS, ["l2"]),
                "L2, then L1": switching.better("l2_to_l1", "l2", PAPER_COLUMNS, ["l2"]),
            },
        ),
        Claim(
            "7",
            "Small changes of α hardly matter",
            "[S]",
            f"α from {low:.2f} to {high:.2f}, L1 in 8-bit units: within 0.1 dB and 0.002 of SSIM of α = {ALPHA}",
            tuple(
                part for task, losses in near.items() for loss in losses for part in alpha.alike(loss, "mix", [task])
            ),
            tuple(f"mix_a<α> with α from {low:.2f} to {high:.2f} for {task}" for task in near if not near[task]),
        ),
    ]


def raw_claims(scores: Scores) -> list[Claim]:
    """Claim 10: on real raw photographs."""
    return [
        *_on_raw(
            scores, "10", "The networks also work on real raw photographs", "[S][R]", (INPUT, "the degraded input")
        ),
        *_on_raw(
            scores,
            "Q6",
            "On real raw photographs, the networks beat BM3D that is told how strong the noise is",
            "question",
            ("bm3d", "BM3D"),
        ),
    ]


def _on_raw(scores: Scores, number: str, words: str, source: str, other: tuple[str, str]) -> list[Claim]:
    """L1 and Mix against another column, its name and title; a piece for each kind of noise, which is a test set."""
    name, title = other
    test = f"L1 and Mix better than {title} on every metric, on tiles of real raw photographs with a reference"
    real = {at.test_set: at for at in scores.conditions() if at.task == "demosaic"}
    if not real:
        return [Claim(number, words, source, test, missing=("records of real raw photographs",))]
    pieces = {
        kind: tuple(
            Better(Pair(replace(at, metric=metric), loss, name)) for loss in ("l1", "mix") for metric in TABLE_1
        )
        for kind, at in real.items()
    }
    return _split(number, words, source, test, pieces)


def _split(number: str, words: str, source: str, test: str, pieces: Mapping[str, tuple[Part, ...]]) -> list[Claim]:
    """The claim as a whole, counted only, and its pieces by letter."""
    whole = Claim(number, words, source, test, tuple(part for parts in pieces.values() for part in parts), summary=True)
    return [
        whole,
        *(
            Claim(f"{number}{letter}", words, source, test, parts, piece=piece)
            for letter, (piece, parts) in zip(ascii_lowercase, pieces.items(), strict=False)
        ),
    ]
