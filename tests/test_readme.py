"""The README shows tables as they were written, and names what exists."""

import re
import subprocess
from pathlib import Path

import pytest

from restoration.study.archive import unpack

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_shown_tables_are_the_generated_ones():
    shown = re.findall(r"<!-- (results/\S+\.md) -->\n(.*?)<!-- end -->", README, flags=re.DOTALL)
    assert len(shown) == 2
    for path, text in shown:
        assert text == (ROOT / path).read_text()


def test_what_is_said_to_be_found_is_in_the_studys_texts():
    words = " ".join(README.split("## What was found")[1].split("<!--")[0].split())
    texts = "".join(path.read_text() for path in (ROOT / "results/studies/photos-long").glob("*.md"))
    figures = re.findall(r"[+−]\d\S* dB \[\S+ \S+?\]|\d+ of \d+ hold", words)
    assert len(figures) >= 4
    for figure in figures:
        assert figure in texts, figure


def headline() -> list[dict[str, float]]:
    """The values of each row of the study's short tables by their columns, with the row's name under "metric"."""
    rows, columns = [], []
    for line in (ROOT / "results/studies/photos-long/headline.md").read_text().splitlines():
        name, *cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        if not name and cells:
            columns = cells
        elif cells and ":" in name and "---" not in name:
            values = {column: float(cell) for column, cell in zip(columns, cells, strict=True) if cell != "–"}
            rows.append({"metric": name.split(": ")[1], **values})
    return rows


def test_what_is_found_in_short_is_in_the_tables():
    psnr = [row for row in headline() if row["metric"] == "PSNR (dB)"]
    assert len(psnr) == 6
    three = [[row[loss] for loss in ("L2", "L1", "Mix")] for row in psnr]
    apart = max(max(values) - min(values) for values in three)
    lost = [round(row["L1"] - row[loss], 2) for row in psnr for loss in ("SSIM5", "MS-SSIM")]
    similar = [row for row in headline() if row["metric"] in ("SSIM", "MS-SSIM")]
    mix = [row["Mix"] == max(value for name, value in row.items() if name != "metric") for row in similar]
    words = " ".join(README.split("**In short:**")[1].split("| trained |")[0].split())
    assert round(apart, 2) <= 0.2
    assert "within 0.2 dB in every task" in words
    assert f"cost {min(lost):.1f} to {max(lost):.1f} dB" in words
    assert f"in {sum(mix)} of the {len(mix)} rows" in words


def test_how_far_seeds_move_the_psnr_is_what_the_records_have(tmp_path):
    scores = unpack(ROOT / "results/studies/photos-long/records", tmp_path).scores
    psnr = [at for at in scores.conditions() if at.metric == "psnr" and at.variant == "long"]
    assert len(psnr) == 6
    for loss, words in (("l1", "L2, L1 and Mix by"), ("ms_ssim", "SSIM5 and MS-SSIM by")):
        moved = [spread.variance**0.5 for at in psnr if (spread := scores.spread(at, loss))]
        assert f"{words} {min(moved):.2f} to {max(moved):.2f} dB" in " ".join(README.split())


def test_linked_files_exist():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("name", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_named_targets_exist(name):
    assert re.search(rf"^{name}: .*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), name


def test_a_study_takes_the_names_that_a_training_takes():
    def said(*names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", "-n", "study", *names], cwd=ROOT, capture_output=True, text=True, check=False)

    assert '"tasks=[sr]" "losses=[mix,l1]" "seeds=[3]"' in said("TASK=sr", "LOSS=mix,l1", "SEED=3").stdout
    refused = said("GPUS=2")
    assert refused.returncode != 0
    assert "GPUS= goes with make train" in refused.stderr
