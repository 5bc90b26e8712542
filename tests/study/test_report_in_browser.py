"""The report's page in a real Chromium, by mouse, keys and touch; every test also finds no error and no request."""

import base64
import re
import shutil
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

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
    write_report,
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
NASTY = "<img src=x onerror=alert(1)>"
HEIGHT, WIDTH = 40, 60

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")


def located(blue: int) -> np.ndarray:
    """A picture that tells where one is: red is the column, green the row; blue tells the version."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([columns * 4, rows * 6, np.full_like(rows, blue)], axis=2).astype(np.uint8)


def versions(size: int | None = None) -> dict[str, np.ndarray]:
    blues = {"Noisy": 200, "L2": 150, "Mix": 117, "truth": 100}
    return {
        title: located(blue) if size is None else np.full((size, size, 3), blue, np.uint8)
        for title, blue in blues.items()
    }


PICTURES = (
    Picture("sr", "located", versions()),
    Picture("sr", NASTY, versions(1500)),
    Picture("jpeg", "located", {title: pixels for title, pixels in versions().items() if title != "L2"}),
)
BLUE = {title: int(pixels[0, 0, 2]) for title, pixels in PICTURES[0].versions.items()}


def report() -> Report:
    x = range(0, 100001, 10000)
    columns = [f"loss {number}" for number in range(9)]
    curves = [Series("L2", x, [1 + 1 / (1 + value) for value in x]), Series("L1", x, [0.5] * 11)]
    blocks = (
        Table("Wide", columns, [("PSNR (dB)", [Cell("30.12", "[29.90, 30.31]")] * 9)], ("a note",)),
        Ledger(
            "Claims",
            [Claim("L1 beats L2.", "+0.18 dB [0.12, 0.25]", verdict, "pairs", ("sr: more",)) for verdict in Verdict],
        ),
        Curves("Curves", "patches seen", "1000 L2", curves, marks=[(50_000, "switch")]),
        Fold("More", [Table("Folded", ("L2",), [("PSNR (dB)", [Cell("29.9", "+0.1\n[0.0, 0.2]")])])]),
        Viewer("Photographs", PICTURES, (NASTY,)),
        Strip(PICTURES[0], (slice(20, 28), slice(30, 38))),
    )
    return Report(f"Report {NASTY}", ("First.",), (Section("All", ("Text.",), blocks),), ("commit abc",))


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_report(path, report())
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def settings() -> dict:
    return {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture
def page(browser, address, settings) -> Iterator[Page]:
    """The page, opened from its file, its viewer ready; whatever goes wrong in it fails the test."""
    context = browser.new_context(reduced_motion="reduce", **settings)
    page = context.new_page()
    page.set_default_timeout(10_000)
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.on("request", lambda request: request.url.startswith(("data:", address)) or troubles.append(request.url))
    page.goto(address)
    expect(page.get_by_role("tab")).to_have_count(4)
    yield page
    context.close()
    assert troubles == []


def canvas(page: Page, number: int = 0) -> np.ndarray:
    """The pixels of a stage that show the photograph, (h, w, 3), on a screen with one pixel to a CSS pixel."""
    encoded = page.locator(".stage canvas").nth(number).evaluate("canvas => canvas.toDataURL()").split(",")[1]
    with Image.open(BytesIO(base64.b64decode(encoded))) as image:
        pixels = np.asarray(image.convert("RGBA"))
    rows, columns = pixels[..., 3].any(axis=1), pixels[..., 3].any(axis=0)
    return pixels[rows][:, columns, :3]


def zoom(page: Page) -> float:
    return float(page.locator("output").inner_text().removesuffix(" %")) / 100


def enlarged(pixels: np.ndarray, times: int) -> np.ndarray:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def middle(locator: Locator) -> tuple[float, float]:
    """Of an element, in the window, after the page has come to rest."""
    locator.scroll_into_view_if_needed()
    locator.page.wait_for_timeout(350)  # while the page is scrolled, the wheel scrolls it
    box = locator.bounding_box()
    assert box
    return box["x"] + box["width"] // 2, box["y"] + box["height"] // 2


def stage(page: Page) -> Locator:
    return page.locator(".stage").first


def check_shown(page: Page, title: str) -> None:
    """The first stage says that it shows a version, and its pixels are that version's."""
    expect(page.locator(".label").first).to_have_text(title)
    assert set(np.unique(canvas(page)[..., 2])) == {BLUE[title]}


# The viewer


def test_flipping_by_tabs_arrows_and_digits_shows_each_version_exactly(page):
    times = round(zoom(page))
    assert times == zoom(page) > 1

    def exactly(title: str) -> None:
        assert (canvas(page) == enlarged(PICTURES[0].versions[title], times)).all()
        assert page.get_by_role("tab", selected=True).inner_text().endswith(title)

    exactly("L2")
    page.get_by_role("tab", name="Mix").click()
    exactly("Mix")
    for key, title in (
        ("ArrowRight", "truth"),
        ("ArrowRight", "Noisy"),
        ("ArrowLeft", "truth"),
        ("2", "L2"),
        ("3", "Mix"),
    ):
        page.keyboard.press(key)
        exactly(title)


def test_zooming_keeps_what_is_under_the_pointer_and_pixels_stay_squares(page):
    x, y = middle(stage(page))
    page.mouse.move(x + 90, y - 60)
    whole = zoom(page)
    for _ in range(3):  # until no side of the stage is empty
        page.keyboard.press("+")
    place = page.locator(".pixel").inner_text()
    row, column = map(int, re.findall(r"row (\d+), column (\d+)", place)[0])
    assert f"L2 {4 * column} {6 * row} 150 · truth {4 * column} {6 * row} 100" in place
    before = zoom(page)
    page.mouse.wheel(0, -100)
    page.keyboard.press("+")
    times = round(zoom(page))
    assert times == zoom(page) > before
    assert page.locator(".pixel").inner_text() == place
    seen = canvas(page)
    # Every pixel of the photograph is one square of one colour: colours change every `times` pixels of the screen only.
    for axis in (0, 1):
        changes = np.flatnonzero(np.diff(seen.astype(int), axis=axis).any(axis=(1 - axis, 2)))
        assert len(changes) > 5
        assert set(np.diff(changes)) == {times}
    page.keyboard.press("3")
    assert (canvas(page)[..., :2] == seen[..., :2]).all()  # the same crop
    check_shown(page, "Mix")
    page.keyboard.press("0")
    assert zoom(page) == whole
    assert (canvas(page) == enlarged(PICTURES[0].versions["Mix"], round(whole))).all()


def test_dragging_and_shift_with_arrows_move(page):
    x, y = middle(stage(page))
    page.mouse.move(x, y)
    for _ in range(4):
        page.keyboard.press("+")
    times = round(zoom(page))
    first = canvas(page)
    page.mouse.down()
    page.mouse.move(x - 3 * times, y - 2 * times, steps=3)
    page.mouse.up()
    moved = canvas(page)
    assert (moved[: -2 * times, : -3 * times] == first[2 * times :, 3 * times :]).all()
    page.keyboard.press("Shift+ArrowLeft")
    assert canvas(page)[0, 0, 0] < moved[0, 0, 0]
    assert canvas(page)[0, 0, 1] == moved[0, 0, 1]
    page.keyboard.press("Shift+ArrowUp")
    assert canvas(page)[0, 0, 1] < moved[0, 0, 1]
    check_shown(page, "L2")  # these arrows flip nothing


def test_difference_maps_are_those_of_the_figures(page):
    times = round(zoom(page))
    stage(page).focus()
    page.keyboard.press("3")
    page.keyboard.press("d")
    shown = PICTURES[0].versions
    for gain in (4, 16):
        page.get_by_label("Gain of the differences").select_option(str(gain))
        assert (canvas(page) == enlarged(difference_map(shown["Mix"], shown["truth"], gain=gain), times)).all()
        assert page.locator(".viewer .scale").inner_text().split("\n")[:2] == ["0", f"{255 / gain:.4g}"]
    assert page.locator(".label").first.inner_text() == "Mix: difference × 16"
    page.keyboard.press("ArrowRight")
    check_shown(page, "truth")  # and no black map
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Difference").click()
    check_shown(page, "Mix")
    assert page.locator(".viewer .scale").is_hidden()


def test_truth_is_shown_while_it_is_held(page):
    stage(page).focus()
    for differences in (False, True):
        if differences:
            page.keyboard.press("d")
        before = canvas(page)
        page.keyboard.down("t")
        check_shown(page, "truth")
        page.keyboard.up("t")
        assert (canvas(page) == before).all()
    page.keyboard.press("d")
    page.mouse.move(*middle(page.get_by_role("button", name="Hold for truth")))
    page.mouse.down()
    check_shown(page, "truth")
    page.mouse.up()
    check_shown(page, "L2")


def test_two_versions_side_by_side_show_the_same_crop(page):
    x, y = middle(stage(page))
    page.mouse.move(x, y)
    page.keyboard.press("b")
    page.get_by_label("Version beside it").select_option("Mix")
    page.mouse.move(x - 200, y)
    for _ in range(3):
        page.keyboard.press("+")
    left, right = canvas(page), canvas(page, 1)
    assert (left[..., :2] == right[..., :2]).all()
    assert (left[0, 0, 2], right[0, 0, 2]) == (BLUE["L2"], BLUE["Mix"])
    page.keyboard.press("Shift+Digit1")
    assert canvas(page, 1)[0, 0, 2] == BLUE["Noisy"]
    check_shown(page, "L2")


def test_tasks_and_photographs_are_chosen_and_the_version_stays(page):
    page.get_by_role("tab", name="Mix").click()
    page.locator("[name=photograph]").select_option(NASTY)
    expect(page.locator(".stage canvas").first).to_have_attribute("aria-label", f"sr, {NASTY}: Mix")
    assert zoom(page) < 1  # it is larger than the stage, and all of it is seen
    assert canvas(page).shape[0] == canvas(page).shape[1]
    check_shown(page, "Mix")
    page.locator(".viewer [name=in]").click()
    assert canvas(page).shape[1] > canvas(page).shape[0]
    page.locator("[name=task]").select_option("jpeg")
    expect(page.get_by_role("tab")).to_have_count(3)
    check_shown(page, "Mix")
    page.get_by_role("tab", name="Noisy").click()
    page.locator("[name=task]").select_option("sr")
    expect(page.get_by_role("tab")).to_have_count(4)
    check_shown(page, "Noisy")
    page.get_by_role("tab", name="L2").click()
    page.locator("[name=task]").select_option("jpeg")
    expect(page.get_by_role("tab")).to_have_count(3)
    check_shown(page, "Mix")  # the first loss where L2 is missing


def test_a_strip_opens_the_viewer_at_its_window(page):
    page.get_by_role("button", name="Open in the viewer").click()
    expect(stage(page)).to_be_focused()
    seen = canvas(page)
    height, width = seen.shape[:2]
    assert tuple(seen[height // 2, width // 2, :2]) == (4 * 34, 6 * 24)
    assert zoom(page) > 20


def test_help_lists_the_keys(page):
    stage(page).focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("3")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    check_shown(page, "L2")  # keys under the list did nothing


# Curves


def ticks(page: Page) -> list[str]:
    return page.locator(".plot > svg text").all_text_contents()


def test_curves_zoom_by_dragging_and_come_back(page):
    x, y = middle(page.locator(".plot"))
    whole = ticks(page)
    assert "100 k" in whole
    page.mouse.move(x - 100, y - 80)
    page.mouse.down()
    page.mouse.move(x + 100, y + 80, steps=4)
    assert page.locator(".choice").count() == 1
    page.mouse.up()
    inside = ticks(page)
    assert inside != whole
    assert "100 k" not in inside
    assert "50 k" in inside
    page.mouse.dblclick(x, y)
    assert ticks(page) == whole
    page.mouse.wheel(0, -100)
    assert ticks(page) != whole
    page.keyboard.press("0")
    assert ticks(page) == whole
    page.keyboard.press("+")
    zoomed = ticks(page)
    page.keyboard.press("ArrowRight")
    assert whole != zoomed != ticks(page)
    page.get_by_role("button", name="Reset").click()
    assert ticks(page) == whole


def test_curves_tell_their_values_and_can_be_left_out(page):
    x, y = middle(page.locator(".plot"))
    page.mouse.move(x, y)
    tip = page.locator(".tip")
    assert re.sub(r"\s+", " ", tip.inner_text()) == "50,000 patches seen L2 1.00002 L1 0.5"
    whole = ticks(page)
    button = page.locator(".legend").get_by_role("button", name="L1")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator(".curve").count() == 1
    assert ticks(page) != whole  # the rest fills the diagram
    page.mouse.move(*middle(page.locator(".plot")))
    expect(tip).to_be_visible()
    assert "L1" not in tip.inner_text()
    button.click()
    assert ticks(page) == whole


def test_a_mark_stands_where_it_says(page):
    label = page.locator(".plot .marked")
    expect(label).to_have_text("switch")
    frame, mark = (page.locator(f".plot .{name}").bounding_box() for name in ("frame", "mark"))
    assert mark["x"] + mark["width"] / 2 == pytest.approx(frame["x"] + frame["width"] / 2, abs=1.5)


# The page


def test_details_unfold_by_mouse_and_keyboard(page):
    figure = page.get_by_text("sr: more").first
    expect(figure).to_be_hidden()
    page.locator(".ledger summary").first.click()
    expect(figure).to_be_visible()
    table = page.get_by_role("region", name="Folded")
    expect(table).to_be_hidden()
    page.locator(".fold > summary").focus()
    page.keyboard.press("Enter")
    expect(table).to_be_visible()


def luminance(colour: str) -> float:
    """WCAG's relative luminance of "rgb(r, g, b)"."""
    red, green, blue = (int(value) / 255 for value in re.findall(r"\d+", colour)[:3])
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (red, green, blue)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrasts(page: Page) -> dict[str, float]:
    """Of text with what it stands on, by selector."""
    found = {}
    for selector in (
        "p",
        ".notes li",
        ".interval",
        "td",
        "nav a",
        ".verdict",
        ".holds",
        ".fails",
        ".undecided",
        ".hint",
        "label",
    ):
        text = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        darker, lighter = sorted((luminance(text), luminance(ground)))
        found[selector] = (lighter + 0.05) / (darker + 0.05)
    return found


@pytest.mark.parametrize("settings", [{"color_scheme": scheme} for scheme in ("light", "dark")])
def test_light_and_dark_follow_the_system_until_one_is_chosen(page, settings):
    def dark() -> bool:
        return luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.5

    assert dark() == (settings["color_scheme"] == "dark")
    assert min(contrasts(page).values()) >= 4.5
    button = page.locator("#theme")
    for name, expected in (("light", False), ("dark", True)):
        button.click()
        assert button.inner_text() == f"Theme: {name}"
        assert dark() == expected
    button.click()
    assert dark() == (settings["color_scheme"] == "dark")


def test_the_chosen_theme_is_remembered(browser, address):
    """From a server: of a file, a busy Chromium loses what was stored, once in 60 times, whatever the page does."""
    with browser.new_context(color_scheme="light") as context:
        context.route("http://report.test/", lambda route: route.fulfill(path=address.removeprefix("file://")))
        page = context.new_page()
        page.goto("http://report.test/")
        button = page.locator("#theme")
        button.click()
        button.click()
        assert button.inner_text() == "Theme: dark"
        page.reload()
        assert button.inner_text() == "Theme: dark"


@pytest.mark.parametrize(
    "settings", [{"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}], ids=["phone"]
)
def test_a_phone_shows_all_and_zooms_by_pinching(page, settings):
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    table = page.get_by_role("region", name="Wide")
    assert table.evaluate("box => [box.scrollWidth > 390, getComputedStyle(box).overflowX]") == [True, "auto"]
    # Nothing sticks out but what lies in a box that scrolls.
    assert (
        page.evaluate("""[...document.querySelectorAll("main *")].filter(element =>
        !element.closest(".scroll, .tabs, svg, .spoken") && element.getBoundingClientRect().right > 390.5).length""")
        == 0
    )
    x, y = middle(stage(page))
    before = zoom(page)
    session = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", None)):
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert zoom(page) == pytest.approx(3 * before, rel=0.01)
    page.wait_for_timeout(500)  # right after two fingers, Chromium makes no click of a tap
    page.get_by_role("tab", name="truth").tap()
    check_shown(page, "truth")
    page.locator(".viewer [name=fit]").tap()
    expect(page.locator("output")).to_have_text(f"{100 * before:.3g} %")


@pytest.mark.parametrize("settings", [{"has_touch": True, "is_mobile": True}], ids=["phone"])
def test_a_tap_leaves_the_values_of_curves_to_be_read(page, settings):
    page.locator(".plot").tap()
    expect(page.locator(".tip")).to_be_visible()


def test_arrows_scroll_the_page_over_a_diagram_that_shows_all(page):
    page.mouse.move(*middle(page.locator(".plot")))
    before, drawn = page.evaluate("scrollY"), ticks(page)
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(500)
    assert page.evaluate("scrollY") > before
    assert ticks(page) == drawn


def test_names_are_harmless(page):
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("h1").inner_text() == f"Report {NASTY}"
    assert page.locator("select option", has_text=NASTY).count() == 1


def test_everything_has_a_name_and_headings_step_by_one(page):
    assert (
        page.evaluate("""[...document.querySelectorAll("button, select, [tabindex='0'], canvas")].filter(element =>
        !(element.ariaLabel || element.labels?.length || element.matches("button") && element.textContent.trim()) &&
        !element.closest("[hidden]")).length""")
        == 0
    )
    levels = [int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(h => h.tagName)")]
    assert levels[0] == 1
    assert max(np.diff(levels)) == 1
    page.get_by_role("navigation").get_by_role("link", name="All").click()
    assert page.locator("#section-1 h2").evaluate("heading => heading.getBoundingClientRect().top") < 200


def test_all_can_be_reached_by_the_tabulator_key(page):
    page.locator("[name=photograph]").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.role") == "tab"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent").endswith("Mix")
    check_shown(page, "Mix")
    page.keyboard.press("Tab")
    expect(stage(page)).to_be_focused()
