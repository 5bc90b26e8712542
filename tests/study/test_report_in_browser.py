"""The report's page in a real Chromium; every test also checks that there is no console output and no request."""

import base64
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from restoration.study.rendering import Cell, Table
from restoration.study.report import Figure, Fold, Picture, Section, Strip, Viewer, write_page
from restoration.study.report.crops import difference_map
from tests.browser import DESKTOP, PHONE, needs_chromium, opened

MARKUP = "<img src=x onerror=alert(1)>"
BLUE = {"Noisy": 200, "L2": 150, "Mix": 117, "truth": 100}

pytestmark = needs_chromium


def coded(blue: int) -> np.ndarray:
    """A picture whose colours encode the position: red is the column, green the row, blue the version."""
    rows, columns = np.mgrid[:40, :60]
    return np.stack([columns * 4, rows * 6, np.full_like(rows, blue)], axis=2).astype(np.uint8)


VERSIONS = {title: coded(blue) for title, blue in BLUE.items()}
LARGE = {title: np.full((1500, 1500, 3), blue, np.uint8) for title, blue in BLUE.items()}
PICTURES = [
    Picture("sr", "coded", VERSIONS),
    Picture("sr", MARKUP, LARGE),
    Picture("jpeg", "coded", {title: pixels for title, pixels in VERSIONS.items() if title != "L2"}),
]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="700" height="9"><path style="fill: red"/></svg>'


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    wide = Table("Wide", ["a loss"] * 12, [("PSNR (dB)", [Cell("30.12", "[29.90, 30.31]")] * 12)])
    claims = Table("Claims", ["verdict", "measured"], [("L1 beats L2. " * 9, [Cell("holds"), Cell("0.18 dB, " * 30)])])
    blocks = [wide, claims, Figure("Drawn", SVG, "A drawing"), Fold("More", [wide]), Viewer("Photographs", PICTURES)]
    blocks.append(Strip(PICTURES[0], (slice(20, 28), slice(30, 38))))
    path = tmp_path_factory.mktemp("report") / "index.html"
    shut = Section("Shut", ["Shut text"], folded=True)
    write_page(path, f"Report {MARKUP}", ["First."], [Section("All", ["Text."], blocks), shut])
    return path.as_uri()


@pytest.fixture
def page(browser, address, request) -> Iterator[Page]:
    """The page with its viewer ready."""
    with opened(browser, address, getattr(request, "param", DESKTOP)) as page:
        expect(page.get_by_role("tab")).to_have_count(4)
        yield page


def canvas(page: Page) -> np.ndarray:
    """The pixels of the stage that show the photograph, (h, w, 3)."""
    encoded = page.locator(".stage canvas").evaluate("canvas => canvas.toDataURL()").split(",")[1]
    with Image.open(BytesIO(base64.b64decode(encoded))) as image:
        pixels = np.asarray(image.convert("RGBA"))
    rows, columns = pixels[..., 3].any(axis=1), pixels[..., 3].any(axis=0)
    return pixels[rows][:, columns, :3]


def zoom(page: Page) -> float:
    return float(page.locator("output").inner_text().removesuffix(" %")) / 100


def enlarged(pixels: np.ndarray, times: float) -> np.ndarray:
    return pixels.repeat(round(times), axis=0).repeat(round(times), axis=1)


def middle(page: Page) -> tuple[float, float]:
    """The middle of the stage, in coordinates of the window."""
    page.locator(".stage").scroll_into_view_if_needed()
    box = page.locator(".stage").bounding_box()
    return box["x"] + box["width"] // 2, box["y"] + box["height"] // 2


@pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["1366", "390"], indirect=True)
def test_nothing_is_wider_than_the_page(page):
    """A table with many columns does not widen the page; a link to a folded section unfolds the section."""
    assert not page.get_by_text("Shut text").is_visible()
    page.evaluate("location.hash = 'section-2'")
    expect(page.get_by_text("Shut text")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth === innerWidth")
    assert page.locator(".figure").evaluate("image => image.naturalWidth") == 700


def test_flipping(page):
    """Tabs, arrows and digits show each version exactly; a choice of photograph keeps the version."""
    times = zoom(page)
    assert times == round(times) > 1
    page.get_by_role("tab", name="Mix").click()
    for key, title in {"3": "Mix", "ArrowRight": "truth", "ArrowLeft": "Mix", "2": "L2"}.items():
        page.keyboard.press(key)
        assert (canvas(page) == enlarged(VERSIONS[title], times)).all()
        assert page.get_by_role("tab", selected=True).inner_text().startswith(title)
    page.keyboard.press("3")
    page.locator("[name=photograph]").select_option(MARKUP)
    expect(page.locator(".stage canvas")).to_have_attribute("aria-label", f"sr, {MARKUP}: Mix")
    assert zoom(page) < 1
    page.locator("[name=task]").select_option("jpeg")
    expect(page.get_by_role("tab")).to_have_count(3)
    assert set(np.unique(canvas(page)[..., 2])) == {BLUE["Mix"]}


def test_zooming(page):
    """Zooming keeps the pixel under the pointer; pixels are squares of one size; a drag moves; 0 shows all."""
    x, y = middle(page)
    page.mouse.click(x, y)
    whole = zoom(page)
    page.keyboard.press("+")
    page.keyboard.press("+")
    times = zoom(page)
    assert times == round(times) >= 2 * whole
    seen = canvas(page)
    for axis in (0, 1):
        changes = np.flatnonzero(np.diff(seen.astype(int), axis=axis).any(axis=(1 - axis, 2)))
        assert len(changes) > 5
        assert set(np.diff(changes)) == {times}
    page.mouse.down()
    page.mouse.move(x - 48, y - 32, steps=3)
    page.mouse.up()
    moved = canvas(page)
    assert (moved[:-32, :-48] == seen[32:, 48:]).all()
    page.mouse.move(x - 70, y + 50)
    page.mouse.wheel(0, 100)
    expect(page.locator("output")).not_to_have_text(f"{100 * times:g} %")
    assert zoom(page) > whole
    row, column = moved.shape[0] // 2 + 50, moved.shape[1] // 2 - 70
    assert (canvas(page)[row, column] == moved[row, column]).all()
    page.keyboard.press("0")
    assert zoom(page) == whole
    assert (canvas(page) == enlarged(VERSIONS["L2"], whole)).all()


def test_difference_maps(page):
    """The viewer draws the same difference maps as strips; the truth has no map."""
    page.get_by_role("tab", name="Mix").click()
    page.get_by_role("button", name="Difference").click()
    page.get_by_label("Gain of the differences").select_option("16")
    expected = difference_map(VERSIONS["Mix"], VERSIONS["truth"], gain=16)
    assert (canvas(page) == enlarged(expected, zoom(page))).all()
    assert page.locator(".label").inner_text() == "Mix: difference × 16, PSNR 28.29 dB"
    page.get_by_role("tab", name="truth").click()
    assert (canvas(page) == enlarged(VERSIONS["truth"], zoom(page))).all()


def test_strip_opens_the_viewer(page):
    page.get_by_role("button", name="Open in the viewer").click()
    expect(page.locator(".stage")).to_be_focused()
    height, width = canvas(page).shape[:2]
    assert tuple(canvas(page)[height // 2, width // 2, :2]) == (4 * 34, 6 * 24)
    assert zoom(page) > 20


@pytest.mark.parametrize("page", [PHONE], ids=["phone"], indirect=True)
def test_pinching(page):
    x, y = middle(page)
    before = zoom(page)
    session = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", None)):
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert zoom(page) == pytest.approx(3 * before, rel=0.01)


def test_theme_is_remembered(browser, address):
    """The page comes from a server, because a busy Chromium sometimes loses stored values of a file:// page."""
    with browser.new_context(color_scheme="light") as context:
        context.route("http://report.test/", lambda route: route.fulfill(path=address.removeprefix("file://")))
        page = context.new_page()
        page.goto("http://report.test/")
        body = page.locator("body")
        expect(body).to_have_css("background-color", "rgb(253, 253, 251)")
        page.get_by_label("Theme").select_option("dark")
        expect(body).to_have_css("background-color", "rgb(22, 24, 27)")
        page.reload()
        expect(body).to_have_css("background-color", "rgb(22, 24, 27)")
