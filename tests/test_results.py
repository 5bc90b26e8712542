"""What is committed under results/ follows from the records that are committed beside it."""

import shutil
from pathlib import Path

import pytest

from scripts.publish import write_texts

RESULTS = Path(__file__).parents[1] / "results"
STUDIES = sorted(path.parent for path in RESULTS.glob("studies/*/records"))
DRAWN = {".png", ".svg"}  # the first of photographs, with networks; the other as this version of matplotlib does


def texts(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and "records" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix not in DRAWN}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_text_of_a_study_is_made_of_its_records_again(study, tmp_path):
    shutil.copytree(study / "records", tmp_path / study.name / "records")
    write_texts(tmp_path / study.name, RESULTS / "paper.csv")
    assert texts(tmp_path / study.name) == texts(study)
    assert "claims.md" in texts(study)
