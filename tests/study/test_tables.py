"""Tables say what the records say, with everything a number needs beside it."""

import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from restoration.errors import UserError
from restoration.files import write_text
from restoration.names import INPUT, METRICS, METRICS_NOTE, QUICK
from restoration.scoring.evaluate import Score
from restoration.study.rendering import Cell, markdown
from restoration.study.runs import Run, baseline_run, find_runs, write_scores
from restoration.study.tables import ResultTable, build_tables, headline, table_of, write_tables
from tests.records import PROVENANCE

VALUES = {  # psnr of two photographs by loss and seed
    ("l1", 0): (30.0, 32.0),
    ("l1", 1): (30.2, 32.2),
    ("l2", 0): (29.0, 31.0),
    ("mine", 0): (28.0, math.nan),
}


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    for (loss, seed), values in VALUES.items():
        run = Run(tmp_path / "runs", "photos", "cpu", "sr", loss, seed)
        write_text(run.folder / "provenance.json", json.dumps(PROVENANCE))
        write_text(run.folder / "config.yaml", "")
        rows = [
            Score(name, f"{image}.png", metric, value)
            for name, per_photo in ((loss, values), (INPUT, (26.0, 28.0)))
            for image, value in enumerate(per_photo)
            for metric in METRICS
        ]
        write_scores(run, {"kodak24": rows}, {"protocol": "as agreed", "degradation": "x2"})
    return find_runs(tmp_path / "runs")


def test_tables_hold_the_means_the_spread_and_the_best(runs, tmp_path):
    (table,) = build_tables(runs, input_titles={"sr": "Bilinear"})
    assert table.name == "photos/cpu/sr-kodak24"
    assert table.columns == ("Bilinear", "L2", "L1", "mine")  # the paper's order, then others
    psnr = cells_of(table, "psnr")
    assert psnr["L1"] == Cell("31.10", "± 0.14", best=True)
    assert psnr["L2"] == Cell("30.00")
    assert psnr["mine"] == Cell("28.00")  # where one photograph has no value
    assert [title for title, cell in cells_of(table, "l2").items() if cell.best] == ["Bilinear"]  # lower is better

    write_tables([table], tmp_path / "tables")
    for suffix in ("md", "csv", "tex"):
        text = (tmp_path / "tables" / "photos" / "cpu" / f"sr-kodak24.{suffix}").read_text()
        for fact in ("98,304 patches", "batch 8", "7 photographs", "seeds 0, 1", "as agreed", "abacus", "abc"):
            assert fact in text, (suffix, fact)
    assert "| PSNR (dB) | 27.00 | 30.00 | **31.10** ± 0.14 | 28.00 |" in markdown(table_of(table))
    assert "psnr,27,30,31.1,28" in table.csv()
    titles = replace(table, columns=("Bilinear", "L2", "L1, then L2", "mine")).csv()
    assert list(pd.read_csv(StringIO(titles), comment="#").columns) == [
        "metric",
        "Bilinear",
        "L2",
        "L1, then L2",
        "mine",
    ]


def cells_of(table: ResultTable, metric: str) -> dict[str, Cell]:
    """A row by its columns."""
    return dict(zip(table.columns, dict(table_of(table).rows)[METRICS[metric].label], strict=True))


def test_records_of_fewer_metrics_have_fewer_rows_and_stand_beside_others(tmp_path, runs):
    """As those do that were written before a metric was added."""
    (full,) = build_tables(runs, input_titles={"sr": "Bilinear"})
    assert full.metrics == tuple(METRICS)
    assert METRICS_NOTE in full.header
    for run in runs:
        rows = [Score(name, "0.png", metric, 1.0) for name in (run.loss, INPUT) for metric in QUICK]
        write_scores(run, {"kodak24": rows}, {"protocol": "as agreed", "degradation": "x2"})
    (table,) = build_tables(runs, input_titles={"sr": "Bilinear"})
    assert table.metrics == QUICK
    assert METRICS_NOTE not in table.header

    rows = [Score(name, "0.png", metric, 1.0) for name in (runs[-1].loss, INPUT) for metric in METRICS]
    how = {"protocol": "as agreed", "degradation": "x2", "metrics": list(METRICS)}
    write_scores(runs[-1], {"kodak24": rows}, how)
    (mixed,) = build_tables(runs, input_titles={"sr": "Bilinear"})
    best = Cell("1.0000", best=True)
    assert cells_of(mixed, "gmsd") == {"Bilinear": best, "L2": Cell("–"), "L1": Cell("–"), "mine": best}


def test_undefined_metrics_are_a_dash(tmp_path, runs):
    run = Run(tmp_path / "runs", "photos", "cpu", "jpeg", "l1", 0)
    write_text(run.folder / "provenance.json", (runs[0].folder / "provenance.json").read_text())
    write_text(run.folder / "config.yaml", "")
    write_scores(
        run, {"small": [Score(name, "a.png", "ms_ssim", math.nan) for name in ("l1", INPUT)]}, {"protocol": ""}
    )
    (table,) = build_tables([run], input_titles={"jpeg": "JPEG"})
    assert cells_of(table, "ms_ssim") == {"JPEG": Cell("–"), "L1": Cell("–")}
    assert "MS-SSIM over the 0 of 1 photographs on which it is defined" in table.header


def test_the_headline_puts_all_tasks_beside_each_other(runs, tmp_path):
    run = Run(tmp_path / "runs", "photos", "cpu", "demosaic", "l1", 0)
    write_text(run.folder / "provenance.json", json.dumps(PROVENANCE | {"hardware": "a slide rule"}))
    write_text(run.folder / "config.yaml", "")
    scoring = {"protocol": "as agreed"}
    scores = [Score(name, "a.png", metric, 0.5) for name in ("l1", INPUT) for metric in METRICS]
    write_scores(run, {"kodak24": scores}, scoring)
    for name in ("menon", "bm3d"):
        baseline = baseline_run(run, name, scoring)
        write_scores(baseline, {"kodak24": [Score(name, "a.png", metric, 0.7) for metric in METRICS]}, scoring)
    results = build_tables([*runs, run], input_titles={"sr": "Bilinear", "demosaic": "Noisy"})
    (table,) = headline(results)
    assert table.title == "On kodak24"
    assert table.columns == ["Input", "BM3D", "L2", "L1", "mine"]
    rows = dict(table.rows)
    assert list(rows) == [f"{task}: {name}" for task in ("sr", "demosaic") for name in ("PSNR (dB)", "SSIM", "MS-SSIM")]
    assert [cell.text for cell in rows["sr: PSNR (dB)"]] == ["27.00", "–", "30.00", "31.10", "28.00"]
    assert [cell.text for cell in rows["demosaic: SSIM"]] == ["0.5000", "0.7000", "–", "0.5000", "–"]
    assert [note for note in table.notes if "hardware" in note or "protocol" in note] == [
        "protocol: as agreed",
        "sr: hardware: abacus; commit abc",
        "demosaic: hardware: a slide rule; commit abc",
    ]
    assert any("98,304 patches" in note for note in table.notes)


def test_numbers_that_were_measured_differently_do_not_share_a_table(runs):
    scores = [Score(name, "0.png", metric, 1.0) for name in ("l2", INPUT) for metric in METRICS]
    (l2,) = [run for run in runs if run.loss == "l2"]
    write_scores(l2, {"kodak24": scores}, {"protocol": "as agreed", "degradation": "x3"})
    with pytest.raises(UserError, match=r"differ in degradation:\n  degradation: x2 and x3\n.*variant=NAME"):
        build_tables(runs, input_titles={"sr": "Bilinear"})


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_names_that_would_leave_their_folder_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot name a folder"):
        Run(tmp_path, "photos", name, "sr", "l1", 0)


def test_runs_are_found_by_name_and_only_when_trained(runs, tmp_path):
    root = tmp_path / "runs"
    assert len(runs) == 4
    (root / "photos" / "cpu" / "sr" / "l1" / "seed1").rename(root / "photos" / "cpu" / "sr" / "l1" / "seed1.old")
    assert len(find_runs(root)) == 3
    assert find_runs(root, data="phot*") == []
    assert {run.seed for run in find_runs(root, loss="l1")} == {0}
    assert find_runs(root, task="jpeg") == []
    (root / "photos" / "cpu" / "sr" / "l2" / "seed0" / "config.yaml").unlink()
    assert len(find_runs(root)) == 2
