"""An effect of known size is found, none is found where there is none, and the numbers are those of the formulas."""

from dataclasses import replace
from itertools import product
from math import fsum, inf, nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from restoration.errors import UserError
from restoration.study.bootstrap import mean_interval
from restoration.study.comparisons import compare_all
from restoration.study.scales import scale_of
from restoration.study.scores import Scores
from restoration.study.statistics import Condition, Difference, corrected, holm, signed_ranks
from tests.records import PLACE, records_of

SIMULATIONS = 420
FAMILY = 6


def simulated(
    rng: np.random.Generator, *, effect: float, images: int = 40, seeds: int = 3, shift: float = 0.0
) -> dict[str, np.ndarray]:
    """Mix − L1 = effect + a deviation of every image (spread 0.3), of every image and training, and of every training.

    Args:
        shift: standard deviation by which a training shifts all images together.
    """
    base = rng.normal(30, 3, (images, 1))
    gains = {"l1": 0.0, "mix": effect + rng.normal(0, 0.3, (images, 1))}
    return {
        loss: base + gain + rng.normal(0, 0.07, (images, seeds)) + rng.normal(0, shift, (1, seeds))
        for loss, gain in gains.items()
    }


def compared(values: dict[str, np.ndarray], first: str = "mix", second: str = "l1", **options) -> Difference:
    return Scores(records_of(values)).compare(PLACE, first, second, **options)


@pytest.fixture(scope="module", params=[0.2, 0.0])
def trials(request) -> tuple[float, list[Difference]]:
    """Many experiments with an effect of 0.2 dB, and as many with none, where no training shifts all images."""
    rng = np.random.default_rng(7)
    places = [replace(PLACE, test_set=f"{trial}") for trial in range(SIMULATIONS)]
    scores = Scores(pd.concat([records_of(simulated(rng, effect=request.param), at) for at in places]))
    return request.param, [
        scores.compare(at, "mix", "l1", resamples=2000, seed=trial) for trial, at in enumerate(places)
    ]


def test_the_interval_covers_the_effect_at_its_rate(trials):
    effect, found = trials
    covered = np.mean([each.low <= effect <= each.high for each in found])
    assert 0.918 <= covered <= 0.982, covered  # 0.95 ± 3 standard errors
    assert abs(np.mean([each.value for each in found]) - effect) < 0.01


def test_an_effect_is_found_and_none_is_found_at_the_stated_rate(trials):
    effect, found = trials
    rate = np.mean([each.p < 0.05 for each in found])
    families = [corrected(found[start : start + FAMILY]) for start in range(0, SIMULATIONS, FAMILY)]
    if effect:
        assert rate > 0.95
        assert np.mean([each.better == "mix" for family in families for each in family]) > 0.85
        assert not any(each.better == "l1" for family in families for each in family)
    else:
        assert 0.018 <= rate <= 0.082  # 0.05 ± 3 standard errors
        assert np.mean([any(each.p < 0.05 for each in family) for family in families]) > 0.1  # of 1 − 0.95⁶ = 0.26
        assert np.mean([any(each.p_holm < 0.05 for each in family) for family in families]) <= 0.128
        assert np.mean([any(each.better for each in family) for family in families]) <= 0.128  # 0.05 + 3 errors of 70


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("shift", [0.03, 0.3])
def test_trainings_that_shift_all_images_are_called_different_at_the_stated_rate(seeds, shift):
    """Of 20 equal comparisons one, whether a loss was trained once or three times, if three of its kind were; also
    where structural losses, which another seed moves ten times as far, stand beside or take part."""
    rng = np.random.default_rng(8)
    places = [replace(PLACE, test_set=f"{trial}") for trial in range(300)]
    records = []
    for at in places:
        values = simulated(rng, effect=0.0, images=20, seeds=seeds, shift=shift)
        values["ms_ssim"] = values["l1"] + rng.normal(0, 10 * shift, (1, seeds))
        records.append(records_of(values, at))
        shifts = {"l2": shift, "l1_to_l2": shift, "l2_to_l1": shift, "ssim5": 10 * shift, "ssim9": 10 * shift}
        others = {loss: rng.normal(30, its, (1, 3)) + rng.normal(0, 0.07, (20, 3)) for loss, its in shifts.items()}
        records.append(records_of(others, replace(at, variant="cpu-third")))
    scores = Scores(pd.concat(records))
    for other in ("l1", "ms_ssim"):
        found = [scores.compare(at, "mix", other, resamples=1000, seed=trial) for trial, at in enumerate(places)]
        assert np.mean([replace(each, p_holm=each.p).better is not None for each in found]) <= 0.088  # 0.05 + 3 errors
        assert np.mean([each.low <= 0 <= each.high for each in found]) >= 0.912


def test_the_interval_is_that_of_drawing_images_one_by_one_and_a_deviate():
    rng = np.random.default_rng(3)
    values = rng.gamma(2, 1, (5, 1)) + rng.normal(0, 0.2, (5, 3))
    means = [values[rng.integers(5, size=5)].mean() + 0.4 * rng.standard_t(6) for _ in range(40_000)]
    low, high = mean_interval(values, error=0.4, freedom=6, resamples=100_000)
    assert (low, high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.03)


def test_the_spread_of_seeds_is_pooled_over_losses_of_a_kind_and_variants():
    third = replace(PLACE, variant="cpu-third")
    records = pd.concat(
        [
            records_of({"l1": np.array([[1.0, 3.0], [3.0, 5.0]]), "bm3d": np.ones((2, 1))}),  # means 2 and 4
            records_of({"l2": np.array([[1.0, 1.0, 4.0]] * 2), "mix": np.full((2, 1), 7.0)}, third),
            records_of({"l2": np.array([[0.0, 90.0]] * 2)}, replace(PLACE, metric="ssim")),
            records_of({"l2": np.array([[nan, 1.0], [1.0, 2.0]])}, replace(PLACE, metric="fsim")),
            records_of({"ms_ssim": np.array([[0.0, 20.0]] * 2), "mine": np.array([[0.0, 0.2]] * 2)}, third),
        ]
    )
    scores = Scores(records)
    pixelwise = (pytest.approx((1 + 1 + 1 + 1 + 4) / 3), 3)
    for loss in ("l1", "l2", "mix", "mix_a0.5"):
        assert scores.spread(PLACE, loss) == scores.spread(third, loss) == pixelwise
    assert scores.spread(PLACE, "ssim9") == (200, 1)
    assert scores.spread(PLACE, "mine") == (pytest.approx(0.02), 1)  # no kind but its own
    assert scores.spread(PLACE, "yours") == (200, 1)  # of unknown kind: as far as any
    fsim = replace(PLACE, metric="fsim")
    assert scores.spread(fsim, "l2") == scores.spread(fsim, "ssim5") == (0.5, 1)
    assert scores.spread(replace(PLACE, task="jpeg"), "l1") is None


def test_errors_of_two_kinds_add_and_their_degrees_of_freedom_as_satterthwaite_has_it():
    pixelwise = {"l1": np.tile([0.0, 2.0, 1.0], (9, 1)), "l2": np.tile([0.0, 2.0, 1.0], (9, 1))}  # σ² = 1, 4 degrees
    scores = Scores(records_of({**pixelwise, "ms_ssim": np.tile([0.0, 6.0, 3.0], (9, 1))}))  # σ² = 9, 2 degrees
    assert scores.error(PLACE, ["l1", "ms_ssim"], 3) == pytest.approx(
        ((1 / 3 + 9 / 3) ** 0.5, 10**2 / (1 / 4 + 81 / 2))
    )
    assert scores.error(PLACE, ["l1", "l2"], 1) == pytest.approx((2**0.5, 4))
    assert scores.error(PLACE, ["l1", "bm3d"], 1) == pytest.approx((1, 4))
    assert scores.error(PLACE, ["input", "bm3d"], 1) == (0, 0)


def test_seeds_that_change_nothing_are_known_to():
    scores = Scores(records_of({"l1": np.tile([1.0, 1.0], (9, 1))}))
    assert scores.error(PLACE, ["l1", "l2"], 1) == (0, 1)


def test_a_loss_meets_the_error_of_its_own_seeds_and_of_the_others():
    """Of two trained losses with m seeds 2 σ² / m, of one σ² / m, of none nothing."""
    values = {"l1": np.tile([0.0, 2.0], (9, 1)), "mix": np.tile([0.0, 2.0], (9, 1)), "bm3d": np.ones((9, 1))}
    scores = Scores(records_of(values))  # σ² = 2, known from 2 degrees of freedom; no photograph differs

    def width(first: str, second: str) -> float:
        found = scores.compare(PLACE, first, second, resamples=200_000)
        return (found.high - found.low) / 2

    student = stats.t.ppf(0.975, 2)
    assert width("mix", "l1") == pytest.approx(student * 2**0.5, rel=0.03)
    assert width("mix", "bm3d") == pytest.approx(student, rel=0.03)
    records = pd.concat([records_of(values), records_of({"menon": np.zeros((9, 1))})])
    assert Scores(records).compare(PLACE, "bm3d", "menon").low == 1


def test_small_intervals_equal_all_resamples_counted():
    values = np.array([[1.0], [2.0], [4.0]])  # 27 resamples of three images, one seed
    means = sorted(np.mean(drawn) for drawn in product([1.0, 2.0, 4.0], repeat=3))
    assert means[0] == 1
    assert means[-1] == 4
    # each has 3.7 %, more than the 2.5 % beyond either end
    assert mean_interval(values) == (1, 4)


def test_an_interval_of_values_of_float32s_precision_is_exact():
    for trial in range(20):
        rng = np.random.default_rng(trial)
        draws = rng.integers(23, size=(41, 23))
        values = rng.normal(0.9, 0.01, (23, 1)).astype(np.float32).astype(float)
        means = sorted(fsum(values[drawn, 0]) / 23 for drawn in draws)
        assert mean_interval(values, resamples=41, seed=trial) == (means[1], means[39])


def test_unsure_trainings_widen_the_interval_and_one_seed_does_not_know_of_them():
    rng = np.random.default_rng(5)
    base = rng.normal(30, 3, (30, 1))
    trained = base + np.array([[-0.5, 0.0, 0.5]]) + rng.normal(0, 0.05, (30, 3))
    several = compared({"l1": np.repeat(base, 3, axis=1), "mix": trained})
    single = compared({"l1": base, "mix": trained[:, :1]})
    assert several.high - several.low > 10 * (single.high - single.low)
    assert "30 images, 1 seed (interval over images only)" in single.basis()
    assert "3 seeds" in several.basis()


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4·.005, 3·.01, 2·.03, then no less than before
        ([0.4, 0.6], [0.8, 0.8]),
        ([0.7, 0.7], [1.0, 1.0]),
        ([0.01, nan, 0.02], [0.02, nan, 0.02]),
        ([], []),
    ],
)
def test_holm_as_by_hand(p, expected):
    np.testing.assert_allclose(holm(p), expected)


def test_the_same_two_losses_are_one_test_whichever_comes_first():
    values = simulated(np.random.default_rng(1), effect=0.1)
    one, other = corrected([compared(values), compared(values, "l1", "mix")])
    assert one.p_holm == one.p == other.p_holm
    assert one.value == -other.value


@pytest.mark.parametrize(
    ("values", "p", "rank_biserial"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2 / 2**6, 1),  # one of 2⁶ signs on each side
        ([1.0, 2.0, 3.0, -4.0], 2 * 7 / 16, (1 + 2 + 3 - 4) / 10),  # rank sums of at most 4: {}, 1, 2, 3, 12, 13, 4
        ([0.0, 0.0, 0.0], 1.0, 0),
        ([-0.3], 1.0, -1),
        ([0.5, 0.5], 0.5, 1),  # equal ranks
    ],
)
def test_signed_ranks_as_by_hand(values, p, rank_biserial):
    assert signed_ranks(np.array(values)) == pytest.approx((p, rank_biserial))


def test_equal_ranks_are_equal_whatever_floats_make_of_them():
    ninths = np.array([1, -1, 2, 2, -2, 3, 3, 5, -4, 6])
    base = np.arange(10) + 20
    noisy = (base + ninths) / 9 - base / 9
    assert len(np.unique(np.abs(noisy))) > len(np.unique(np.abs(ninths)))
    assert signed_ranks(noisy) == signed_ranks(ninths.astype(float))


def test_losses_without_a_common_seed_are_not_comparable():
    records = [records_of({"l1": np.ones((3, 1)), "input": np.zeros((3, 1))})]
    records.append(records_of({"l2": np.ones((3, 1))}, first_seed=1))
    scores = Scores(pd.concat(records))
    assert scores.comparable(PLACE, "l1", "input")
    assert not scores.comparable(PLACE, "l1", "l2")
    assert not scores.comparable(PLACE, "l1", "mix")
    assert [(each.first, each.second) for each in compare_all(scores, PLACE.variant)] == [("input", "l2")]


def test_values_are_means_over_images_and_common_seeds():
    values = {"l1": np.array([[1.0, 2.0], [3.0, 6.0]]), "mix": np.array([[2.0], [5.0]])}
    found = compared(values)
    assert (found.value, found.images, found.seeds) == (1.5, 2, 1)  # seed 0 only: (2 − 1 + 5 − 3) / 2
    records = pd.concat(
        [records_of({"l1": values["l1"]}, first_seed=1), records_of({"mix": values["mix"]}, first_seed=2)]
    )
    assert Scores(records).compare(PLACE, "mix", "l1").value == -0.5  # seed 2 only: (2 − 2 + 5 − 6) / 2


def test_rows_may_come_in_any_order_and_the_seed_decides():
    values = simulated(np.random.default_rng(2), effect=0.1, images=12)
    records = records_of(values)
    shuffled = records.sample(frac=1, random_state=1)
    first, second = (Scores(each).compare(PLACE, "mix", "l1") for each in (records, shuffled))
    assert first == second
    assert Scores(records).compare(PLACE, "mix", "l1", seed=1).low != first.low


@pytest.mark.parametrize("repeats", [False, True])
def test_what_has_no_seed_meets_every_seed(repeats):
    rng = np.random.default_rng(4)
    mix, bicubic = rng.normal(30, 1, (6, 3)), rng.normal(28, 1, (6, 1))
    found = compared({"mix": mix, "bicubic": np.repeat(bicubic, 3, axis=1) if repeats else bicubic}, "mix", "bicubic")
    assert found.value == pytest.approx((mix - bicubic).mean())
    assert found.seeds == 3
    two = compared({"bicubic": bicubic, "input": bicubic - 1}, "bicubic", "input")
    assert two.seeds == 0
    assert "no training" in two.basis()


def test_the_input_may_be_recorded_with_every_run_but_not_with_different_values():
    records = records_of({"input": np.ones((3, 1)), "mix": np.full((3, 1), 2.0)})
    twice = pd.concat([records, records[records.loss == "input"]])
    assert Scores(twice).compare(PLACE, "mix", "input").value == 1
    twice["value"] = np.where(np.arange(len(twice)) == len(records), 1.1, twice["value"])
    with pytest.raises(UserError, match=r"input has different values of 00\.png"):
        Scores(twice).compare(PLACE, "mix", "input")


def test_images_without_a_finite_value_are_left_out_and_counted():
    l1 = np.arange(5.0)[:, None] * np.ones((1, 2))
    mix = l1 + np.array([[1.0, 1.0], [nan, nan], [inf, 1.0], [3.0, 3.0], [5.0, 5.0]])
    l1[2, 0] = inf  # a difference of infinities is none
    found = compared({"l1": l1, "mix": mix})
    assert (found.value, found.images, found.left_out) == (3, 3, 2)
    assert "2 images left out" in found.basis()
    none = corrected([compared({"l1": l1[1:2], "mix": mix[1:2]})])[0]
    assert str(none) == "Mix − L1: no image has a finite dB"
    assert none.better is None


def test_unpaired_records_are_refused():
    values = simulated(np.random.default_rng(0), effect=0, images=4)
    records = records_of(values)
    lost = records[~((records.loss == "mix") & (records.image == "02.png"))]
    with pytest.raises(UserError, match=r"not scored on the same images of kodak24.*only one of them has 02\.png"):
        Scores(lost).compare(PLACE, "mix", "l1")
    lost = records[~((records.loss == "mix") & (records.image == "02.png") & (records.seed == 1))]
    with pytest.raises(UserError, match=r"mix has no value of 02\.png with seed 1"):
        Scores(lost).compare(PLACE, "mix", "l1")
    apart = pd.concat([records_of({"l1": values["l1"]}), records_of({"mix": values["mix"]}, first_seed=3)])
    with pytest.raises(UserError, match=r"l1 has the seeds \[0, 1, 2\].*common one|mix has the seeds \[3, 4, 5\]"):
        Scores(apart).compare(PLACE, "mix", "l1")
    with pytest.raises(UserError, match="no record of ssim5"):
        Scores(records).compare(PLACE, "ssim5", "l1")
    with pytest.raises(UserError, match="value are missing"):
        Scores(records.drop(columns="value"))


def difference(metric: str, value: float, low: float, high: float, p: float = 0.001) -> Difference:
    at = Condition("photos", "cpu", "sr", "kodak24", metric)
    return Difference(
        at, "mix", "l1", value, low, high, p, np.sign(value), 24, seeds=3, freedom=6, left_out=0, p_holm=p
    )


def test_differences_read_as_in_the_paper_of_a_statistician():
    gain = difference("psnr", 0.18, 0.12, 0.25)
    assert str(gain) == "Mix − L1 = +0.18 dB [0.12, 0.25]"
    assert (gain.better, gain.shown_p(), gain.basis()) == ("mix", "p = 0.001 after Holm", "24 images, 3 seeds")
    loss = difference("l2", -3.1e-5, -4e-5, -2.2e-5, p=1e-6)
    assert str(loss) == "Mix − L1 = −0.031 (1000 L2) [−0.040, −0.022]"
    assert (loss.better, loss.shown_p()) == ("mix", "p < 0.001 after Holm")  # lower is better
    assert str(difference("ssim", -0.002, -0.004, 0.0)) == "Mix − L1 = −0.0020 (SSIM) [−0.0040, 0.0000]"
    assert str(difference("grating", 0.01234, 0.01, 0.02)) == "Mix − L1 = +0.0123 (Grating, levels) [0.01, 0.02]"


def test_better_needs_both_the_interval_and_the_test():
    assert difference("psnr", 0.18, 0.12, 0.25).better == "mix"
    assert difference("grating", 0.18, 0.12, 0.25).better == "l1"
    assert difference("psnr", -0.18, -0.25, -0.12).better == "l1"
    assert difference("psnr", 0.18, -0.01, 0.25).better is None
    assert difference("psnr", 0.18, 0.12, 0.25, p=0.06).better is None
    assert difference("psnr", 0.18, 0.12, 0.25, p=nan).better is None  # not corrected yet


def test_most_photographs_against_the_mean_leave_it_open():
    """Few photographs that gain much outweigh the many that lose a little: in the mean, not in the ranks."""
    gains = np.concatenate([np.linspace(-0.02, -0.01, 165), np.linspace(0.5, 1.0, 35)])[:, None]
    (found,) = corrected([compared({"l1": np.zeros((200, 1)), "mix": gains})])
    assert found.low > 0
    assert found.p_holm < 0.05
    assert found.rank_biserial < 0
    assert found.better is None


def test_a_metric_of_unknown_direction_is_refused():
    with pytest.raises(UserError, match="nobody said whether more or less 'beauty' is better"):
        scale_of("beauty")


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("ms_ssim", 0.00123, "+0.0012"),
        ("ms_ssim", 0.00006, "+0.0001"),
        ("ms_ssim", -0.0000312, "−0.00003"),
        ("ms_ssim", 0.00000998, "+0.00001"),
        ("ms_ssim", 1e-12, "+0.00000000"),
        ("ms_ssim", -1e-12, "+0.00000000"),
        ("ms_ssim", 0.0, "+0.0000"),
        ("psnr", 0.004, "+0.004"),
        ("psnr", -12.3, "−12.30"),
        ("l2", 0.0000002, "+0.0002"),
        ("grating", 0.00001234, "+1.23e−05"),
    ],
)
def test_a_difference_is_not_shown_as_0_but_where_it_is_nothing(metric, value, shown):
    assert scale_of(metric).shown(value, sign="+") == shown
