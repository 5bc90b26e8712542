"""Rows, highlights and tables, from studies of known values."""

import numpy as np
import pandas as pd
import pytest

from restoration.study.rows import Row, rows
from restoration.study.statistics import Comparisons
from restoration.study.tables import artefact_table, main_table, other_tables, published_tables, summary
from restoration.study.values import Condition
from tests.studies import around, study_of, whole_study

PSNR = Condition("main", "jpeg", "kodak24", "psnr")


def row_of(columns: dict[str, np.ndarray], condition: Condition = PSNR) -> Row:
    comparisons = Comparisons(study_of({(condition, column): values for column, values in columns.items()}))
    (row,) = rows(comparisons, [condition], comparisons.columns(condition))
    return row


@pytest.fixture(scope="module")
def whole() -> Comparisons:
    return Comparisons(whole_study())


def test_means_and_deviations():
    """Photograph 1 has no finite value in b, so it is left out for all columns."""
    row = row_of({"a": np.array([[1.0, 3.0], [9.0, 9.0]]), "b": np.array([5.0, np.nan]), "input": np.array([4.0, 4.0])})
    assert row.means == {"input": 4.0, "a": 2.0, "b": 5.0}
    assert row.deviations == {"a": pytest.approx(2**0.5)}
    assert (row.heading, row.notes) == ("PSNR (dB) ↑", ["PSNR (dB): 1 of 2 photographs left out"])
    assert row.cell("a").interval == "± 1.41"
    assert row.cell("c").text == "–"


def test_highlight():
    """The best column, an equal one and one not known to differ are highlighted; a worse one is not."""
    row = row_of(
        {
            "a": around(30.0),
            "b": around(29.95),
            "c": around(29.5, spread=2.0, seed=1),
            "d": around(29.5),
            "input": around(20.0),
        }
    )
    assert row.near_best == {"a", "b", "c"}
    assert [row.cell(column).best for column in "abcd"] == [True, True, True, False]


def test_less_is_better():
    row = row_of({"a": around(0.002, spread=1e-6), "b": around(0.003, spread=1e-6)}, PSNR._replace(metric="l2"))
    assert row.near_best == {"a"}


def test_infinite_is_never_best():
    """A perfectly restored photograph is left out; a loss without finite values is shown as a dash."""
    perfect, broken = around(29.0), np.full(12, np.inf)
    perfect[0] = np.inf
    row = row_of({"a": around(30.0), "b": perfect, "c": broken})
    assert row.near_best == {"a"}
    assert (row.images, row.left_out) == (11, 1)
    assert row.cell("c").text == "–"


def test_few_photographs_are_not_highlighted():
    row = row_of({"a": around(30.0, images=5), "b": around(20.0, images=5)})
    assert not row.cell("a").best
    assert not row.cell("b").best


def test_small_studies_are_not_highlighted():
    study = study_of({(PSNR, "a"): around(30.0), (PSNR, "b"): around(20.0)})
    study.runs["patches"] = 10_240
    (row,) = rows(Comparisons(study), [PSNR], ["a", "b"])
    assert not row.cell("a").best


def test_main_table(whole):
    """The input by its name in the task, BM3D, losses in order; three metrics; differences below the values."""
    table = main_table(whole, "main", "demosaic", "kodak24", against="l2")
    assert table is not None
    assert [name for name, _ in table.rows] == ["Noisy", "BM3D", "L2", "L1", "SSIM5", "MS_SSIM", "MIX"]
    assert table.columns == ["PSNR (dB) ↑", "SSIM ↑", "MS-SSIM ↑"]
    psnr = [cells[0] for _, cells in table.rows]
    compared = whole.compare(PSNR._replace(task="demosaic"), "l1", "l2")
    assert psnr[3].interval == f"{compared.shown}\n{compared.interval}"
    assert [cell.interval for cell in psnr[:3]] == ["", "", ""]
    assert [cell.best for cell in psnr] == [False] * 6 + [True]
    assert table.title == "Demosaicking + denoising on Kodak24"
    seeds = main_table(whole, "seeds", "jpeg", "fivek40")
    assert seeds is not None
    assert seeds.title.startswith("Several seeds: ")
    assert all(cells[1].interval.startswith("±") for _, cells in seeds.rows[1:])
    assert main_table(whole, "dense", "jpeg", "fivek40") is None


def test_other_tables(whole):
    """Every metric that the main table lacks, for every column."""
    tables = other_tables(whole, "main", "demosaic", "kodak24")
    assert [len(table.columns) for table in tables] == [4, 4]
    assert all(len(table.rows) == 7 for table in tables)


def test_budgets_are_marked():
    """Losses of one table with different numbers of patches have the numbers in their titles."""
    study = study_of({(PSNR, "a"): around(30.0), (PSNR, "b"): around(20.0)})
    table = main_table(Comparisons(study), *PSNR[:3])
    assert table is not None
    assert [name for name, _ in table.rows] == ["A", "B"]
    study.runs.loc[study.runs["loss"] == "b", "patches"] = 300_000
    marked = main_table(Comparisons(study), *PSNR[:3])
    assert marked is not None
    assert [name for name, _ in marked.rows] == ["A (100,000 patches)", "B (300,000 patches)"]


def test_artefact_table(whole):
    """A table shows only artefacts that the task can cause."""
    titles = []
    for task in ("sr", "jpeg"):
        table = artefact_table(whole, "main", task, "kodak24")
        assert table is not None
        titles.append(table.columns)
    assert ("Grating (levels) ↓" in titles[0], "Block step (levels) ↓" in titles[0]) == (True, False)
    assert ("Grating (levels) ↓" in titles[1], "Block step (levels) ↓" in titles[1]) == (False, True)


def test_published(whole):
    """The paper's values are shown in brackets after ours."""
    stated = pd.DataFrame(
        [("jpeg", "l1", "l2", 0.66), ("jpeg", "mix", "psnr", 33.25)], columns=["task", "loss", "metric", "value"]
    )
    table = published_tables(whole, stated)[0]
    assert table.columns == ["1000 L2 ↓", "PSNR (dB) ↑"]
    body = {name: [cell.interval for cell in cells] for name, cells in table.rows}
    assert body == {"L1": ["(0.660)", "(–)"], "MIX": ["(–)", "(33.25)"]}
    assert dict(table.rows)["MIX"][1].text == "30.80"
    assert "recalled, unverified" in table.notes[0]


def test_summary(whole):
    """One line for each column and condition."""
    lines = summary(whole)
    names = ["part", "task", "test_set", "metric", "loss"]
    assert not lines.duplicated(names).any()
    line = lines.set_index(names).loc[("main", "sr", "fivek40", "ms_ssim", "mix")]
    compared = whole.compare(Condition("main", "sr", "fivek40", "ms_ssim"), "mix", "l2")
    assert line["difference_to_l2"] == compared.difference
    assert (line["low_to_l2"], line["verdict_to_l2"]) == (compared.low, compared.verdict)
    assert line["low"] < line["mean"] < line["high"]
    assert line["near_best"]
    assert (line["n"], line["seeds"], line["alpha"], line["patches"]) == (8, 1, 0.84, 100_000)
    assert lines[lines["loss"] == "l2"]["verdict_to_l2"].isna().all()
    assert set(lines["part"]) == {"main", "seeds", "adamw", "alpha"}
