"""The ledger says what the records say, by its rules, and what it lacks."""

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from restoration.claims import build_ledger, build_raw_ledger
from restoration.columns import UNTRAINED
from restoration.judge import SHOWN
from restoration.ledger import Ledger
from restoration.ledger import verdicts as side_by_side
from restoration.main_runs import PAPER_COLUMNS, TABLE_1
from restoration.metrics import METRICS
from restoration.scales import ARTEFACTS, scale_of
from restoration.statements import FAILS, HOLDS, UNDECIDED, UNMEASURED
from restoration.statistics import Condition
from tests.records import PLACE, records_of

IMAGES = 20
GAINS = {  # of quality, as the paper tells it
    "input": -6.0,
    "bm3d": -0.5,
    "l2": 0.0,
    "ssim1": -1.0,
    "ssim5": 0.4,
    "ssim9": 0.6,
    "ms_ssim": 1.0,
    "l1_to_l2": 1.0,
    "l2_to_l1": 1.2,
    "mix_unit0.84": 1.4,
    "l1": 2.0,
    "ms_ssim_l2": 2.2,
    "mix": 3.0,
    "mix_code": 3.02,
    "mix_a0.9": 2.98,
    "mix_a0.1": 1.0,
}
VARIANTS = {  # and which losses are trained there, by the name of what they are alike
    **{f"cpu-{name}": {"l2": "l2", "l1": "l1", "mix": "mix"} for name in ("third", "adamw", "residual")},
    "cpu-dense": {"l2": "l2", "l1": "l1", "mix_dense": "mix"},
}


RAW_LIKE = (("l1", "mix"), ("input", "bm3d"))


def measured(at: Condition, loss: str, gain: float) -> pd.DataFrame:
    """Two seeds, every image a little different; one unit of gain is 1 dB, 0.01 of SSIM and the like."""
    rng = np.random.default_rng([ord(letter) for letter in f"{at}{loss}"])
    unit = 1.0 if at.metric == "psnr" else 0.01
    better = gain + rng.normal(0, 0.02, (IMAGES, 1)) + rng.normal(0, 0.01, (IMAGES, 1 if loss in UNTRAINED else 2))
    level = np.linspace(0.4, 0.6, IMAGES)[:, None]
    return records_of({loss: level + unit * better * (1 if scale_of(at.metric).higher_is_better else -1)}, at)


def as_claimed(at: Condition, loss: str) -> float:
    """The gains, save that the smallest σ is the best around edges."""
    return 4.0 if (at.metric, loss) == ("edge_residual", "ssim1") else GAINS[loss]


def world(gain: Callable[[Condition, str], float] = as_claimed) -> pd.DataFrame:
    """Records of everything that the claims ask for."""
    frames = []
    for task in PAPER_COLUMNS:
        for metric in (*TABLE_1, *ARTEFACTS):
            at = replace(PLACE, task=task, metric=metric)
            frames += [measured(at, loss, gain(at, loss)) for loss in GAINS]
        for variant, losses in VARIANTS.items():
            for metric in ("psnr", "ssim"):
                at = replace(PLACE, task=task, metric=metric, variant=variant)
                frames += [measured(at, loss, gain(at, like)) for loss, like in losses.items()]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return world()


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    at = replace(PLACE, task="demosaic", test_set="raw")
    return pd.concat([measured(at, loss, GAINS[loss]) for loss in ("input", "bm3d", "l1", "mix")])


@pytest.fixture(scope="module")
def ledger(records) -> Ledger:
    return ledger_of(records)


def ledger_of(records: pd.DataFrame) -> Ledger:
    return build_ledger(records, data="photos", variant="cpu", test_set="kodak24", resamples=300)


def raw_ledger_of(records: pd.DataFrame) -> Ledger:
    return build_raw_ledger(records, resamples=300)


def verdicts(ledger: Ledger) -> dict[str, str]:
    return {row.number: row.verdict for row in ledger.rows}


def row(ledger: Ledger, number: str) -> dict:
    return {each.number: asdict(each) for each in ledger.rows}[number]


def without(records: pd.DataFrame, **names: str) -> pd.DataFrame:
    return records[~np.logical_and.reduce([records[column] == name for column, name in names.items()])]


def test_every_claim_holds_where_the_paper_is_right(ledger):
    found = verdicts(ledger)
    assert {number: verdict for number, verdict in found.items() if verdict != HOLDS} == {}
    claims = [number for number in found if number[-1].isdigit()]
    assert claims == [
        "1",
        "2.1",
        "2.2",
        "3",
        "4.1",
        "4.2",
        "5",
        "6",
        "7",
        "8",
        "9",
        "Q1",
        "Q2",
        "Q3",
        "Q4",
        "Q5",
    ]


def test_studies_may_have_variants_of_their_own(records, ledger):
    """As in the paper's experiment, where only the losses of the tables are trained in the main variant."""
    parts = {
        "sigma": ["ssim1", "ssim9"],
        "switching": ["l2", "l1_to_l2", "l2_to_l1"],
        "alpha": ["mix", "mix_code", "mix_unit0.84", "mix_a0.9", "mix_a0.1"],
    }
    main = records["variant"] == PLACE.variant
    moved = [
        records[main & records["loss"].isin(losses)].assign(variant=f"{PLACE.variant}-{part}")
        for part, losses in parts.items()
    ]
    only_there = {"ssim1", "l1_to_l2", "l2_to_l1", "mix_code", "mix_unit0.84", "mix_a0.9", "mix_a0.1"}
    rest = records[~(main & records["loss"].isin(only_there))]
    apart = ledger_of(pd.concat([rest, *moved]))
    assert verdicts(apart) == verdicts(ledger)
    assert row(apart, "6a")["figures"][-1] == "from cpu-switching: 20 images, 2 seeds"


def test_figures_are_those_of_the_records(ledger):
    psnr = row(ledger, "1b")["figures"][TABLE_1.index("psnr")]
    assert psnr.startswith("sr: L1 − L2 = +2.0")
    assert "dB [1.9" in psnr
    assert psnr.endswith(", p < 0.001")
    assert row(ledger, "1b")["figures"][-1] == "from cpu: 20 images, 2 seeds"
    count = 3 * len(TABLE_1)
    assert (row(ledger, "1")["measured"], row(ledger, "1")["figures"]) == (f"{count} of {count} hold", ())
    parts = ledger.parts[(ledger.parts["number"] == "1b") & (ledger.parts["metric"] == "psnr")].iloc[0]
    assert parts["value"] == pytest.approx(2, abs=0.02)
    assert parts["low"] < parts["value"] < parts["high"]
    assert row(ledger, "3c")["measured"].startswith("jpeg: L1 − L2 = −0.0")  # a single part is told at once
    assert "margin 0.10" in row(ledger, "7")["figures"][0]
    assert "in cpu-third, " in row(ledger, "Q2")["figures"][0]
    assert row(ledger, "Q2")["figures"][SHOWN] == f"and {len(PAPER_COLUMNS) * 3 * 2 - SHOWN} more"


def test_every_claim_fails_where_the_paper_is_wrong():
    """All gains are mirrored, so that every order is, but that of a third of the training; α matters."""

    def mirrored(at: Condition, loss: str) -> float:
        return (1 if at.variant == "cpu-third" else -2) * as_claimed(at, loss)

    mirror = world(mirrored)
    far = without(mirror, loss="mix_a0.9")
    alpha = mirror[mirror["loss"] == "mix_a0.1"].assign(loss="mix_a0.9")
    at = replace(PLACE, task="demosaic", test_set="raw")
    raw = records_of({"input": np.full((IMAGES, 1), 30.0), "l1": np.full((IMAGES, 2), 29.0)}, at)
    raw = pd.concat([raw, *(raw[raw["loss"] == like].assign(loss=loss) for like, loss in RAW_LIKE)])
    found = verdicts(ledger_of(pd.concat([far, alpha]))) | verdicts(raw_ledger_of(raw))
    assert {number: verdict for number, verdict in found.items() if verdict != FAILS} == {}


def test_one_contradicted_part_is_enough_and_is_told_first(records):
    def l1_blurs(at: Condition, loss: str) -> float:
        return -1.0 if (at.task, at.metric, loss) == ("jpeg", "ssim", "l1") else as_claimed(at, loss)

    ledger = ledger_of(world(l1_blurs))
    found = verdicts(ledger)
    assert (found["1"], found["1a"], found["1b"], found["1c"]) == (FAILS, HOLDS, HOLDS, FAILS)
    assert row(ledger, "1c")["measured"] == f"{len(TABLE_1) - 1} of {len(TABLE_1)} hold, 1 do not"
    assert row(ledger, "1c")["figures"][0].startswith("jpeg: L1 − L2 = −0.0")
    assert f"{3 * len(TABLE_1)} hold, 1 do not: demosaic ✓; sr ✓; jpeg ✗ |" in ledger.markdown()


def test_a_handful_of_photographs_decides_nothing(records):
    few = sorted(records["image"].unique())[:5]
    assert set(verdicts(ledger_of(records[records["image"].isin(few)])).values()) <= {UNDECIDED, UNMEASURED}


def test_nothing_is_decided_where_nothing_differs():
    found = verdicts(ledger_of(world(lambda *_: 0.0)))
    wrong = {number: verdict for number, verdict in found.items() if verdict not in (UNDECIDED, UNMEASURED)}
    assert wrong == {"7": HOLDS}  # α does not matter, indeed


def test_missing_records_are_named(records):
    less = without(records, task="demosaic", loss="bm3d")
    less = without(less, loss="ssim9", task="demosaic")
    less = without(less, metric="grating")
    less = without(less, variant="cpu-dense")
    less = without(less, loss="mix_a0.9")
    ledger = ledger_of(less)
    found = verdicts(ledger)
    for number, missing in {
        "3b": ("grating of L1 for sr", "grating of L2 for sr", "grating of Mix for sr"),
        "7": tuple(f"mix_a<α> with α from 0.74 to 0.94 for {task}" for task in PAPER_COLUMNS),
        "9": ("BM3D for demosaic",),
        "Q3": ("variant cpu-dense",),
    }.items():
        assert found[number] == UNMEASURED, number
        assert (row(ledger, number)["measured"], row(ledger, number)["missing"]) == ("–", missing)
    assert found["3"] == UNDECIDED  # what is measured holds, but not all is
    assert row(ledger, "3")["measured"] == "3 of 3 hold, 2 more not measured"
    assert (found["2.2a"], found["2.2b"]) == (UNDECIDED, HOLDS)
    assert "SSIM9 for demosaic" in row(ledger, "2.2a")["missing"]
    text = ledger.markdown()
    assert text.count("SSIM9 for demosaic (2.1, 2.2, 4.1, 5)") == text.count("SSIM9 for demosaic") == 1


def test_what_only_some_tasks_show_is_undecided(records):
    less = without(records, loss="mix_a0.9", task="jpeg")
    less = without(less, variant="cpu-adamw", task="demosaic")
    less = without(less, loss="l1_to_l2", task="sr")
    ledger = ledger_of(less)
    for number, missing in {
        "6": ("L1, then L2 for sr",),
        "7": ("mix_a<α> with α from 0.74 to 0.94 for jpeg",),
        "Q2": ("two of the paper's losses for demosaic in cpu-adamw",),
    }.items():
        assert (row(ledger, number)["verdict"], row(ledger, number)["missing"]) == (UNDECIDED, missing)


def test_a_part_of_the_experiment_is_judged_with_its_other_parts(records):
    shorter = records[records["variant"] == "cpu"].assign(variant="cpu-third")
    moved = pd.concat([shorter, without(records, variant="cpu-third")])
    ledger = build_ledger(moved, data="photos", variant="cpu-third", test_set="kodak24", study="cpu", resamples=300)
    assert "(photos, cpu-third)" in ledger.title
    found = verdicts(ledger)
    assert not [number for number in found if number.startswith("Q")]
    assert {found[number] for number in ("1", "2.1", "2.2", "3", "4.1", "8", "9")} == {HOLDS}


def test_the_note_says_what_one_seed_does_not_know(ledger):
    assert "1 seed" not in ledger.note()
    one = records_of({"l2": np.zeros((5, 1)), "l1": np.ones((5, 1))})
    assert "Where there is 1 seed" in ledger_of(one).note()
    assert "Intervals of a few seeds are too short" in ledger.note()
    assert "Intervals of a few seeds" not in ledger_of(one).note()


def test_rankings_are_compared_on_the_seeds_that_both_have():
    """Of three trainings a third as long one is as the long one, and two that are the other way round do not count."""

    def trained(variant: str, seed: int, l1: float) -> pd.DataFrame:
        values = {"l2": 30 + np.random.default_rng(seed).normal(0, 0.01, (20, 1)), "l1": np.full((20, 1), l1)}
        places = [replace(PLACE, variant=variant, metric=metric) for metric in ("psnr", "ssim")]
        return pd.concat([records_of(values, at, first_seed=seed) for at in places])

    third = [trained("cpu-third", seed, l1) for seed, l1 in ((0, 31), (1, 20), (2, 20))]
    ledger = ledger_of(pd.concat([trained("cpu", 0, 31), trained("cpu-adamw", 2, 31), *third]))
    assert row(ledger, "Q1")["verdict"] == HOLDS
    assert row(ledger, "Q1")["figures"][0].startswith("sr: L1 − L2 = +1.00 dB [1.00, 1.01] in cpu-third")
    assert row(ledger, "Q1")["figures"][-1] == "from cpu-third, cpu: 20 images, 1 seed (interval over images only)"
    assert row(ledger, "Q2")["verdict"] == FAILS  # the training of seed 2 was the other way round
    psnr = ledger.parts[ledger.parts["metric"] == "psnr"]
    parts = psnr.set_index(["number", "variant"])["value"]
    assert parts["Q1", "cpu-third"] == pytest.approx(1, abs=0.02)
    assert parts["Q2", "cpu-third"] == pytest.approx(-10, abs=0.02)
    assert ledger.tests == 2 * 4  # the long training counts once, though claim 1 asks for it too


def test_without_a_shorter_training_the_main_runs_are_the_ranking(records):
    ledger = ledger_of(without(records, variant="cpu-third"))
    assert row(ledger, "Q1")["missing"] == ("variant cpu-third",)
    assert (row(ledger, "Q2")["verdict"], row(ledger, "Q3")["verdict"]) == (HOLDS, HOLDS)
    assert "in cpu, " in row(ledger, "Q2")["figures"][0]


def test_dense_losses_stand_for_those_of_the_centre(ledger):
    figures = row(ledger, "Q3")["figures"]
    # Mix with L1 and L2 of three tasks by two metrics; L1 and L2 with each other are the same as without
    assert row(ledger, "Q3")["measured"] == "12 of 12 hold"
    assert figures[0].startswith("demosaic: Mix − L2 = ")
    assert "in cpu-third, Mix, dense − L2 = " in figures[0]


def test_every_kind_of_raw_noise_is_a_row_of_its_own(records):
    """Networks that beat the input at both levels, and BM3D at one of them."""
    frames = []
    for kind, rival in (("raw-light-weak", 5.0), ("raw-light-strong", GAINS["bm3d"])):
        for metric in TABLE_1:
            at = replace(PLACE, task="demosaic", test_set=kind, metric=metric)
            frames += [measured(at, loss, GAINS[loss]) for loss in ("input", "l1", "mix")]
            frames.append(measured(at, "bm3d", rival))
    ledger = raw_ledger_of(pd.concat(frames))
    found = verdicts(ledger)
    assert [found[number] for number in ("10", "10a", "10b")] == [HOLDS] * 3
    beside = {each.piece: each.verdict for each in ledger.rows if each.number.startswith("Q6") and each.piece}
    assert beside == {"raw-light-weak": FAILS, "raw-light-strong": HOLDS}
    assert found["Q6"] == FAILS
    parts = 2 * len(TABLE_1)
    assert row(ledger, "Q6")["measured"].startswith(f"{parts} of {2 * parts} hold, {parts} do not")
    many = [frames[0].assign(test_set=f"raw-light-{kind}") for kind in range(12)]
    assert len([each for each in raw_ledger_of(pd.concat(many)).rows if each.number.startswith("10")]) == 13
    without_bm3d = raw_ledger_of(without(pd.concat(frames), loss="bm3d"))
    assert (verdicts(without_bm3d)["10"], verdicts(without_bm3d)["Q6"]) == (HOLDS, UNMEASURED)


def test_tiles_of_a_raw_photograph_are_called_tiles(raw):
    names = {image: f"a.dng row {number} column 0" for number, image in enumerate(sorted(raw["image"].unique()))}
    ledger = raw_ledger_of(raw.assign(image=raw["image"].map(names)))
    assert ledger.title.endswith("measured on 20 tiles of 1 real raw photograph")
    assert row(ledger, "10a")["figures"][-1] == "from cpu: 20 tiles, 2 seeds"
    assert "Tiles of one photograph are not photographs" in ledger.note()
    nothing = raw_ledger_of(raw[:0])
    assert nothing.title.endswith("measured on real raw photographs")
    assert set(verdicts(nothing).values()) == {UNMEASURED}
    assert nothing.lacking() == "Missing, and for which claims: records of real raw photographs (10, Q6)."


def test_claims_of_several_ledgers_are_told_in_order(ledger, raw):
    table = side_by_side({"kodak24": ledger, "raw": raw_ledger_of(raw)})
    numbers = [name.split(" ")[0].rstrip(".") for name, _ in table.rows]
    assert numbers[-8:] == ["9", "10", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6"]
    assert set(verdicts(raw_ledger_of(raw)).values()) == {HOLDS}
    cells = {name[:2]: [cell.text for cell in cells] for name, cells in table.rows}
    assert cells["9."] == ["✓ holds", ""]
    assert cells["10"] == ["", "✓ holds"]


def test_only_the_named_runs_count(records, ledger):
    other = records.assign(data="others", value=-records["value"])
    elsewhere = records.assign(test_set="fivek40", value=-records["value"])
    assert ledger_of(pd.concat([other, elsewhere, records])).markdown() == ledger.markdown()
    empty = build_ledger(records, data="photos", variant="gpu", test_set="kodak24")
    assert set(verdicts(empty).values()) == {UNMEASURED}
    assert row(empty, "1")["missing"] == ("variant gpu",)
    assert empty.markdown().count("variant gpu (") == 1


def test_images_without_values_are_missing_records(records):
    nothing = records.assign(value=records["value"].where(records["metric"] != "ms_ssim"))
    assert "a finite ms_ssim of sr" in row(ledger_of(nothing), "1b")["missing"]


def test_regeneration_is_byte_identical(records, raw, ledger):
    shuffled = ledger_of(records.sample(frac=1, random_state=1))
    assert raw_ledger_of(raw.sample(frac=1, random_state=2)).markdown() == raw_ledger_of(raw).markdown()
    assert shuffled.markdown() == ledger.markdown()
    assert shuffled.parts.to_csv() == ledger.parts.to_csv()
    assert shuffled.rows == ledger.rows


def test_markdown_has_a_line_for_every_row(ledger):
    text = ledger.markdown()
    assert text.startswith("**What the paper claims, measured on kodak24 (photos, cpu)**\n\n| verdict |  | claim |")
    first, second = text.split("**Tests and figures on kodak24**")
    assert sum(line.startswith("| ✓ holds |") for line in first.splitlines()) == 16
    figured = sum(bool(row.figures) for row in ledger.rows)
    assert sum(line.startswith("| ") for line in second.splitlines()) == 1 + figured < len(ledger.rows)
    assert f"correction for {ledger.tests} comparisons" in text
    assert "L1 beats L2 on every metric and task [S] | 27 of 27 hold: demosaic ✓; sr ✓; jpeg ✓ |" in first


def test_every_metric_is_of_table_1_or_known_not_to_be():
    """A metric that is added must be counted among "every metric" or left out on purpose."""
    assert {name for name in METRICS if "luma" not in name and not name.endswith("_y")} <= {*TABLE_1, *ARTEFACTS}
