"""The sections of a report, for studies with all or with some parts."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from restoration import names
from restoration.study.curves import CURVE
from restoration.study.records import Study
from restoration.study.rendering import Table
from restoration.study.report import (
    Crops,
    Figure,
    Fold,
    Picture,
    Section,
    Viewer,
    photographs,
    sections,
    with_strip,
    write_texts,
)
from restoration.study.report.charts import switch_place, training_figure
from restoration.study.report.sections import FILES, unfolded
from tests.studies import whole_study


@pytest.fixture(scope="module")
def study() -> Study:
    return whole_study()


@pytest.fixture(scope="module")
def made(study) -> dict[str, Section]:
    return {section.title: section for section in sections(study)}


def test_every_part_is_shown(study, made):
    """The first section answers; all others are folded; every table has a LaTeX form with a unique label."""
    answer, *others = made.values()
    assert answer.title == "Take MIX"
    assert all(section.folded for section in others)
    titles = {block.title for section in others for block in section.blocks if isinstance(block, Fold)}
    assert {names.part_title(part) for part in study.parts} - {"Main training", "The α of Mix"} <= titles
    figures = [block.svg for block in unfolded(answer.blocks) if isinstance(block, Figure)]
    assert figures == [answer.files[f"differences-{metric}.svg"] for metric in names.DECIDING]
    tables = [block for section in made.values() for block in unfolded(section.blocks) if isinstance(block, Table)]
    labels = re.findall(r"\\label{(.*)}", others[-1].files["tables.tex"])
    assert len(labels) == len(tables)
    assert len({*labels}) == len(labels)


def test_missing_parts(study):
    """A study of the main part alone has no section of another part, and the page says what is missing."""
    main = Study(
        study.data,
        study.variant,
        study.scores[study.scores["part"].isin(["main", ""])],
        study.runs[study.runs["part"] == "main"],
        study.read_curves,
        {name: facts for name, facts in study.test_sets.items() if "noise" not in facts},
    )
    *others, origin = sections(main)
    assert [section.title for section in others[1:]] == ["Does it agree with the paper?", "Scores", "Artefacts"]
    assert names.part_title("alpha") in origin.paragraphs[-1]
    assert "make study EXPERIMENT=paper" in origin.paragraphs[-1]


def test_small_study(study):
    """A warning instead of an answer, and no highlight anywhere."""
    small = replace(study, runs=study.runs.assign(patches=10_240))
    answer, *others = sections(small)
    assert answer.warned
    assert "10,240 patches" in answer.paragraphs[0]
    for section in (answer, *others):
        for block in unfolded(section.blocks):
            assert not isinstance(block, Table) or not any(cell.best for _, cells in block.rows for cell in cells)


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
    """The common switch of all switching losses; runs without a switch do not count."""
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


def test_strip_of_the_answer():
    """The strip is below the table of the answer if the pictures have all its losses."""
    flat = np.full((60, 60, 3), 100, np.uint8)
    pictures = [Picture("sr", "a", dict.fromkeys(("Noisy", "L2", "L1", "truth"), flat))]
    section = Section("Answer", blocks=[Table("t", [], []), Fold("f", [])])
    assert [type(block) for block in with_strip(section, pictures, ["L2", "L1"]).blocks] == [Table, Crops, Fold]
    assert with_strip(section, pictures, ["L2", "Mix"]) == section
    assert with_strip(section, [], ["L2", "L1"]) == section


def test_photographs():
    assert photographs([], "The weights are gone.").paragraphs == ["The weights are gone."]
    versions = {title: np.zeros((9, 9, 3), np.uint8) for title in ("Noisy", "L1", "truth")}
    viewer, crops = photographs([Picture("sr", "cat", versions)], "").blocks
    assert isinstance(viewer, Viewer)
    assert isinstance(crops, Fold)


def test_pytorch_is_not_loaded():
    """Records become a report without PyTorch."""
    code = "import sys; import restoration.study.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
