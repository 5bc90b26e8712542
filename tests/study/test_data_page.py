"""A data set in numbers and pictures."""

import re

import numpy as np
from PIL import Image

from restoration.study.report.data_page import facts, facts_table, write_page
from restoration.tasks import JPEG
from tests.conftest import packed


def test_facts(photo):
    other = np.zeros((60, 50, 3), np.uint8)
    values = np.concatenate([photo.reshape(-1, 3), other.reshape(-1, 3)])
    described = facts(packed(photo, other))
    assert (described["photographs"], described["sizes"]) == ("2", "82x97, 50x60")
    assert described["mean of R, G, B"] == " ".join(f"{value:.0f}" for value in values.mean(axis=0))
    assert described["deviation of R, G, B"] == " ".join(f"{value:.0f}" for value in values.std(axis=0))
    assert described["values at 0"] == f"{100 * (values == 0).mean():.2f} %"
    assert described["values at 255"] == f"{100 * (values == 255).mean():.2f} %"
    assert facts(packed(*[photo[number:] for number in range(5)]))["sizes"] == "82x97, 82x96, 3 others"


def test_page_and_contact_sheet(tmp_path, photo):
    """Every photograph is on both, with a larger view; the inputs of the tasks are shown; no other file is loaded."""
    parts = {"train": packed(*[photo] * 23), "test <b>": packed(photo[:, :60])}
    table = facts_table(parts)
    assert [row[:3] for row in table[:2]] == [["", "train", "test <b>"], ["photographs", "23", "1"]]
    write_page("mine & yours", parts, table, {"deblocking": JPEG()}, tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert text.count('<img src="data:image/jpeg;base64,') == text.count("src=") == 26
    assert set(re.findall('alt="(.*?)"', text)) >= {"photograph 0.png", "photograph 22.png", "input of deblocking"}
    links = re.findall('href="(.*?)"', text)
    assert len(set(links)) == 24
    with Image.open(tmp_path / links[0]) as large:
        assert large.size == (82, 97)
    assert "mine &amp; yours" in text
    assert "test &lt;b&gt;" in text
    assert "60 × 97" in text
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        cells = np.asarray(sheet).reshape(2, 100, 20, 100, 3)
    filled = cells.std(axis=(1, 3, 4)).flatten() > 10
    assert filled.tolist() == [True] * 24 + [False] * 16
