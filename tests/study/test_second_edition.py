"""A study as the second edition: several seeds in the main part, dense losses in the main part, additional parts."""

from dataclasses import replace

import pytest

from restoration.names import FORMER_PARTS, PARTS, RATES
from restoration.study.agreement import REFUTED, SUPPORTED, judge
from restoration.study.answer import answer_table, headline
from restoration.study.records import Study
from restoration.study.report import provenance, sections
from restoration.study.report.blocks import Fold
from restoration.study.statistics import BETTER, Comparisons
from restoration.study.survival import survival_table
from restoration.study.tables import main_table
from restoration.study.values import Condition
from restoration.study.variances import FAMILY
from tests.studies import GAINS, SECOND, whole_study

GAINS_OF_DENSE = {**GAINS, "ms_ssim_dense": 0.6, "mix_dense": 1.0, "ms_ssim_small": -0.5, "mix_small": 1.2}
PLACE = Condition("main", "sr", "kodak24", "psnr")


@pytest.fixture(scope="module")
def study() -> Study:
    made = whole_study(SECOND, repeated="main", gains=GAINS_OF_DENSE)
    patches = made.runs["part"].map({"main": 100_000, "longer": 1_000_000}).fillna(33_333).astype(int)
    return replace(made, runs=made.runs.assign(patches=patches))


@pytest.fixture(scope="module")
def comparisons(study) -> Comparisons:
    return Comparisons(study)


def test_seeds_of_the_main_part(comparisons):
    """The seeds of the main part decide, also on parts with one training; tables show differences, not deviations."""
    for part, seeds in (("main", 3), ("longer", 1)):
        compared = comparisons.compare(PLACE._replace(part=part), "l1", "l2")
        assert (compared.verdict, compared.seeds) == (BETTER, seeds)
    assert comparisons.compare(PLACE, "l1", "mix").seed_variance == FAMILY
    assert headline(comparisons) == "Take MIX_DENSE"
    assert all(cells[0].best for _, cells in answer_table(comparisons).rows)
    table = main_table(comparisons, *PLACE[:3], against="l2")
    assert table is not None
    below = {name: cells[0].interval for name, cells in table.rows}
    assert below["L2"].startswith("±")
    assert below["L1"].startswith("+0.4")


def test_survival(comparisons):
    """The main part sets the orders; its dense losses are a change; a note names the shorter trainings."""
    table = survival_table(comparisons)
    assert table is not None
    cells = {title: [cell.text for cell in row] for title, row in table.rows}
    assert list(cells) == ["Longer training", "SGD with momentum", "Adam", "Dense losses", "Residual network"]
    assert cells["Adam"] == ["12 of 12"] * 3
    assert cells["Longer training"] == ["4 of 4"] * 3
    assert cells["Dense losses"][1] == "12 of 20"  # MS-SSIM is worse than L1 and L2, its dense form is better
    assert "trained with fewer than 100,000 patches: SGD with momentum, Adam, Residual network" in table.notes


def test_claims(comparisons):
    """The questions of the second edition are judged in their own parts."""
    judged = {each.claim.number: each for each in judge(comparisons)}
    assert judged["Q7"].verdict("sr") == "mixed"  # of MS-SSIM the dense form is better, of Mix worse
    assert [judged[number].part for number in ("Q7", "Q8", "Q9")] == ["gaussians", "sgd", "longer"]
    assert judged["Q8"].verdict("demosaic") == SUPPORTED
    assert judged["Q9"].verdict("sr") == SUPPORTED
    assert judged["4a"].verdict("jpeg") == REFUTED


def test_report(study):
    """Every part has a fold; what is missing does not name the parts of the first edition."""
    folds = {fold.title for section in sections(study) for fold in section.blocks if isinstance(fold, Fold)}
    assert {PARTS[part] for part in SECOND if part not in ("main", "alpha")} <= folds
    missing = provenance(study).paragraphs[-1]
    assert all(PARTS[part] in missing for part in ("switching", "sigma", "raw", RATES))
    assert not any(PARTS[part] in missing for part in (*FORMER_PARTS, "longer"))
