"""The sections of a report follow from a study alone, whatever parts of it there are."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from restoration import names
from restoration.study.curves import CURVE
from restoration.study.records import Study
from restoration.study.report import Figure, Fold, Picture, Section, introduction, photographs, sections, write_texts
from restoration.study.report.charts import switch_place, training_figure
from restoration.study.report.sections import FILES
from tests.studies import whole_study


@pytest.fixture(scope="module")
def study() -> Study:
    return whole_study()


@pytest.fixture(scope="module")
def made(study) -> dict[str, Section]:
    return {section.title: section for section in sections(study)}


def test_every_part_has_a_section(study, made):
    parts = {names.part_title(part) for part in study.parts if part != "main"}
    assert parts <= set(made)
    assert {"Which loss?", "Claims", "Tables", "Artefacts"} <= set(made)
    answer = made["Which loss?"]
    figures = [block.svg for block in answer.blocks if isinstance(block, Figure)]
    assert figures == [answer.files[f"differences-{metric}.svg"] for metric in names.DECIDING]


def test_parts_that_are_missing(study):
    """A study of the main part alone has no section of another part, and the page says what is missing."""
    main = Study(
        study.data,
        study.variant,
        study.scores[study.scores["part"].isin(["main", ""])],
        study.runs[study.runs["part"] == "main"],
        study.read_curves,
        {name: facts for name, facts in study.test_sets.items() if "noise" not in facts},
    )
    titles = {section.title for section in sections(main)}
    assert titles <= {"Which loss?", "Claims", "Tables", "Artefacts", "Training"}
    _, missing = introduction(main)
    assert names.part_title("alpha") in missing
    assert "make study EXPERIMENT=paper" in missing


def test_curves_without_finite_values(study):
    """MS-SSIM of small photographs is not defined: the figure leaves it out."""
    rows = [
        ("main", "sr", "l1", 0, f"val/{metric}", patches, value)
        for metric, value in (("psnr", 30.0), ("ms_ssim", np.nan))
        for patches in (0, 100)
    ]
    curves = pd.DataFrame(rows, columns=CURVE)
    tracked = replace(study, read_curves=lambda: curves)
    svg = training_figure(tracked)
    assert svg is not None
    assert "PSNR" in svg
    assert "MS-SSIM" not in svg


def test_switch_place(study):
    """Where all switching losses give way at one place; runs without a switch do not count."""
    configs = [{"loss": {"at": 0.5}}, {"loss": {}}, {"loss": {"at": 0.5}}]
    runs = study.runs.iloc[:3].assign(part="switching", patches=1000, config=configs)
    switching = replace(study, runs=runs)
    assert switch_place(switching) == 500
    assert (
        switch_place(Study(study.data, study.variant, study.scores, runs[:0], study.read_curves, study.test_sets))
        is None
    )


def test_files_of_an_earlier_study_are_removed(tmp_path, made):
    for name in FILES:
        (tmp_path / name).write_text("an earlier study's")
    (tmp_path / "mine.md").write_text("my notes")
    files = {name: text for section in made.values() for name, text in section.files.items()}
    write_texts(tmp_path, made.values())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {**files, "mine.md": "my notes"}
    assert {name for name in files if name.endswith(".svg")} <= set(FILES)


def test_photographs():
    assert photographs([], "The weights are gone.").paragraphs == ["The weights are gone."]
    versions = {title: np.zeros((9, 9, 3), np.uint8) for title in ("Noisy", "L1", "truth")}
    (viewer,) = photographs([Picture("sr", "cat", versions)], "").blocks
    assert not isinstance(viewer, Fold)


def test_pytorch_is_not_loaded():
    """Records become a report without PyTorch."""
    code = "import sys; import restoration.study.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
