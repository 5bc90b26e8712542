"""A data set in numbers and pictures."""

import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from restoration.datasets.page import facts, in_columns, write_page
from tests.conftest import packed


def test_facts_are_those_of_the_pixels(photo):
    other = np.zeros((60, 50, 3), np.uint8)
    found = facts(packed(photo, other))
    values = np.concatenate([photo.reshape(-1, 3), other.reshape(-1, 3)])
    assert found.photographs == 2
    assert found.sizes == "82x97, 50x60"
    assert np.allclose(found.mean, values.mean(axis=0))
    assert np.allclose(found.spread, values.std(axis=0))
    assert np.isclose(found.black, (values == 0).mean())
    assert np.isclose(found.white, (values == 255).mean())
    assert np.isclose(found.megabytes, values.size / 1e6)
    assert facts(packed(*[photo[number:] for number in range(5)])).sizes == "82x97, 82x96, 3 others"


def test_the_table_has_a_column_for_each_role(photo):
    rows = in_columns({"train": facts(packed(photo, photo)), "test": facts(packed(photo))})
    assert rows[0] == ["", "train", "test"]
    assert rows[1] == ["photographs", "2", "1"]
    assert all(len(row) == 3 for row in rows)


class Page(HTMLParser):
    """The addresses of a page's pictures, and whatever else it would load."""

    def __init__(self, text: str):
        super().__init__()
        self.pictures, self.loaded = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if tag == "img" and name == "src":
                self.pictures.append(value)
            elif name in ("src", "href"):
                self.loaded.append(value)


def test_the_page_shows_every_photograph_and_needs_no_other_file(tmp_path, photo):
    parts = {"train": packed(*[photo] * 23), "test <b>": packed(photo[:, :60])}
    write_page("mine & yours", parts, {role: facts(part) for role, part in parts.items()}, tmp_path)
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    assert len(page.pictures) == 24
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in page.pictures)
    assert page.loaded == []
    assert not re.search(r"https?:", text)
    assert "mine &amp; yours" in text
    assert "test &lt;b&gt;" in text
    assert "60 × 97" in text


def test_the_contact_sheet_shows_every_photograph(tmp_path, photo):
    parts = {"train": packed(*[photo] * 23), "test": packed(photo)}
    write_page("mine", parts, {role: facts(part) for role, part in parts.items()}, tmp_path)
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        cells = np.asarray(sheet)
    assert cells.shape == (3 * 100 + 2 * 32, 2000, 3)  # two rows and one, each part under its title
    for row, column, filled in ((32, 0, True), (132, 200, True), (132, 300, False), (264, 0, True), (264, 100, False)):
        assert (cells[row : row + 100, column : column + 100].std() > 10) == filled
