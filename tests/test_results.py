"""What is committed under results/ follows from the records that are committed beside it."""

from pathlib import Path

import pytest

from restoration.study.records import Study
from restoration.study.report import sections

STUDIES = sorted(path.parent for path in (Path(__file__).parents[1] / "results").glob("studies/*/records"))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_texts_and_figures_follow_from_records(folder):
    study = Study.load(folder / "records")
    texts = {name: text for section in sections(study) for name, text in section.files.items()}
    assert "training.svg" in texts
    for name, text in texts.items():
        assert (folder / name).read_text(encoding="utf-8") == text, name
