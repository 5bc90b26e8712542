"""Which loss to take, from scores whose answer is known."""

import numpy as np

from restoration.study.answer import answer_table, banner, rankings, sentences
from restoration.study.statistics import Comparisons
from restoration.study.values import Condition
from tests.studies import study_of

IMAGES = 12
NOISE = np.random.default_rng(0).normal(0, 0.02, (IMAGES, 3, 2))  # photographs, seeds, test sets


Levels = dict[str, tuple[float, float]]  # mean PSNR of each loss on two test sets


def comparisons(
    levels: Levels, *, again: Levels | None = None, images: int = IMAGES, patches: int = 100_000
) -> Comparisons:
    """Losses of the main part and, where given, of the part "seeds"; all with three seeds that differ little."""
    scores = {
        (Condition(part, "jpeg", f"set{number}", "psnr"), loss): level[number] + NOISE[:images, :, number]
        for part, losses in (("main", levels), ("seeds", again or {}))
        for loss, level in losses.items()
        for number in range(2)
    }
    study = study_of(scores)
    study.runs["patches"] = patches
    return Comparisons(study)


def test_ranking():
    """Best by the mean over test sets; 0.02 dB is as good; worse on one set is neither; worse on both costs."""
    compared = comparisons({"l1": (30, 30), "mix": (29.98, 30), "l2": (29.5, 30), "ssim5": (29.4, 29.2)})
    (ranking,) = rankings(compared)
    assert (ranking.best, ranking.as_good, ranking.undecided) == ("l1", ["mix"], ["l2"])
    assert list(ranking.worse) == ["ssim5"]
    np.testing.assert_allclose(ranking.worse["ssim5"], (-0.6, -0.8))
    assert sentences(compared) == [
        "By PSNR, L1 and MIX are the best or as good as the best in JPEG deblocking.",
        "SSIM5 costs 0.60 to 0.80 dB in JPEG deblocking, on every test set.",
    ]
    (row,) = answer_table(compared).rows
    assert [cell.text for cell in row[1]] == ["L1, MIX", "L2", "SSIM5"]
    assert row[1][0].best


def test_small_studies_give_no_answer():
    few_images = comparisons({"l1": (30, 30), "l2": (20, 20)}, images=2)
    few_patches = comparisons({"l1": (30, 30), "l2": (20, 20)}, patches=10_240)
    assert "2 test photographs" in banner(few_images)
    assert "10,240 patches a network" in banner(few_patches)
    for compared in (few_images, few_patches):
        assert sentences(compared) == [banner(compared)]
        assert not any(cell.best for _, cells in answer_table(compared).rows for cell in cells)


def test_one_loss_needs_no_answer():
    assert sentences(comparisons({"l1": (30, 30)})) == []


def test_seeds_contradict_the_main_part():
    """The part with several seeds says that the best loss of the main part is worse: the answer says so."""
    main = {"l1": (30, 30), "l2": (29.5, 29.5)}
    found = comparisons(main, again={"l1": (29, 29), "l2": (29.5, 29.75)})
    assert sentences(found)[:2] == [
        "By PSNR, L1 is the best or as good as the best in JPEG deblocking.",
        "But after 100,000 patches, with 3 seeds, L1 is worse than L2 by 0.50 to 0.75 dB in JPEG deblocking.",
    ]
    assert len(sentences(comparisons(main, again=main))) == 2
