"""The recommended loss, for scores with a known answer."""

import numpy as np

from restoration.study.answer import answer_table, headline, rankings, sentences
from restoration.study.rows import caution
from restoration.study.statistics import Comparisons
from restoration.study.values import Condition
from tests.studies import study_of

IMAGES = 12
NOISE = np.random.default_rng(0).normal(0, 0.02, (IMAGES, 3, 2))  # photographs, seeds, test sets


Levels = dict[str, tuple[float, float]]  # mean PSNR of each loss on two test sets


def comparisons(
    levels: Levels,
    *,
    structure: Levels | None = None,
    again: Levels | None = None,
    images: int = IMAGES,
    patches: int = 100_000,
) -> Comparisons:
    """Losses of the main part, by PSNR and MS-SSIM, and of the part "seeds"; three nearly equal seeds each."""
    scores = {
        (Condition(part, "jpeg", f"set{number}", metric), loss): level[number] + scale * NOISE[:images, :, number]
        for part, metric, losses, scale in (
            ("main", "psnr", levels, 1),
            ("main", "ms_ssim", structure or {}, 0.001),
            ("seeds", "psnr", again or {}, 1),
        )
        for loss, level in losses.items()
        for number in range(2)
    }
    study = study_of(scores)
    study.runs["patches"] = patches
    return Comparisons(study)


def test_ranking():
    """Best: highest mean over test sets; 0.02 dB less is as good; worse on one set: undecided; on both: worse."""
    compared = comparisons({"l1": (30, 30), "mix": (29.98, 30), "l2": (29.5, 30), "ssim5": (29.4, 29.2)})
    (ranking,) = rankings(compared)
    assert (ranking.best, ranking.as_good, list(ranking.undecided)) == ("l1", ["mix"], ["l2"])
    assert list(ranking.worse) == ["ssim5"]
    np.testing.assert_allclose([*ranking.worse["ssim5"].values()], (0.6, 0.8))
    assert headline(compared) == "Take L1 or MIX"
    assert sentences(compared) == [
        "L2 costs at most 0.50 dB of PSNR on average.",
        "SSIM5 costs 0.60 to 0.80 dB in JPEG deblocking, on every test set.",
    ]
    (row,) = answer_table(compared).rows
    assert [cell.text for cell in row[1]] == ["L1, MIX", "SSIM5", "0 min"]
    assert row[1][1].interval == "by 0.60 to 0.80 dB\nL2 by 0.50 dB, on Set0"
    assert row[1][0].best


def test_headline():
    """One loss is named if it is best by both metrics; if not, the best loss of each metric."""
    levels = {"l1": (30.0, 30.0), "l2": (29.0, 29.0)}
    same, other = {"l1": (0.9, 0.9), "l2": (0.8, 0.8)}, {"l1": (0.8, 0.8), "l2": (0.9, 0.9)}
    assert headline(comparisons(levels, structure=same)) == "Take L1"
    assert headline(comparisons(levels, structure=other)) == "Take L1, or L2 if structure (MS-SSIM) matters"
    assert "By MS-SSIM, L1 is 0.1000 behind L2 in JPEG deblocking." in sentences(comparisons(levels, structure=other))


def test_small_studies_give_no_answer():
    few_images = comparisons({"l1": (30, 30), "l2": (20, 20)}, images=2)
    few_patches = comparisons({"l1": (30, 30), "l2": (20, 20)}, patches=10_240)
    assert "2 test photographs" in caution(few_images)
    assert "10,240 patches a network" in caution(few_patches)
    for compared in (few_images, few_patches):
        assert headline(compared) == "Too small to say which loss wins"
        assert sentences(compared) == [caution(compared)]
        assert not any(cell.best for _, cells in answer_table(compared).rows for cell in cells)


def test_one_loss_needs_no_answer():
    assert headline(comparisons({"l1": (30, 30)})) == ""


def test_seeds_contradict_the_main_part():
    """The answer mentions that the part with several seeds contradicts the main part."""
    main = {"l1": (30, 30), "l2": (29.5, 29.5)}
    compared = comparisons(main, again={"l1": (29, 29), "l2": (29.5, 29.75)})
    but = "But after 100,000 patches, with 3 seeds, L1 is 0.50 to 0.75 dB worse than L2 in JPEG deblocking."
    assert sentences(compared)[-1] == but
    assert len(sentences(comparisons(main, again=main))) == 1
