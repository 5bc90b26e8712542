"""The ledger says what the records say, by its rules, and what it lacks."""

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from restoration.names import METRICS
from restoration.study.claims import build_ledger, build_raw_ledger
from restoration.study.columns import UNTRAINED
from restoration.study.judge import SHOWN
from restoration.study.ledger import Ledger
from restoration.study.ledger import verdicts as side_by_side
from restoration.study.main_runs import PAPER_COLUMNS, TABLE_1
from restoration.study.scales import ARTEFACTS, scale_of
from restoration.study.statements import FAILS, HOLDS, UNDECIDED, UNMEASURED
from restoration.study.statistics import Condition
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
FIVE = ("l2", "l1", "ssim5", "ms_ssim", "mix")
VARIANTS = {  # and which losses are trained there, by the name of what they are alike
    **{f"cpu-{name}": {loss: loss for loss in FIVE} for name in ("third", "adamw", "residual")},
    "cpu-dense": {"l2": "l2", "l1": "l1", "ssim_dense": "ssim5", "ms_ssim_dense": "ms_ssim", "mix_dense": "mix"},
}


RAW_LIKE = {"input": "l2", "bm3d": "l2", "l1": "l1", "mix": "mix"}


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
    """Twenty photographs."""
    places = [replace(PLACE, task="demosaic", test_set="raw", metric=metric) for metric in TABLE_1]
    return pd.concat([measured(at, loss, GAINS[loss]) for at in places for loss in ("input", "bm3d", "l1", "mix")])


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
    assert row(ledger, "Q2")["figures"][SHOWN] == f"and {(10 + 6 + 6) * 2 - SHOWN} more"


def test_every_claim_fails_where_the_paper_is_wrong():
    """All gains are mirrored, so that every order is, but that of a third of the training; α matters."""

    def mirrored(at: Condition, loss: str) -> float:
        return (1 if at.variant == "cpu-third" else -2) * as_claimed(at, loss)

    mirror = world(mirrored)
    far = without(mirror, loss="mix_a0.9")
    alpha = mirror[mirror["loss"] == "mix_a0.1"].assign(loss="mix_a0.9")
    places = [replace(PLACE, task="demosaic", test_set="raw", metric=metric) for metric in TABLE_1]
    raw = pd.concat([measured(at, loss, -GAINS[like]) for at in places for loss, like in RAW_LIKE.items()])
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
        "Q2": tuple(f"{loss} for demosaic in cpu-adamw" for loss in ("L2", "L1", "SSIM5", "MS-SSIM", "Mix")),
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


def test_what_one_training_alone_says_is_marked(records, ledger):
    assert "†" not in ledger.markdown()
    main = records["variant"] == PLACE.variant
    once = ledger_of(records[main & (records["seed"] == 0)])
    assert (verdicts(once)["1"], row(once, "1")["of_these_trainings"]) == (HOLDS, True)
    assert "| ✓ holds † | 1 | L1 beats L2 on every metric and task [S] |" in once.markdown()
    assert "†: nothing is known of what another seed would change" in once.note()
    assert row(once, "1b")["figures"][-1] == "from cpu: 20 images, 1 seed (interval over images only)"
    beside = side_by_side({"kodak24": once})
    assert dict(beside.rows)["1. L1 beats L2 on every metric and task [S]"][0].text == "✓ holds †"
    assert beside.notes[0].startswith("†: nothing is known")
    assert side_by_side({"kodak24": ledger}).notes[0].startswith("the tests")
    several = records[(main & (records["seed"] == 0)) | (records["variant"] == "cpu-third")]
    psnr = ledger_of(several).parts.query("number == '1b' and metric == 'psnr'")
    assert (psnr["freedom"] > 0).all()  # the seeds of another variant count
    assert (once.parts["freedom"] == 0).all()


def test_a_difference_that_another_seed_may_undo_is_left_open():
    """L1 is 1 dB better on every photograph; two seeds of the shorter training are 2 dB apart."""
    at, third = (replace(PLACE, variant=variant) for variant in ("cpu", "cpu-third"))
    noise = np.random.default_rng(0).normal(0, 0.1, (20, 1))
    main = records_of({"l2": 30 + noise, "l1": 31 + noise + noise[::-1]}, at)
    assert row(ledger_of(main), "1b")["figures"][0].startswith("sr: L1 − L2 = +0.98 dB [0.9")
    known = records_of({"l2": np.array([[29.0, 31.0, 30.0]] * 20)}, third)
    found = {name: ledger_of(each).parts for name, each in (("alone", main), ("beside", pd.concat([main, known])))}
    assert {name: set(parts["verdict"]) for name, parts in found.items()} == {"alone": {HOLDS}, "beside": {UNDECIDED}}


def test_rankings_are_of_all_seeds_of_either_training():
    """One training of the shorter three has L1 ahead; all three together have not."""

    def trained(variant: str, seeds: list[float]) -> pd.DataFrame:
        noise = np.random.default_rng(0).normal(0, 0.01, (20, 1))
        values = {"l2": np.tile(30 + noise, len(seeds)), "l1": np.tile(seeds, (20, 1))}
        return pd.concat(
            [records_of(values, replace(PLACE, variant=variant, metric=name)) for name in ("psnr", "ssim")]
        )

    ledger = ledger_of(pd.concat([trained("cpu", [31.0]), trained("cpu-third", [31.0, 29.5, 29.6])]))
    assert row(ledger, "Q1")["measured"] == "0 of 2 hold, 2 without an order"
    assert row(ledger, "Q1")["figures"][0].startswith("sr: L1 − L2 = +0.04 dB [")
    assert row(ledger, "Q1")["figures"][-1] == "from cpu-third: 20 images, 3 seeds; cpu: 20 images, 1 seed"
    sure = ledger_of(pd.concat([trained("cpu", [31.0]), trained("cpu-third", [29.5, 29.55, 29.6])]))
    assert row(sure, "Q1")["verdict"] == FAILS
    assert sure.tests == 2 * 2  # the long training counts once, though claim 1 asks for it too


def test_losses_that_a_ranking_lacks_are_named(records):
    """Two that keep their order are not the ranking."""
    ledger = ledger_of(without(records, variant="cpu-adamw", loss="mix"))
    assert row(ledger, "Q2")["measured"] == "24 of 24 hold"
    assert row(ledger, "Q2")["verdict"] == UNDECIDED
    assert row(ledger, "Q2")["missing"] == tuple(f"Mix for {task} in cpu-adamw" for task in PAPER_COLUMNS)


def test_a_single_task_is_not_all_of_them(records):
    """Whatever it shows, the claims about every task stay open, and name what they lack."""
    ledger = ledger_of(records[records["task"] == "sr"])
    assert HOLDS not in {verdicts(ledger)[number] for number in ("1", "2.1", "2.2", "4.1", "6", "7", "8", "Q1", "Q5")}
    assert "L1, then L2 for jpeg" in row(ledger, "6")["missing"]


def test_ranks_need_every_metric(records):
    """Of PSNR alone they would be another claim."""
    ledger = ledger_of(records[records["metric"] == "psnr"])
    assert verdicts(ledger)["2.1"] == UNMEASURED
    assert "rank of Mix for sr" in row(ledger, "2.1")["missing"]


# task, metric, and whose difference each part of a claim is made of; "every metric" stands for those of Table 1
ASKED = {
    "1a": {("demosaic", "every metric", "l1", "l2")},
    "3a": {("demosaic", "flat_residual", "l1", "l2"), ("demosaic", "flat_residual", "mix", "l2")},
    "3b": {("sr", "grating", "l1", "l2"), ("sr", "grating", "mix", "l2")},
    "3c": {("jpeg", "block_step", "l1", "l2")},
    "4.1a": {(task, "every metric", "ms_ssim", "ssim5") for task in PAPER_COLUMNS},
    "4.2a": {(task, "luminance_shift", "l1", "ms_ssim") for task in PAPER_COLUMNS},
    "4.2b": {(task, "colour_shift", "l1", "ms_ssim") for task in PAPER_COLUMNS},
    "5a": {("demosaic", "flat_residual", "ssim9", "ssim1")},
    "5b": {("demosaic", "edge_residual", "ssim1", "ssim9")},
    "6a": {(task, "l2", "l1_to_l2", "l2") for task in PAPER_COLUMNS},
    "6b": {(task, "l2", "l2_to_l1", "l2") for task in PAPER_COLUMNS},
    "7": {(task, metric, "mix_a0.9", "mix") for task in PAPER_COLUMNS for metric in ("psnr", "ssim")},
    "8c": {("jpeg", "every metric", "mix", "ms_ssim_l2")},
    "9a": {("demosaic", "every metric", "l1", "bm3d")},
    "9b": {("demosaic", "every metric", "mix", "bm3d")},
    "Q5": {(task, metric, "mix", "mix_code") for task in PAPER_COLUMNS for metric in ("psnr", "ssim")}
    | {(task, "psnr", "mix", "mix_unit0.84") for task in PAPER_COLUMNS},
}


@pytest.mark.parametrize("number", ASKED)
def test_every_claim_is_tested_on_what_it_is_about(ledger, number):
    wanted = {
        (task, metric, first, second)
        for task, named, first, second in ASKED[number]
        for metric in (TABLE_1 if named == "every metric" else (named,))
    }
    parts = ledger.parts[ledger.parts["number"] == number]
    assert set(parts[["task", "metric", "first", "second"]].itertuples(index=False, name=None)) == wanted


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.05, 0.07], HOLDS),
        ([0.05, 0.14], UNDECIDED),
        ([0.13, 0.15], FAILS),
        ([-0.15, -0.13], FAILS),
        ([-0.07, -0.05], HOLDS),
    ],
)
def test_alike_is_within_the_margin_on_either_side(values, verdict):
    """A tenth of a decibel for the α of Mix."""
    differences = np.resize(values, (40, 1))
    records = records_of({"mix": np.full((40, 1), 30.0), "mix_a0.9": 30 + differences})
    ledger = ledger_of(records)
    assert ledger.parts.set_index("number")["verdict"].to_dict() == {"7": verdict}
    assert ledger.tests == 0  # the interval decides, which nothing corrects


def test_without_a_shorter_training_the_main_runs_are_the_ranking(records):
    ledger = ledger_of(without(records, variant="cpu-third"))
    assert row(ledger, "Q1")["missing"] == ("variant cpu-third",)
    assert (row(ledger, "Q2")["verdict"], row(ledger, "Q3")["verdict"]) == (HOLDS, HOLDS)
    assert "in cpu, " in row(ledger, "Q2")["figures"][0]


def test_dense_losses_stand_for_those_of_the_centre(ledger):
    figures = row(ledger, "Q3")["figures"]
    # by two metrics all pairs but L1 and L2, which are the same as without: 9 for demosaic, 5 for each other task
    assert row(ledger, "Q3")["measured"] == "38 of 38 hold"
    assert figures[0].startswith("demosaic: SSIM5 − L2 = ")
    assert "in cpu-third, SSIM, dense − L2 = " in figures[0]


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


def test_several_raw_photographs_count_by_their_means_over_tiles(raw):
    """Tiles of one are alike: four tiles of each of twenty photographs are twenty, not eighty."""
    tiles = [raw.assign(image=raw["image"] + f" row {row} column 0", value=raw["value"] + row) for row in range(4)]
    ledger, plain = raw_ledger_of(pd.concat(tiles)), raw_ledger_of(raw.assign(value=raw["value"] + 1.5))
    assert ledger.title.endswith("measured on 80 tiles of 20 real raw photographs")
    assert row(ledger, "10a")["figures"][-1] == "from cpu: 20 photographs, 2 seeds"
    assert "Tiles of one" not in ledger.note()
    assert ledger.parts["value"].to_numpy() == pytest.approx(plain.parts["value"].to_numpy())
    assert ledger.parts["high"].to_numpy() == pytest.approx(plain.parts["high"].to_numpy())
    two = pd.concat(tiles)
    assert set(verdicts(raw_ledger_of(two[two["image"].str[:2] < "02"])).values()) == {UNDECIDED}


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
