"""What a report's page says, and which crops it shows; test_report_in_browser.py uses it."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from restoration.study.rendering import Cell, Table
from restoration.study.report import (
    Claim,
    Curves,
    Fold,
    Ledger,
    Picture,
    Report,
    Section,
    Series,
    Strip,
    Verdict,
    Viewer,
    difference_map,
    most_different_crops,
    write_report,
)
from restoration.study.report.blocks import data_uri
from restoration.study.report.crops import colour_table

RANDOM = np.random.default_rng(0)
NASTY = "</script><img src=x onerror=alert(1)> & \"'"


def noise(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def written(tmp_path, *blocks, title="Report", **others) -> str:
    path = tmp_path / "index.html"
    write_report(path, Report(title, ("First.",), (Section("Section", ("Text.",), blocks),), **others))
    return path.read_text(encoding="utf-8")


class Markup(HTMLParser):
    """Elements with their attributes, and the text outside scripts and styles."""

    def __init__(self, page: str):
        super().__init__()
        self.elements, self.texts, self.within = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.within = tag

    def handle_data(self, data):
        if self.within not in ("script", "style"):
            self.texts.append(data)


# Crops


def scores(versions: list[np.ndarray], truth: np.ndarray, side: int) -> np.ndarray:
    """The rule of most_different_crops, window by window."""
    stack = np.stack(versions).astype(float)
    shape = (truth.shape[0] - side + 1, truth.shape[1] - side + 1)
    disagreement, error = np.empty(shape), np.empty(shape)
    for row, column in np.ndindex(shape):
        window = (slice(None), slice(row, row + side), slice(column, column + side))
        disagreement[row, column] = stack[window].var(axis=0).sum()
        error[row, column] = ((stack[window] - truth[window[1:]]) ** 2).sum() / len(stack)
    return disagreement / (error + error.mean())


def test_crops_are_where_the_rule_says():
    truth = noise(20, 26)
    versions = [np.where(RANDOM.random((20, 26, 1)) < 0.3, noise(20, 26), truth) for _ in range(3)]
    expected = scores(versions, truth, 7)
    found = most_different_crops(versions, truth, side=7, count=4)
    assert len(found) == 4
    for rows, columns in found:
        assert (rows.stop - rows.start, columns.stop - columns.start) == (7, 7)
        best = np.unravel_index(expected.argmax(), expected.shape)
        assert expected[rows.start, columns.start] == pytest.approx(expected[best], rel=1e-12)
        for row, column in np.ndindex(expected.shape):  # what overlaps it is out
            if abs(row - rows.start) < 7 and abs(column - columns.start) < 7:
                expected[row, column] = -1


def test_windows_never_overlap_and_end_where_no_more_fit():
    versions, truth = [noise(20, 20), noise(20, 20)], noise(20, 20)
    taken = np.zeros((20, 20), int)
    windows = most_different_crops(versions, truth, side=8, count=99)
    for window in windows:
        taken[window] += 1
    assert taken.max() == 1
    assert 1 <= len(windows) <= 4


def test_what_all_losses_get_wrong_alike_is_not_chosen():
    truth = np.full((40, 90, 3), 100, np.uint8)
    one, other = truth.copy(), truth.copy()
    one[5:15, 5:15] = other[5:15, 5:15] = 220  # a large error, the same in both
    one[20:30, 60:70] += 12  # a smaller one, of one alone
    ((rows, columns),) = most_different_crops([one, other], truth, side=10, count=1)
    assert (rows, columns) == (slice(20, 30), slice(60, 70))


def test_of_equals_the_topmost_then_leftmost_is_taken():
    truth = np.zeros((12, 18, 3), np.uint8)
    windows = most_different_crops([truth, truth], truth, side=6, count=3)
    assert [(rows.start, columns.start) for rows, columns in windows] == [(0, 0), (0, 6), (0, 12)]


def test_a_small_photograph_is_taken_as_far_as_it_goes():
    ((rows, columns),) = most_different_crops([noise(20, 33), noise(20, 33)], noise(20, 33), side=96, count=1)
    assert rows == slice(0, 20)
    assert columns.stop - columns.start == 20


def test_one_loss_differs_from_no_other():
    with pytest.raises(ValueError, match="two or more, got 1"):
        most_different_crops([noise(20, 20)], noise(20, 20), side=8, count=1)


def test_difference_maps_hold_the_mean_over_colours_times_the_gain():
    truth, version = np.zeros((1, 3, 3), np.uint8), np.zeros((1, 3, 3), np.uint8)
    version[0] = [(0, 0, 0), (10, 0, 1), (255, 255, 0)]
    levels = (0, 14, 255)  # floor(11 * 4 / 3); 680 is too much
    assert (difference_map(version, truth, gain=4)[0] == colour_table()[list(levels)]).all()
    assert (difference_map(truth, version, gain=4) == difference_map(version, truth, gain=4)).all()


def test_differences_grow_lighter_with_their_size():
    lightness = colour_table() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -1).all()  # bytes are rounded
    assert lightness[0] < 1
    assert lightness[-1] > 200


# Contents


def test_rows_and_versions_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"row 'PSNR': 2 cells are needed, one for each column, got 1"):
        Table("t", ("L2", "L1"), [("PSNR", [Cell("30")])])
    with pytest.raises(ValueError, match="as many x as y, got 2 and 1"):
        Series("L2", (1, 2), (1,))
    with pytest.raises(ValueError, match=r"sr, cat: .* got 'L2' as \(4, 5, 3\) uint8"):
        Picture("sr", "cat", {"L2": noise(4, 5), "truth": noise(5, 4)})
    with pytest.raises(ValueError, match=r"got 'L2' as \(4, 5, 3\) float64"):
        Picture("sr", "cat", {"L2": noise(4, 5) / 255, "truth": noise(4, 5)})
    picture = Picture("sr", "cat", {"L2": noise(4, 5), "truth": noise(4, 5)})
    with pytest.raises(ValueError, match=r"each of another .* got \[\('sr', 'cat'\), \('sr', 'cat'\)\]"):
        Viewer("Look", [picture, picture])
    with pytest.raises(ValueError, match=r"needs pictures"):
        Viewer("Look", [])
    with pytest.raises(ValueError, match=r"got \['truth'\]"):
        Picture("sr", "cat", {"truth": noise(4, 5)})


def test_the_losses_are_between_the_degraded_and_the_truth():
    versions = {title: noise(4, 5) for title in ("Noisy", "L2", "Mix", "truth")}
    picture = Picture("demosaic", "cat", versions)
    assert picture.truth is versions["truth"]
    assert [id(pixels) for pixels in picture.restored] == [id(versions["L2"]), id(versions["Mix"])]


# The page


def test_tables_show_the_best_and_the_intervals(tmp_path):
    rows = [("PSNR", [Cell("30.1", "[29.9, 30.3]", best=True), Cell("29.0")])]
    page = written(tmp_path, Table("A table", ("L1", "L2"), rows, ("protocol: clamped",)))
    assert '<th scope="row">PSNR</th>' in page
    assert '<td class="best"><strong>30.1</strong><span class="interval">[29.9, 30.3]</span></td><td>29.0</td>' in page
    assert "<li>protocol: clamped</li>" in page


def test_verdicts_are_told_by_sign_and_words_and_counted(tmp_path):
    claims = [Claim("L1 beats L2.", "+0.18 dB [0.12, 0.25]", verdict, "pairs", ("sr: more",)) for verdict in Verdict]
    text = re.sub(r"<[^>]+>", "|", written(tmp_path, Ledger("Claims", [*claims, claims[1]])))
    for said in ("✓ holds", "✗ does not hold", "? undecided", "– not measured"):
        assert f"|{said}|" in text
    assert "|✓ 1 holds|" in text
    assert "|✗ 2 does not hold|" in text
    assert Verdict("does not hold") is Verdict.FAILS


def test_pictures_are_lossless():
    pixels = noise(31, 17)
    kind, encoded = data_uri(pixels).split(",")
    assert kind == "data:image/webp;base64"
    with Image.open(BytesIO(base64.b64decode(encoded))) as image:
        assert (np.asarray(image.convert("RGB")) == pixels).all()


def full_report(tmp_path, text: str) -> str:
    picture = Picture(text, text, {f"{text}{number}": noise(12, 12) for number in range(4)})
    blocks = (
        Table(text, (text,), [(text, [Cell(text, text)])], (text,)),
        Ledger(text, [Claim(text, text, Verdict.HOLDS, text, (text,), [Claim(text, text, Verdict.FAILS)])], (text,)),
        Curves(text, text, text, [Series(text, (2, 1, 3), (0.5, 1, float("nan")))], (text,), [(2, text)]),
        Fold(text, [Table(text, (text,), [], (text,))]),
        Viewer(text, [picture], (text,)),
        Strip(picture, (slice(0, 8), slice(2, 10))),
    )
    return written(tmp_path, *blocks, title=text, provenance=(text,))


def test_all_texts_are_only_text(tmp_path):
    plain, nasty = (Markup(full_report(tmp_path, text)) for text in ("plain", NASTY))
    assert [tag for tag, _ in nasty.elements] == [tag for tag, _ in plain.elements]
    assert not any("onerror" in attributes for _, attributes in nasty.elements)
    assert "".join(nasty.texts).count(NASTY) == "".join(plain.texts).count("plain") > 20


def test_the_page_holds_all_it_needs(tmp_path):
    page = full_report(tmp_path, "plain")
    for tag, attributes in Markup(page).elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "#").startswith(("data:", "#")), (tag, name)
    assert "@import" not in page
    assert "url(" not in page.replace("`url(#${this.clip})`", "")
    assert "default-src 'none'; img-src data:" in page


def test_the_same_report_gives_the_same_bytes(tmp_path):
    picture = Picture("sr", "cat", {"Bilinear": noise(9, 9), "L2": noise(9, 9), "truth": noise(9, 9)})
    assert written(tmp_path, Viewer("Look", [picture])) == written(tmp_path, Viewer("Look", [picture]))


def test_points_come_in_order_and_gaps_stay_gaps(tmp_path):
    page = full_report(tmp_path, "plain")
    assert '"points":[[1.0,1.0],[2.0,0.5],[3.0,null]]' in page
