"""The committed texts and figures under results/ are those made from the committed records."""

from pathlib import Path

import pandas as pd
import pytest

from restoration.study.records import Study
from restoration.study.report import sections

RESULTS = Path(__file__).parents[1] / "results"
STUDIES = sorted(path.parent for path in RESULTS.glob("studies/*/records"))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_texts_and_figures_follow_from_records(folder):
    """Every file is checked, except crops.png, which needs the networks."""
    study, published = Study.load(folder / "records"), pd.read_csv(RESULTS / "paper.csv")
    texts = {name: text for section in sections(study, published) for name, text in section.files.items()}
    assert {path.name for path in folder.iterdir()} == {*texts, "records", "crops.png"}
    for name, text in texts.items():
        assert (folder / name).read_text(encoding="utf-8") == text, name
