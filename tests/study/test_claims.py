"""The verdicts on claims: their rules, and all claims on studies with known answers."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from restoration.names import ARTEFACTS, METRICS, UNTRAINED
from restoration.study.agreement import (
    MIXED,
    NOT_RUN,
    REFUTED,
    SUPPORTED,
    Finding,
    Judged,
    details,
    judge,
    verdict_table,
)
from restoration.study.claims import Claim, claims
from restoration.study.statistics import BETTER, EQUAL, NOT_KNOWN, WORSE, Comparison, Comparisons, Pair
from restoration.study.survival import survival_table
from restoration.study.values import Condition
from tests.studies import ALPHAS, around, study_of, whole_study

TESTS = ("fivek40", "kodak24")


def judged_as(verdicts: Sequence[str | None], expected: str = BETTER) -> Judged:
    """One task with these verdicts; None: not run."""
    condition = Condition("main", "sr", "kodak24", "psnr")
    numbers = dict.fromkeys(("difference", "low", "high", "margin"), 0.0)
    names = {"condition": condition, "first": "a", "second": "b", "seed_variance": ""}
    counts = {"images": 24, "left_out": 0, "seeds": 1}
    findings = [
        Finding(
            Pair(condition, "a", "b"),
            expected,
            None if verdict is None else Comparison(**names, **numbers, **counts, verdict=verdict),
        )
        for verdict in verdicts
    ]
    return Judged(Claim("1", "a beats b", "[S]", "main", []), "main", findings)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([BETTER, BETTER], SUPPORTED),
        ([EQUAL, WORSE], REFUTED),
        ([BETTER, EQUAL], MIXED),
        ([BETTER, WORSE, NOT_KNOWN], MIXED),
        ([BETTER, NOT_KNOWN], NOT_KNOWN),
        ([EQUAL, NOT_KNOWN], NOT_KNOWN),
        ([NOT_KNOWN, NOT_KNOWN], NOT_KNOWN),
        ([BETTER, None], SUPPORTED),
        ([None, None], NOT_RUN),
        ([], ""),
    ],
)
def test_verdict_on_a_task(verdicts, expected):
    assert judged_as(verdicts).verdict("sr") == expected
    assert judged_as(verdicts).verdict("jpeg") == ""


def test_expected_equality():
    assert judged_as([EQUAL, EQUAL], EQUAL).verdict("sr") == SUPPORTED
    assert judged_as([BETTER, WORSE], EQUAL).verdict("sr") == REFUTED


def at(part: str, task: str, name: str, **means: float) -> dict:
    """Scores of columns on both test sets; differences have intervals of about ± 0.006 spreads."""
    return {
        (Condition(part, task, test, name), column): around(mean) for test in TESTS for column, mean in means.items()
    }


def verdicts(scores: dict, number: str, **facts) -> list[str]:
    """The verdicts on a claim, for demosaic, sr and jpeg."""
    (found,) = (each for each in judge(Comparisons(study_of(scores, **facts))) if each.claim.number == number)
    return [found.verdict(task) for task in ("demosaic", "sr", "jpeg")]


def test_l1_beats_l2():
    """Both deciding metrics on both test sets; a task that was not trained is not run."""
    scores = at("main", "demosaic", "psnr", l1=30.5, l2=30.0) | at("main", "demosaic", "ms_ssim", l1=0.95, l2=0.9)
    scores |= at("main", "jpeg", "psnr", l1=30.05, l2=30.0) | at("main", "jpeg", "ms_ssim", l1=0.9, l2=0.9)
    assert verdicts(scores, "1") == [SUPPORTED, NOT_RUN, REFUTED]
    worse = at("main", "demosaic", "ssim", l1=0.1, l2=0.9)  # does not decide
    assert verdicts(scores | worse, "1")[0] == SUPPORTED
    one_set = {
        key: values - 1 if key[0].test_set == "kodak24" and key[1] == "l1" else values for key, values in scores.items()
    }
    assert verdicts(one_set, "1")[0] == MIXED


def test_artefact_decides():
    """Less of an artefact is better; only the artefact of the task decides."""
    scores = at("main", "demosaic", "flat_residual", l2=2.0, l1=1.0, mix=1.0)
    scores |= at("main", "jpeg", "block_step", l2=2.0, l1=2.0) | at("main", "jpeg", "psnr", l2=30.0, l1=40.0)
    assert verdicts(scores, "3") == [SUPPORTED, NOT_RUN, REFUTED]


def test_alpha_by_columns():
    """Losses are selected by α and unit, not by name; α = 0.7 is no small change."""
    alphas = {
        "one": (0.84, 255.0),
        "two": (0.9, 255.0),
        "three": (0.7, 255.0),
        "four": (0.025, 1.0),
        "five": (0.84, 1.0),
    }
    means = {"one": 30.0, "two": 30.02, "three": 20.0, "four": 29.98, "five": 25.0}
    scores = at("alpha", "sr", "psnr", **means) | at("main", "sr", "psnr", l2=30.0)
    for number in ("7", "Q5a", "Q5b"):
        assert verdicts(scores, number, alphas=alphas) == ["", SUPPORTED, ""]
    far = {**means, "two": 29.0, "four": 29.0}
    scores |= at("alpha", "sr", "psnr", **far)
    assert [verdicts(scores, number, alphas=alphas)[1] for number in ("7", "Q5a")] == [REFUTED, REFUTED]


def test_part_without_runs():
    """If a claim's part has no runs, the main part decides; with another main part, the claim is left out."""
    scores = at("main", "sr", "l2", l1_to_l2=0.5, l2_to_l1=0.5, l2=0.9)
    assert verdicts(scores, "6") == [NOT_RUN, SUPPORTED, NOT_RUN]
    numbers = [each.claim.number for each in judge(Comparisons(study_of(scores)), main="seeds")]
    assert numbers == ["1", "2", "3", "4a", "4b", "8", "9"]


def test_raw_files():
    """Only noise in light counts, and only for the claims about raw files."""
    sets = {name: {"title": name, "noise": name} for name in ("light", "encoded")} | {"kodak24": {"title": "Kodak"}}
    scores = {
        (Condition("raw", "demosaic", test, name), column): around(30 + gain)
        for test, sign in (("light", 1), ("encoded", -1))
        for name in ("psnr", "ms_ssim")
        for column, gain in (("l1", sign), ("mix", sign), ("input", 0))
    }
    scores |= {(Condition("main", "demosaic", "kodak24", "psnr"), column): around(30) for column in ("l1", "l2")}
    assert verdicts(scores, "10", test_sets=sets)[0] == SUPPORTED
    assert verdicts(scores, "1", test_sets=sets)[0] == REFUTED


def test_every_claim_names_what_is_measured():
    """Losses have a configuration or are untrained, metrics exist, and no claim is empty."""
    losses = {path.stem for path in (Path(__file__).parents[2] / "configs/loss").glob("*.yaml")} | set(UNTRAINED)
    for claim in claims(whole_study(images=6)):
        assert claim.expected, claim.number
        for expected in claim.expected:
            assert {expected.first, expected.second} <= losses | set(ALPHAS)
            assert expected.metric in {**METRICS, **ARTEFACTS}


# Tables


def test_verdict_table():
    """A verdict for each task, with lines where test sets differ; one line for all that was not run."""
    scores = at("main", "demosaic", "psnr", l1=30.5, l2=30.0) | at("main", "jpeg", "psnr", l1=29.0, l2=30.0)
    scores[Condition("main", "demosaic", "kodak24", "psnr"), "l1"] = around(29.0)
    comparisons = Comparisons(study_of(scores))
    table = verdict_table(comparisons, judge(comparisons), "Claims")
    name, cells = table.rows[0]
    assert name == "1. L1 beats L2"
    assert [(cell.text, cell.interval) for cell in cells] == [
        (MIXED, "Fivek40: supported\nKodak24: refuted"),
        (REFUTED, ""),
    ]
    lines = [note for note in table.notes if note.startswith("not run: ")]
    assert len(lines) == 1
    assert "MIX for" not in lines[0]
    assert "mix for Demosaicking + denoising (2, 3, 8, 9)" in lines[0]
    assert "BM3D for Demosaicking + denoising (9)" in lines[0]


def test_details():
    """A row for each pair on each test set: the deciding metrics, and the verdicts of all others."""
    scores = at("main", "jpeg", "psnr", l1=30.5, l2=30.0) | at("main", "jpeg", "ms_ssim", l1=0.9, l2=0.9)
    scores |= at("main", "jpeg", "l2", l1=0.5, l2=0.9) | at("main", "jpeg", "gmsd", l1=0.9, l2=0.5)
    comparisons = Comparisons(study_of(scores))
    table = details(comparisons, judge(comparisons)[0])
    assert table is not None
    assert table.columns == ["PSNR (dB)", "MS-SSIM", "other metrics"]
    name, cells = table.rows[1]
    assert name == "JPEG deblocking on Kodak24: L1 − L2"
    assert [cell.text for cell in cells] == [BETTER, EQUAL, "better: 1000 L2; worse: GMSD"]
    assert cells[0].interval.startswith("+0.50 dB [")
    assert details(comparisons, judge(comparisons)[1]) is None


def test_survival():
    """Three losses by PSNR on two test sets: one order stays, one is reversed, one becomes equal."""
    scores = at("seeds", "jpeg", "psnr", l2=30.0, l1=31.0, mix=32.0)
    scores |= at("main", "jpeg", "psnr", l2=31.0, l1=30.0, mix=31.0)
    scores |= at("dense", "jpeg", "psnr", l2=30.0, l1=31.0, mix_dense=32.0, mix=0.0)
    table = survival_table(Comparisons(study_of(scores)))
    assert table is not None
    cells = {name: (cells[0].text, cells[0].interval) for name, cells in table.rows}
    assert cells == {"Longer training": ("2 of 6", "(2 reversed, 2 equal)"), "Dense losses": ("4 of 4", "")}
    assert sum(note.startswith("reversed: Longer training, JPEG deblocking on ") for note in table.notes) == 2
    assert survival_table(Comparisons(study_of(at("main", "jpeg", "psnr", l2=30.0, l1=31.0)))) is None
