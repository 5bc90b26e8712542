"""The committed texts and figures under results/ follow from the committed records; the page fits the screen."""

from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from restoration.study.records import Study
from restoration.study.report import Section, introduction, sections, write_page
from tests.browser import DESKTOP, PHONE, needs_chromium, opened

RESULTS = Path(__file__).parents[1] / "results"
STUDIES = sorted(path.parent for path in RESULTS.glob("studies/*/records"))
LARGEST = 1_500_000  # bytes of a page without photographs
WIDER = """[...document.querySelectorAll("body *")].filter(element => element.scrollWidth > element.clientWidth + 1
    && element.clientWidth || element.getBoundingClientRect().right > innerWidth + 0.5)
    .map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`)"""


@pytest.fixture(scope="module", params=STUDIES, ids=lambda folder: folder.name)
def folder(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def study(folder) -> Study:
    return Study.load(folder / "records")


@pytest.fixture(scope="module")
def made(folder, study) -> list[Section]:
    """With what changed since the other study, if the folder has a table of that."""
    other = next((other for other in STUDIES if other != folder and (folder / "changes.md").exists()), None)
    return list(sections(study, pd.read_csv(RESULTS / "paper.csv"), before=Study.load_published(other)))


def test_texts_and_figures_follow_from_records(folder, made):
    """Every file is checked, except crops.png, which needs the networks."""
    texts = {name: text for section in made for name, text in section.files.items()}
    assert {path.name for path in folder.iterdir()} == {*texts, "records", "crops.png"}
    for name, text in texts.items():
        assert (folder / name).read_text(encoding="utf-8") == text, name


@needs_chromium
def test_page(study, made, tmp_path, browser: Browser):
    """The first heading is the answer; nothing is wider than a screen or a phone; the file is small."""
    path = tmp_path / "index.html"
    write_page(path, "Which loss?", introduction(study), made)
    assert path.stat().st_size < LARGEST
    for device in (DESKTOP, PHONE):
        with opened(browser, path.as_uri(), device) as page:
            assert page.locator("h1, h2").nth(1).inner_text().startswith("Take ")
            page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
            assert page.evaluate(WIDER) == []
