"""A report as one HTML file that needs no other, from disk or from anywhere."""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from restoration.files import write_text
from restoration.report.contents import (
    Block,
    Cell,
    Claim,
    Curves,
    Ledger,
    Picture,
    Report,
    Section,
    Series,
    Strip,
    Table,
    Verdict,
    Viewer,
)
from restoration.report.crops import colour_table, difference_map

SCRIPTS = ("picture.js", "viewer.js", "drawing.js", "curves.js", "page.js")
MARKS = {Verdict.HOLDS: "✓", Verdict.FAILS: "✗", Verdict.UNDECIDED: "?", Verdict.NOT_MEASURED: "–"}
CROP_WIDTH = 192  # of a strip's pictures on the page, at most, where they are enlarged: CSS pixels


def write_report(path: Path, report: Report) -> None:
    """Writes the page; the same report gives the same bytes."""
    style = _source("page.css")
    script = "\n".join(_source(name) for name in SCRIPTS)
    page = Template(_source("page.html")).substitute(
        title=escape(report.title),
        # A browser that obeys this loads nothing, and runs nothing but the two inline sources.
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        introduction=_paragraphs(report.introduction),
        contents="".join(
            f'<li><a href="#section-{number}">{escape(section.title)}</a></li>'
            for number, section in enumerate(report.sections, 1)
        ),
        sections="".join(_section(number, section) for number, section in enumerate(report.sections, 1)),
        provenance=_notes(report.provenance),
        colours=_json(colour_table().tolist()),
        scale=data_uri(colour_table()[None]),
    )
    write_text(path, page)


def data_uri(pixels: np.ndarray) -> str:
    """(H, W, 3) uint8 as a lossless WebP inside an address."""
    encoded = BytesIO()
    Image.fromarray(pixels).save(
        encoded, "WEBP", lossless=True, quality=20, method=1
    )  # 2 % larger and 4 times as fast as the default
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _section(number: int, section: Section) -> str:
    blocks = "".join(f'<section class="block">{_block(block)}</section>' for block in section.blocks)
    return (
        f'<section id="section-{number}"><h2>{escape(section.title)}</h2>'
        f"{_paragraphs(section.paragraphs)}{blocks}</section>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Table():
            return _table(block)
        case Ledger():
            return _ledger(block)
        case Curves():
            return _curves(block)
        case Viewer():
            return _viewer(block)
        case Strip():
            return _strip(block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(_cell(cell) for cell in cells)}</tr>'
        for name, cells in table.rows
    )
    table_ = f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<h3>{escape(table.title)}</h3>{_scrolling(table.title, table_)}{_notes(table.notes)}"


def _cell(cell: Cell) -> str:
    if cell.best:
        return f'<td class="best"><strong>{escape(cell.text)}</strong>{_interval(cell.interval)}</td>'
    return f"<td>{escape(cell.text)}{_interval(cell.interval)}</td>"


def _interval(text: str) -> str:
    return f'<span class="interval">{escape(text)}</span>' if text else ""


def _ledger(ledger: Ledger) -> str:
    counts = "".join(
        f'<li class="verdict {_name(verdict)}">{MARKS[verdict]} {count} {verdict}</li>'
        for verdict in Verdict
        if (count := sum(claim.verdict == verdict for claim in ledger.claims))
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Claim", "Test", "Measured", "Verdict"))
    rows = "".join(_claim(claim) for claim in ledger.claims)
    table = f'<table class="ledger"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        f'<h3>{escape(ledger.title)}</h3><ul class="verdicts">{counts}</ul>'
        f"{_scrolling(ledger.title, table)}{_notes(ledger.notes)}"
    )


def _claim(claim: Claim) -> str:
    return (
        f'<tr><th scope="row">{escape(claim.claim)}</th><td>{escape(claim.test)}</td>'
        f"<td>{escape(claim.measured)}{_interval(claim.interval)}</td>"
        f'<td><span class="verdict {_name(claim.verdict)}">{MARKS[claim.verdict]} {claim.verdict}</span></td></tr>'
    )


def _name(verdict: Verdict) -> str:
    return verdict.name.lower().replace("_", "-")


def _curves(curves: Curves) -> str:
    content = {
        "title": curves.title,
        "xLabel": curves.x_label,
        "yLabel": curves.y_label,
        "series": [{"name": series.name, "points": _points(series)} for series in curves.series],
    }
    return (
        f'<h3>{escape(curves.title)}</h3><div class="chart">{_data(content)}'
        f"<noscript><p>This diagram needs JavaScript.</p></noscript></div>{_notes(curves.notes)}"
    )


def _points(series: Series) -> list[tuple[float, float | None]]:
    """Pairs of x and y in the order of x; JSON knows no NaN."""
    pairs = sorted(zip(map(float, series.x), map(float, series.y), strict=True), key=itemgetter(0))
    return [(x, y if math.isfinite(y) else None) for x, y in pairs]


def _viewer(viewer: Viewer) -> str:
    return (
        f'<h3>{escape(viewer.title)}</h3><div class="viewer">'
        f"{''.join(_picture(picture) for picture in viewer.pictures)}"
        f"<noscript><p>The viewer needs JavaScript.</p></noscript></div>{_notes(viewer.notes)}"
    )


def _picture(picture: Picture) -> str:
    versions = [(title, data_uri(pixels)) for title, pixels in picture.versions.items()]
    return _data(versions, f'data-task="{escape(picture.task)}" data-photograph="{escape(picture.photograph)}"')


def _strip(strip: Strip) -> str:
    """Columns of crop and difference map; below the truth stands the scale of the differences."""
    *others, truth = strip.crops.items()
    columns = "".join(
        f"<figure>{_crop(title, crop)}"
        f"{_image(difference_map(crop, truth[1], gain=strip.gain), f'difference of {title} to the truth')}</figure>"
        for title, crop in others
    )
    legend = (
        f'<div class="scale"><img src="{data_uri(colour_table()[None])}" alt=""><div><span>0</span>'
        f"<span>{255 / strip.gain:.4g}</span></div>difference to the truth, 8-bit levels</div>"
    )
    rows, columns_ = strip.window
    place = {"task": strip.picture.task, "photograph": strip.picture.photograph}
    place |= {"top": rows.start, "left": columns_.start, "height": rows.stop - rows.start}
    place |= {"width": columns_.stop - columns_.start}
    return (
        f'<h3>{escape(strip.title)}</h3><div class="strip">{columns}<figure>{_crop(*truth)}{legend}</figure></div>'
        f'<button type="button" class="open" hidden>Open in the viewer{_data(place)}</button>'
    )


def _crop(title: str, crop: np.ndarray) -> str:
    return f"<figcaption>{escape(title)}</figcaption>{_image(crop, title)}"


def _image(pixels: np.ndarray, description: str) -> str:
    height, width = pixels.shape[:2]
    times = max(CROP_WIDTH // width, 1)  # whole, so that all pixels are of one size
    return (
        f'<img src="{data_uri(pixels)}" alt="{escape(description)}" width="{times * width}" height="{times * height}">'
    )


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def _notes(lines: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>' if lines else ""


def _scrolling(title: str, inner: str) -> str:
    """A part that may be wider than a telephone, which the page is not; it can be focused, so that keys scroll it."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">{inner}</div>'


def _data(content: object, attributes: str = "") -> str:
    return f'<script type="application/json" {attributes}>{_json(content)}</script>'


def _json(content: object) -> str:
    """JSON in which nothing can end the script element that holds it."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _source(name: str) -> str:
    return files("restoration.report").joinpath(name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    """How a content security policy names an inline source."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
