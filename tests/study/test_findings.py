"""A study's texts and sections follow from its records, to the byte, whatever parts of it are there."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from restoration.errors import UserError
from restoration.files import write_text
from restoration.study import report
from restoration.study.archive import archive, unpack
from restoration.study.figures import TRUTH
from restoration.study.published import read_published
from restoration.study.rendering import Table
from restoration.study.runs import find_runs
from restoration.study.study import read_study
from scripts.findings import Findings, findings
from scripts.report import introduction, photographs, pictured, with_crops
from scripts.sections import SIGMA
from tests.studies import PATCHES, SETTINGS, gain, write_study

PAPER = Path(__file__).parents[2] / "results/paper.csv"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("study") / "runs"
    write_study(root, tests={"kodak24": 6}, tasks=["sr"])
    return root


@pytest.fixture(scope="module")
def written(root) -> tuple[Findings, Path]:
    folder = root.parent / "report"
    return findings(read_study(root), folder, published=read_published(PAPER)), folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def section(found: Findings, title: str) -> report.Section:
    return {each.title: each for each in found.sections}[title]


def test_all_parts_have_their_section_and_their_texts(written):
    found, folder = written
    assert [each.title for each in found.sections] == [
        "Tables",
        "What the paper claims",
        "The α of Mix",
        "Switching losses",
        SIGMA,
        "Artefacts",
        "Several seeds",
        "What the paper does not say",
        "Statistics",
        "Training",
    ]
    assert found.not_trained == []
    texts = {
        "headline.md",
        "verdicts.md",
        "claims.md",
        "claims.csv",
        "differences.md",
        "differences.csv",
        "ranks.md",
        "training.md",
        "published.md",
    }
    texts |= {f"{name}.{suffix}" for name in ("alpha", "artefacts", "switching") for suffix in ("md", "tex")}
    texts |= {"alpha.svg", "switching.svg"}
    parts = ("", "-third", "-switching", "-sigma", "-alpha", "-adamw", "-dense", "-residual")
    texts |= {f"photos/cpu{part}/sr-kodak24.{suffix}" for part in parts for suffix in ("md", "csv", "tex")}
    assert set(files(folder)) == texts


def test_again_all_bytes_are_the_same(root, written, tmp_path):
    _, folder = written
    findings(read_study(root, data="photos", variant="cpu"), tmp_path, published=read_published(PAPER))
    assert files(tmp_path) == files(folder)


def test_an_archive_keeps_all_that_they_need(root, written, tmp_path):
    archive(read_study(root), tmp_path / "archive")
    back = unpack(tmp_path / "archive", tmp_path / "runs")
    assert not list((tmp_path / "runs").rglob("*.safetensors"))
    findings(back, tmp_path / "again", published=read_published(PAPER))
    assert files(tmp_path / "again") == files(written[1])


def test_the_main_table_tells_the_difference_to_l2(written):
    table, fold = section(written[0], "Tables").blocks
    assert isinstance(fold, report.Fold)
    assert "recalled, unverified" in fold.title
    assert fold.blocks[0].title == "sr on kodak24: ours (the paper's)"
    assert isinstance(table, Table)
    assert list(table.columns)[:3] == ["Bilinear", "Bicubic", "L2"]
    psnr = dict(zip(table.columns, dict(table.rows)["PSNR (dB)"], strict=True))
    assert psnr["L2"].interval == psnr["Bicubic"].interval == ""
    difference, low, high = map(float, re.findall(r"[+−]?[\d.]+", psnr["Mix"].interval.replace("−", "-")))
    assert difference == pytest.approx(gain("mix") - gain("l2"), abs=0.3)
    assert low <= difference <= high
    assert difference == pytest.approx(float(psnr["Mix"].text) - float(psnr["L2"].text), abs=0.011)


def test_settings_of_alpha_come_from_configurations_and_shares_from_curves(written):
    _, _, _, fold = section(written[0], "The α of Mix").blocks
    assert isinstance(fold, report.Fold)
    (table,) = fold.blocks
    assert len(table.rows) == len(SETTINGS)
    cells = dict(table.rows)["0.5 in 8-bit levels"]
    assert [cell.text for cell in cells[:2]] == ["0.00391", "93 %"]  # (1 − α) / (1 − α + 20 α), as the records have it
    assert (written[1] / "alpha.md").read_text().startswith(section(written[0], "The α of Mix").paragraphs[0])


def test_curves_of_the_test_set_mark_the_switch(written):
    curves, close_up, fold = section(written[0], "Switching losses").blocks
    assert [series.name for series in curves.series] == ["L2", "L1", "L1, then L2", "L2, then L1"]
    assert curves.marks == [(PATCHES / 3 / 2, "switch")]
    assert curves.series[0].y[-1] == pytest.approx(1000 * (0.002 + 2e-4 * 3 / 7))
    assert close_up.title == f"{curves.title} since the switch"
    assert [(series.name, series.x) for series in close_up.series] == [
        (series.name, tuple(x for x in series.x if x >= PATCHES / 3 / 2)) for series in curves.series
    ]
    assert all(0 < len(series.x) < len(curves.series[0].x) for series in close_up.series)
    assert close_up.series[0].y[-1] == curves.series[0].y[-1]
    assert [curves.y_label for curves in fold.blocks] == ["1000 L1", "1000 L1"]
    assert "switch at 15,000" in (written[1] / "switching.md").read_text()


def test_seeds_have_a_spread_and_statistics_both_variants(written):
    (fold,) = section(written[0], "Several seeds").blocks
    (table,) = fold.blocks
    assert all(cell.interval.startswith("± ") for cell in dict(table.rows)["SSIM"][2:])
    folds = [each.title for each in section(written[0], "Statistics").blocks]
    assert folds == ["Differences, cpu", "Ranks, cpu", "Differences, cpu-third", "Ranks, cpu-third"]
    differences = (written[1] / "differences.md").read_text()
    counted = pd.read_csv(written[1] / "differences.csv")
    assert set(counted["variant"]) == {"cpu", "cpu-third"}
    assert "on kodak24 (photos, cpu)**" in differences
    assert "on kodak24 (photos, cpu-third)**" in differences
    assert "- 6 images, 1 seed; " in differences
    assert "- 6 images, 3 seeds; " in differences


def test_the_claims_are_judged_by_the_main_runs_and_by_those_with_several_seeds(written):
    overview, main, raw, fold = section(written[0], "What the paper claims").blocks
    assert overview.columns == ["kodak24, cpu", "kodak24, cpu-third", "raw photographs"]
    assert raw.title.endswith("measured on real raw photographs")
    verdicts = {name: [cell.text for cell in cells] for name, cells in overview.rows}
    assert verdicts["Q2. The ranking of the losses survives another optimiser (AdamW)"][1] == ""
    assert "(photos, cpu)" in main.title
    assert [block.title for block in fold.blocks] == [main.title.replace("cpu", "cpu-third")]
    text = (written[1] / "claims.md").read_text()
    for verdict in verdicts["1. L1 beats L2 on every metric and task [S]"][:2]:
        assert f"| {verdict} | 1 | L1 beats L2 on every metric and task [S] |" in text
    assert "- budget cpu-alpha: " in text.split("Made with:")[1]  # on which some claims rest
    assert text.index("(photos, cpu)**") < text.index("(photos, cpu-third)**") < text.index("Made with:")
    for name in ("claims", "alpha", "switching", "artefacts", "differences", "ranks"):
        end = (written[1] / f"{name}.md").read_text().split("Made with:")[1]
        assert all(fact in end for fact in ("- protocol: ", "- hardware: ", "- data: ")), name


def test_parts_that_were_not_trained_are_left_out_and_named(tmp_path):
    write_study(tmp_path / "runs", tests={"kodak24": 3}, tasks=["sr"], parts=["", "sigma"])
    study = read_study(tmp_path / "runs")
    found = findings(study, tmp_path / "report")
    titles = [each.title for each in found.sections]
    assert titles == ["Tables", "What the paper claims", SIGMA, "Artefacts", "Statistics", "Training"]
    (line,) = [text for text in introduction(study, found.not_trained) if text.startswith("Not trained")]
    assert "three seeds, loss switching, the α of Mix, AdamW, dense losses, the residual network" in line
    assert "make study EXPERIMENT=paper BUDGET=cpu," in line
    assert photographs(*pictured(study.part(), tmp_path, 0)).paragraphs[0] == "None was asked for."


def test_crops_that_cannot_be_drawn_do_not_keep_the_photographs_away(root, tmp_path, monkeypatch):
    picture = report.Picture("sr", "one", dict.fromkeys(["Input", TRUTH], np.zeros((4, 4, 3), np.uint8)))

    def drawn(runs, *_, **__):
        if runs[0].variant == "cpu-sigma":
            raise UserError("photos/ is gone")
        return [picture]

    monkeypatch.setattr("scripts.report.drawn", drawn)
    study = read_study(root)
    assert pictured(study.part(), tmp_path, 1)[0] == [picture]
    (line,) = with_crops(report.Section(SIGMA), *pictured(study.part("sigma"), tmp_path, 1)).paragraphs
    assert line == "No crops. photos/ is gone"


def test_another_studys_texts_do_not_stay_beside_a_report(root, tmp_path):
    findings(read_study(root), tmp_path / "report")
    write_study(tmp_path / "runs", tests={"kodak24": 3}, tasks=["sr"], parts=[""])
    findings(read_study(tmp_path / "runs"), tmp_path / "report")
    left = {path.name for path in (tmp_path / "report").iterdir()}
    assert "claims.md" in left
    assert not {name for name in left if name.startswith(("alpha", "switching"))}


def test_a_test_set_without_the_settings_of_alpha_is_left_out(tmp_path):
    write_study(tmp_path / "runs", tests={"kodak24": 3, "mine": 3}, tasks=["sr"], parts=["", "alpha"])
    for run in read_study(tmp_path / "runs").part("alpha"):
        rows = (run.folder / "per_image.csv").read_text().splitlines(keepends=True)
        write_text(run.folder / "per_image.csv", "".join(row for row in rows if ",mine," not in row))
    findings(read_study(tmp_path / "runs"), tmp_path / "report")
    text = (tmp_path / "report" / "alpha.md").read_text()
    assert "sr on kodak24" in text
    assert "mine" not in text


def test_a_study_is_the_main_variant_and_what_continues_its_name(root, tmp_path):
    study = read_study(root)
    assert (study.data, study.variant, len(study.runs)) == ("photos", "cpu", len(find_runs(root)))
    assert {run.variant for run in study.part("sigma")} == {"cpu-sigma"}
    own = study.records[study.records["loss"] == "bicubic"]
    assert set(own["variant"]) == {"cpu", "cpu-third"}
    part = read_study(root, variant="cpu-sigma")
    assert {run.variant for run in part.runs} == {"cpu-sigma"}
    write_study(tmp_path / "runs", tests={"kodak24": 2}, tasks=["sr"], parts=["", "adamw"])
    (tmp_path / "runs/photos/cpu-adamw").rename(tmp_path / "runs/photos/cpu-long-adamw")  # of another study
    assert {run.variant for run in read_study(tmp_path / "runs", variant="cpu").runs} == {"cpu"}
    with pytest.raises(UserError, match=r"trained in .* are:\n  none; train some: make study"):
        read_study(tmp_path)
    with pytest.raises(UserError, match="DATA='photos' BUDGET='cpu'\n"):
        read_study(tmp_path / "runs", variant="cqu")
