"""Studies smaller than the paper's: every table is written, and unknown verdicts stay unknown."""

from collections.abc import Sequence

import numpy as np
import pytest

from restoration.names import ARTEFACTS, METRICS
from restoration.study.agreement import judge
from restoration.study.alpha import sweeps
from restoration.study.records import Study
from restoration.study.report import introduction, provenance, sections
from restoration.study.rows import caution
from restoration.study.statistics import NOT_KNOWN, Comparisons, Pair
from restoration.study.values import Condition
from tests.studies import ALPHAS, score, study_of

GAPS = {"input": -9.0, "l2": 0.0, "l1": 5.0, "mine": 3.0, "mix": 5.0, "mix_low": 2.0}  # dB: too far apart for chance


def small_study(
    losses: Sequence[str],
    *,
    images: int = 12,
    seeds: int = 3,
    tests: Sequence[str] = ("kodak24", "fivek40"),
    parts: Sequence[str] = ("main",),
    task: str = "sr",
    metrics: Sequence[str] = (*METRICS, *ARTEFACTS),
) -> Study:
    rng = np.random.default_rng(1)
    scores = {
        (Condition(part, task, test, name), loss): score(name, GAPS[loss] + rng.normal(0, 0.01, (images, seeds)))
        for part in parts
        for test in tests
        for name in metrics
        for loss in ("input", *losses)
        if loss != "input" or part == parts[0]
    }
    return study_of(scores, alphas=ALPHAS)


SMALL = {
    "own loss": small_study(["l1", "mine"]),
    "own task and metric of few": small_study(["l1", "mine"], task="denoise", metrics=["psnr"]),
    "one seed": small_study(["l2", "l1", "mine", "mix", "mix_low"], seeds=1),
    "one seed in each part": small_study(["l2", "l1", "mix"], seeds=1, parts=["main", "seeds", "alpha", "dense"]),
    "one test set": small_study(["l2", "l1"], tests=["kodak24"]),
    "one photograph": small_study(["l2", "l1", "mix", "mix_low"], images=1),
    "one loss": small_study(["mine"]),
    "no L1": small_study(["l2", "mix"]),
    "no main part": small_study(["l2", "l1"], parts=["seeds"]),
}
UNKNOWN = ("one seed", "one seed in each part", "one photograph")


@pytest.mark.parametrize("name", SMALL)
def test_every_section(name):
    study = SMALL[name]
    titles = [section.title for section in sections(study)]
    assert "Scores" in titles
    assert introduction(study)
    assert provenance(study)


@pytest.mark.parametrize("name", SMALL)
def test_verdicts(name):
    """Differences of several dB are known if trainings and photographs repeat, and never otherwise."""
    study = SMALL[name]
    comparisons = Comparisons(study)
    part, loss = study.runs["part"].iloc[0], study.runs["loss"].iloc[-1]
    conditions = [Condition(part, study.tasks[0], test, "psnr") for test in study.test_sets]
    pairs = [Pair(each, loss, other) for each in conditions for other in comparisons.columns(each) if other != loss]
    verdicts = {comparison.verdict for comparison in comparisons.compare_all(pairs).values()}
    claims = {judged.verdict(task) for judged in judge(comparisons) for task in study.tasks}
    if name in UNKNOWN:
        assert verdicts == {NOT_KNOWN}
        assert claims <= {NOT_KNOWN, "not run", ""}
        assert caution(comparisons, part)
        assert all(sweep.ends == (sweep.settings[0], sweep.settings[-1]) for sweep in sweeps(comparisons))
    else:
        assert NOT_KNOWN not in verdicts
        assert not caution(comparisons, part) or study.runs["patches"].iloc[0] < 30_000
