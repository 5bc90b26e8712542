"""Settings of Mix's α are laid on one axis, and what is said about the optimum follows from the figures."""

import numpy as np
import pytest
import torch

from restoration.losses import MixLoss
from restoration.study.alpha import (
    AlphaStudy,
    Setting,
    alpha_answer,
    alpha_overview,
    alpha_table,
)
from restoration.study.scores import Scores
from tests.records import PLACE, records_of

PSNR = {  # and the setting
    "mix": (30.00, 0.84, 255.0),
    "mix_unit0.84": (28.00, 0.84, 1.0),
    "mix_code": (30.05, 0.025, 1.0),
    "mix_a0.01": (29.00, 0.01, 255.0),
    "mix_a0.5": (29.96, 0.5, 255.0),
    "mix_a0.25": (29.99, 0.25, 255.0),
    "mix_a0.95": (30.01, 0.95, 255.0),
    "mix_a0.99": (29.80, 0.99, 255.0),
}


def study(values: dict[str, float] | None = None, *, share: float = 0.25, noise: float = 0.0) -> AlphaStudy:
    """Eight photographs, each setting a constant and the noise, of which every setting has its own."""
    psnr = {loss: value for loss, (value, *_) in PSNR.items()} | (values or {})
    rng, photographs = np.random.default_rng(0), np.linspace(-1, 1, 8)[:, None]
    scores = Scores(records_of({loss: photographs + value + noise * _centred(rng) for loss, value in psnr.items()}))
    return AlphaStudy(scores, PLACE, [Setting(loss, *PSNR[loss][1:], share) for loss in psnr])


def _centred(rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(0, 1, (8, 1))
    return values - values.mean()


@pytest.mark.parametrize(("alpha", "scale"), [(0.84, 255.0), (0.025, 1.0), (0.3, 7.0)])
def test_the_same_alpha_in_another_unit_is_the_same_loss(alpha, scale):
    setting = Setting("mix", alpha, scale)
    images = torch.rand(4, 3, 31, 31, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    restored, target = images[:2], images[2:]
    value = MixLoss(alpha, scale)(restored, target)
    for same, unit in ((setting.unit_alpha, 1.0), (setting.levels_alpha, 255.0)):
        assert (MixLoss(same, unit)(restored, target) * alpha / same).item() == pytest.approx(value.item())


def test_the_papers_alpha_in_levels_is_nearly_that_of_the_code():
    assert Setting("mix", 0.84, 255).unit_alpha == pytest.approx(0.0202, abs=5e-5)
    assert Setting("mix", 0.84, 255).levels_alpha == pytest.approx(0.84)
    assert Setting("mix", 0.5, 1).log_odds == 0


def test_the_table_has_the_readings_first_and_differences_to_mix():
    table = alpha_table(study())
    assert [name.split(":")[0] for name, _ in table.rows] == [
        "0.84 in 8-bit levels",
        "0.84 in the unit range",
        "0.025 in the unit range",
        *(f"{alpha} in 8-bit levels" for alpha in (0.01, 0.25, 0.5, 0.95, 0.99)),
    ]
    assert list(table.columns) == ["α in the unit range", "L1's share of the gradient", "PSNR (dB)"]
    rows = {name.split(":")[0]: [(cell.text, cell.interval, cell.best) for cell in cells] for name, cells in table.rows}
    assert rows["0.84 in 8-bit levels"] == [("0.0202", "", False), ("25 %", "", False), ("30.00", "", False)]
    assert rows["0.025 in the unit range"][2] == ("30.05", "+0.05\n[0.05, 0.05]", True)
    assert rows["0.84 in the unit range"][2] == ("28.00", "−2.00\n[−2.00, −2.00]", False)


def test_notes_say_what_intervals_are_over():
    basis = "8 images, 1 seed (interval over images only)"
    assert alpha_table(study()).notes[-1].endswith(basis)
    assert alpha_overview([study(), study()]).notes[-1] == f"from {basis}"


def test_the_best_is_the_largest_number_not_the_last_in_the_alphabet():
    rows = dict(
        alpha_table(study({"mix": 9.98, "mix_code": 10.02} | dict.fromkeys(set(PSNR) - {"mix", "mix_code"}, 9.0))).rows
    )
    assert [name[:5] for name, cells in rows.items() if cells[2].best] == ["0.025"]


def test_the_optimum_is_as_wide_as_neighbours_are_within_a_tenth_of_a_decibel_or_not_told_apart():
    alone = study()
    assert alone.best().loss == "mix_code"
    assert [it.loss for it in alone.near_best()] == ["mix_a0.25", "mix_a0.95"]
    dip = study({"mix_a0.5": 29.9})  # what lies beyond a dip does not count
    assert [it.loss for it in dip.near_best()] == ["mix", "mix_a0.95"]
    dip = study({"mix_a0.5": 29.9}, noise=0.3)  # nor is it one where the interval does not tell it from the best
    assert [it.loss for it in dip.near_best()] == ["mix_a0.25", "mix_a0.99"]


def test_the_answer_is_counted_from_the_figures():
    code, paper = study(), study({"mix_code": 29.95, "mix": 30.1})
    far = study({"mix_a0.99": 30.5})
    assert [[near.loss for near in it.nearest()] for it in (code, paper, far)] == [["mix_code"], ["mix"], ["mix_code"]]
    answer = alpha_answer([code, code, paper])
    assert answer.startswith("Nearest to the best PSNR, of 3 pairs of task and test set: 0.025 in the unit range: ")
    assert "code, in 2; 0.84 in 8-bit levels: the paper's, as read here, in 1." in answer
    low, high = Setting("", 0.84, 255.0), Setting("", 0.84, 255.0)
    assert [it.loss for it in paper.near_best()] == ["mix", "mix"]
    assert f"α from {low.unit_alpha:.2g} to {high.unit_alpha:.2g} with L1 in the unit range, 0.84 to 0.84" in answer
    assert "no α that was tried is within 0.1 dB of the best" in alpha_answer([code, far])
    assert "Not told" not in answer
    unread = study()
    sweep = AlphaStudy(unread.scores, PLACE, [it for it in unread.settings if not it.named])
    assert "no reading was trained" in alpha_answer([sweep])


def test_readings_that_the_interval_does_not_tell_apart_are_named():
    noise = np.random.default_rng(0).normal(0, 0.3, (20, 1))
    scores = Scores(records_of({"mix": 30 + noise, "mix_code": np.full((20, 1), 30.01), "mix_unit0.84": noise + 28}))
    unsure = AlphaStudy(scores, PLACE, [Setting(loss, *PSNR[loss][1:]) for loss in ("mix", "mix_code", "mix_unit0.84")])
    assert {near.loss for near in unsure.nearest()} == {"mix", "mix_code"}
    assert unsure.nearest()[0] == unsure.best()
    assert f"Not told from the nearest by the 95 % interval: {unsure.nearest()[1].title}, in 2." in alpha_answer(
        [unsure, unsure]
    )
    (row,) = alpha_overview([unsure]).rows
    assert [cell.best for cell in row[1]] == [False, True, False, True, False]


def test_the_overview_has_the_distance_of_every_reading():
    table = alpha_overview([study(), study({"mix_a0.99": 30.5})])
    first, second = ([(cell.text, cell.best) for cell in cells] for _, cells in table.rows)
    assert first == [
        ("0.025", False),
        ("−0.05", False),
        ("−2.05", False),
        ("best", True),
        ("0.0013 – 0.069", False),
    ]
    assert second[0] == ("0.28", False)
    assert second[3] == ("−0.45", True)
    assert table.rows[1][1][-1].interval == "(8 bit: 0.99 – 0.99)"
