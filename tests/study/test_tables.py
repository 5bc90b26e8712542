"""Rows, highlights and tables, from studies of known values."""

import numpy as np
import pandas as pd
import pytest

from restoration.study.rows import Row, rows
from restoration.study.statistics import Comparisons
from restoration.study.tables import artefact_table, headline, main_table, published_tables, summary
from restoration.study.values import Condition
from tests.studies import around, study_of, whole_study

PSNR = Condition("main", "jpeg", "kodak24", "psnr")


def row_of(columns: dict[str, np.ndarray], place: Condition = PSNR) -> Row:
    comparisons = Comparisons(study_of({(place, column): values for column, values in columns.items()}))
    (row,) = rows(comparisons, [place], comparisons.columns(place))
    return row


@pytest.fixture(scope="module")
def whole() -> Comparisons:
    return Comparisons(whole_study())


def test_means_and_deviations():
    """b has a value of photograph 1 that is not finite: the photograph counts for no column."""
    row = row_of({"a": np.array([[1.0, 3.0], [9.0, 9.0]]), "b": np.array([5.0, np.nan]), "input": np.array([4.0, 4.0])})
    assert row.means == {"input": 4.0, "a": 2.0, "b": 5.0}
    assert row.deviations == {"a": pytest.approx(2**0.5)}
    assert row.title == "PSNR (dB) (1 of 2 photographs left out)"
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
    """A loss that restores one photograph perfectly is compared on the others; one without finite values is a dash."""
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


def test_main_table(whole):
    """The input by its name in the task, baselines, losses in order; differences below the values; how it was made."""
    table = main_table(whole, "main", "demosaic", "kodak24", against="l2")
    assert table is not None
    assert table.columns == ["Noisy", "BM3D", "L2", "L1", "SSIM5", "MS_SSIM", "MIX"]
    psnr = dict(table.rows)["PSNR (dB)"]
    found = whole.compare(PSNR._replace(task="demosaic"), "l1", "l2")
    assert psnr[3].interval == f"{found.shown}\n{found.interval}"
    assert [cell.interval for cell in psnr[:3]] == ["", "", ""]
    assert [cell.best for cell in psnr] == [False] * 6 + [True]
    assert any("7 photographs (hash 0123456789ab)" in note for note in table.notes)
    assert table.title == "Demosaicking + denoising on Kodak24: means over photographs"
    seeds = main_table(whole, "seeds", "jpeg", "fivek40")
    assert seeds is not None
    assert seeds.title.startswith("Several seeds: ")
    assert all(cell.interval.startswith("±") for cell in dict(seeds.rows)["SSIM"][1:])
    assert main_table(whole, "dense", "jpeg", "fivek40") is None


def test_artefact_table(whole):
    """Only the artefacts that a task can leave."""
    names = [[name for name, _ in artefact_table(whole, "main", task, "kodak24").rows] for task in ("sr", "jpeg")]
    assert ("Grating (levels)" in names[0], "Block step (levels)" in names[0]) == (True, False)
    assert ("Grating (levels)" in names[1], "Block step (levels)" in names[1]) == (False, True)


def test_headline(whole):
    tables = headline(whole)
    assert [table.title for table in tables] == ["Fivek40", "Kodak24"]
    assert len(tables[0].rows) == 9
    assert tables[0].columns[:2] == ["Input", "BM3D"]
    assert [cells[1].text == "–" for _, cells in tables[0].rows] == [False] * 3 + [True] * 6


def test_published(whole):
    """The paper's values are in brackets beside ours, and never replace ours."""
    stated = pd.DataFrame(
        [("jpeg", "l1", "l2", 0.66), ("jpeg", "mix", "psnr", 33.25)], columns=["task", "loss", "metric", "value"]
    )
    table = published_tables(whole, stated)[0]
    assert table.columns == ["L1", "MIX"]
    body = {name: [cell.interval for cell in cells] for name, cells in table.rows}
    assert body == {"1000 L2": ["(0.660)", "(–)"], "PSNR (dB)": ["(–)", "(33.25)"]}
    assert dict(table.rows)["PSNR (dB)"][1].text == "30.80"
    assert "recalled, unverified" in table.notes[0]


def test_summary(whole):
    """One line for each column at each place."""
    lines = summary(whole)
    names = ["part", "task", "test_set", "metric", "loss"]
    assert not lines.duplicated(names).any()
    line = lines.set_index(names).loc[("main", "sr", "fivek40", "ms_ssim", "mix")]
    found = whole.compare(Condition("main", "sr", "fivek40", "ms_ssim"), "mix", "l2")
    assert (line["difference"], line["low"], line["verdict"]) == (found.difference, found.low, found.verdict)
    assert line["near_best"]
    assert line["images"] == 8
    assert lines[lines["loss"] == "l2"]["verdict"].isna().all()
    assert set(lines["part"]) == {"main", "seeds", "adamw", "alpha"}
