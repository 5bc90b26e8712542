"""The texts and the crops of a report's page."""

import base64
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from restoration.study.rendering import Cell, Table
from restoration.study.report import Block, Crops, Figure, Fold, Picture, Section, Strip, Viewer, write_page
from restoration.study.report.blocks import data_uri, markup
from restoration.study.report.crops import colour_table, contrasted, difference_map, flat_window, most_different_crops
from restoration.study.report.photographs import flat_crops, strips

RANDOM = np.random.default_rng(0)
HTML = "</script><img src=x onerror=alert(1)> & \"'"


def noise(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


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


def test_crops_follow_the_rule():
    """The best window, then the best that overlaps no earlier one."""
    truth = noise(20, 26)
    versions = [np.where(RANDOM.random((20, 26, 1)) < 0.3, noise(20, 26), truth) for _ in range(3)]
    expected = scores(versions, truth, 7)
    windows = most_different_crops(versions, truth, side=7, count=4)
    assert len(windows) == 4
    for rows, columns in windows:
        assert (rows.stop - rows.start, columns.stop - columns.start) == (7, 7)
        best = np.unravel_index(expected.argmax(), expected.shape)
        assert expected[rows.start, columns.start] == pytest.approx(expected[best], rel=1e-12)
        for row, column in np.ndindex(expected.shape):
            if abs(row - rows.start) < 7 and abs(column - columns.start) < 7:
                expected[row, column] = -1


def test_crops_end_where_none_fits():
    versions, truth = [noise(20, 20), noise(20, 20)], noise(20, 20)
    taken = np.zeros((20, 20), int)
    for window in most_different_crops(versions, truth, side=8, count=99):
        taken[window] += 1
    assert taken.max() == 1
    ((rows, columns),) = most_different_crops([noise(20, 33), noise(20, 33)], noise(20, 33), side=96, count=1)
    assert rows == slice(0, 20)
    assert columns.stop - columns.start == 20


def test_common_errors_are_not_chosen():
    truth = np.full((40, 90, 3), 100, np.uint8)
    one, other = truth.copy(), truth.copy()
    one[5:15, 5:15] = other[5:15, 5:15] = 220  # a large error of both versions
    one[20:30, 60:70] += 12  # a smaller one of one version
    ((rows, columns),) = most_different_crops([one, other], truth, side=10, count=1)
    assert (rows, columns) == (slice(20, 30), slice(60, 70))


def test_equal_windows_in_reading_order():
    truth = np.zeros((12, 18, 3), np.uint8)
    windows = most_different_crops([truth, truth], truth, side=6, count=3)
    assert [(rows.start, columns.start) for rows, columns in windows] == [(0, 0), (0, 6), (0, 12)]
    with pytest.raises(ValueError, match="two or more, got 1"):
        most_different_crops([truth], truth, side=8, count=1)


def test_difference_maps():
    truth, version = np.zeros((1, 3, 3), np.uint8), np.zeros((1, 3, 3), np.uint8)
    version[0] = [(0, 0, 0), (10, 0, 1), (255, 255, 0)]
    levels = (0, 14, 255)  # floor(11 * 4 / 3); 680 is above the largest
    assert (difference_map(version, truth, gain=4)[0] == colour_table()[list(levels)]).all()
    assert (difference_map(truth, version, gain=4) == difference_map(version, truth, gain=4)).all()


def test_strips_of_each_task():
    """Two windows of each task's first picture; none for a task with a single loss."""
    versions = {title: noise(64, 300) for title in ("Noisy", "L2", "Mix", "truth")}
    one = {title: pixels for title, pixels in versions.items() if title != "L2"}
    pictures = [Picture("sr", "a", versions), Picture("sr", "b", versions), Picture("jpeg", "a", one)]
    shown = list(strips(pictures, viewed=True))
    assert [(strip.picture.task, strip.picture.photograph) for strip in shown] == [("sr", "a"), ("sr", "a")]
    rows, columns = shown[0].window
    assert (shown[0].crops["Mix"] == versions["Mix"][rows, columns]).all()


def test_flat_windows_follow_the_rule():
    """The flat window with the largest difference is chosen, although a busy window has a larger difference."""
    truth = np.full((60, 90, 3), 100, np.uint8)
    truth[:, 60:] = noise(60, 30)
    one, other = truth.copy(), truth.copy()
    one[20:26, 20:26] += 3
    other[10:20, 70:80] += 40
    level, (rows, columns) = flat_window(one, other, truth, side=10)
    assert rows.start <= 20 < 26 <= rows.stop
    assert columns.start <= 20 < 26 <= columns.stop
    assert level == pytest.approx((9 * 36 / 100) ** 0.5)


def test_contrast():
    """Four times the difference to the mean of the truth, around grey."""
    truth = np.full((2, 2, 3), (10, 100, 200), np.uint8)
    assert (contrasted(truth, truth) == 128).all()
    assert (contrasted(truth + np.uint8(5), truth) == 148).all()


def test_flat_crops():
    """The picture in which the first and the last loss differ most; input, losses, truth."""
    truth = np.full((60, 60, 3), 100, np.uint8)
    versions = {"Noisy": truth, "L2": truth, "L1": truth, "Mix": truth, "truth": truth}
    changed = versions | {"L2": truth + np.uint8(3)}
    shown = flat_crops([Picture("sr", "a", versions), Picture("sr", "b", changed)], ["L2", "Mix"])
    assert list(shown.crops) == ["Noisy", "L2", "Mix", "truth"]
    assert (shown.crops["L2"] == 140).all()
    assert "area of b" in shown.notes[0]


def test_psnr():
    truth = np.full((4, 4, 3), 100, np.uint8)
    picture = Picture("sr", "a", {"L2": truth + np.uint8(1), "truth": truth})
    assert picture.psnr("L2") == pytest.approx(20 * np.log10(255))
    assert picture.psnr("truth") == np.inf


# The page


def written(tmp_path, *blocks: Block, title: str = "Report", text: str = "First.") -> str:
    path = tmp_path / "index.html"
    write_page(path, title, [text], [Section(title, [text], blocks)])
    return path.read_text(encoding="utf-8")


def every_block(text: str) -> list[Block]:
    picture = Picture(text, text, {f"{text}{number}": np.full((12, 12, 3), number, np.uint8) for number in range(4)})
    table = Table(text, [text], [(text, [Cell(text, text, best=True)])], [text])
    figure = Figure(text, '<svg xmlns="http://www.w3.org/2000/svg"/>', text, [text])
    strip = Strip(picture, (slice(0, 8), slice(2, 10)))
    crops = Crops(text, strip.crops, [text])
    return [table, figure, Fold(text, [table]), crops, Viewer(text, [picture]), strip]


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


def test_texts_are_only_text(tmp_path):
    plain, escaped = (Markup(written(tmp_path, *every_block(text), title=text, text=text)) for text in ("plain", HTML))
    assert [tag for tag, _ in escaped.elements] == [tag for tag, _ in plain.elements]
    assert not any("onerror" in attributes for _, attributes in escaped.elements)
    assert "".join(escaped.texts).count(HTML) == "".join(plain.texts).count("plain") > 20


def test_page_holds_everything(tmp_path):
    """No address leads out of the file; the same content gives the same bytes."""
    page = written(tmp_path, *every_block("plain"))
    for tag, attributes in Markup(page).elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "#").startswith(("data:", "#")), (tag, name)
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'; img-src data:" in page
    assert written(tmp_path, *every_block("plain")) == page


def test_table_cells():
    """Verdicts have a class for their colour; cells know their column for phones."""
    cells = [Cell("30.1", "[29.9, 30.3]", best=True), Cell("mixed", "Kodak: refuted")]
    page = markup(Table("A table", ["L1", "Claim"], [("PSNR", cells)], ["protocol: clamped"]))
    assert '<th scope="row">PSNR</th>' in page
    assert '<td class="best" data-column="L1"><strong>30.1</strong><span class="interval">[29.9, 30.3]</span>' in page
    assert '<td data-column="Claim"><span class="verdict mixed">mixed</span>' in page
    assert 'Kodak: <span class="verdict against">refuted</span>' in page
    assert "<li>protocol: clamped</li>" in page


def test_folded_section(tmp_path):
    """The link target of a folded section is inside the section, so that a link unfolds the section."""
    path = tmp_path / "index.html"
    write_page(path, "Report", [], [Section("Open", ["a"], warned=True), Section("Shut", ["b"], folded=True)])
    page = path.read_text(encoding="utf-8")
    assert '<section id="section-1"><h2>Open</h2><p class="warning">a</p>' in page
    assert '<summary><h2>Shut</h2></summary><div id="section-2">' in page


def test_pictures_are_lossless():
    pixels = noise(31, 17)
    kind, encoded = data_uri(pixels).split(",")
    assert kind == "data:image/webp;base64"
    with Image.open(BytesIO(base64.b64decode(encoded))) as image:
        assert (np.asarray(image.convert("RGB")) == pixels).all()


def test_wrong_pictures_are_named():
    with pytest.raises(ValueError, match=r"sr, cat: .* got 'L2' as \(4, 5, 3\) uint8"):
        Picture("sr", "cat", {"L2": noise(4, 5), "truth": noise(5, 4)})
    with pytest.raises(ValueError, match=r"got 'L2' as \(4, 5, 3\) float64"):
        Picture("sr", "cat", {"L2": noise(4, 5) / 255, "truth": noise(4, 5)})
    with pytest.raises(ValueError, match=r"got \['truth'\]"):
        Picture("sr", "cat", {"truth": noise(4, 5)})
    picture = Picture("sr", "cat", {"L2": noise(4, 5), "truth": noise(4, 5)})
    for pictures in ([], [picture, picture]):
        with pytest.raises(ValueError, match="needs pictures of different names"):
            Viewer("Look", pictures)
