"""The blocks of a report as HTML."""

import base64
import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from operator import itemgetter

import numpy as np
from PIL import Image

from restoration.study.rendering import Cell, Table
from restoration.study.report.contents import (
    Block,
    Claim,
    Curves,
    Fold,
    Ledger,
    Picture,
    Series,
    Strip,
    Verdict,
    Viewer,
)
from restoration.study.report.crops import colour_table, difference_map
from restoration.study.statements import MARKS

CROP_WIDTH = 192  # of a strip's pictures on the page, at most, where they are enlarged: CSS pixels


def markup(block: Block) -> str:
    """The block as HTML, without what is around it."""
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
        case Fold():
            return _fold(block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(_cell(cell) for cell in cells)}</tr>'
        for name, cells in table.rows
    )
    table_ = f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<h3>{escape(table.title)}</h3>{_scrolling(table.title, table_)}{notes(table.notes)}"


def _cell(cell: Cell) -> str:
    if cell.best:
        return f'<td class="best"><strong>{escape(cell.text)}</strong>{_interval(cell.interval)}</td>'
    return f"<td>{escape(cell.text)}{_interval(cell.interval)}</td>"


def _interval(text: str) -> str:
    return f'<span class="interval">{escape(text)}</span>' if text else ""


def _fold(fold: Fold) -> str:
    inner = "".join(f'<div class="block">{markup(block)}</div>' for block in fold.blocks)
    return f'<details class="fold"><summary>{escape(fold.title)}</summary>{inner}</details>'


def _ledger(ledger: Ledger) -> str:
    counts = "".join(
        f'<li class="verdict {_name(verdict)}">{MARKS[verdict]} {count} {verdict}</li>'
        for verdict in Verdict
        if (count := sum(claim.verdict == verdict for claim in ledger.claims))
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Verdict", "Claim", "Measured"))
    rows = "".join(
        f'<tr><td>{_verdict(claim)}</td><th scope="row">{escape(claim.claim)}</th><td>{_measured(claim)}</td></tr>'
        for claim in ledger.claims
    )
    table = f'<table class="ledger"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        f'<h3>{escape(ledger.title)}</h3><ul class="verdicts">{counts}</ul>'
        f"{_scrolling(ledger.title, table)}{notes(ledger.notes)}"
    )


def _verdict(claim: Claim) -> str:
    words = f"{MARKS[claim.verdict]} {claim.verdict}{escape(claim.mark)}"
    return f'<span class="verdict {_name(claim.verdict)}">{words}</span>'


def _measured(claim: Claim) -> str:
    """The few words, which unfold to the test, the figures and the pieces."""
    pieces = "".join(
        f"<h4>{_verdict(piece)} {escape(piece.claim)}: {escape(piece.measured)}</h4>{_figures(piece)}"
        for piece in claim.pieces
    )
    test = f"<p>{escape(claim.test)}</p>" if claim.test else ""
    return f"<details><summary>{escape(claim.measured)}</summary>{test}{_figures(claim)}{pieces}</details>"


def _figures(claim: Claim) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in claim.details)}</ul>" if claim.details else ""


def _name(verdict: Verdict) -> str:
    return verdict.name.lower().replace("_", "-")


def _curves(curves: Curves) -> str:
    content = {
        "title": curves.title,
        "xLabel": curves.x_label,
        "yLabel": curves.y_label,
        "marks": [[float(x), name] for x, name in curves.marks],
        "series": [{"name": series.name, "points": _points(series)} for series in curves.series],
    }
    return (
        f'<h3>{escape(curves.title)}</h3><div class="chart">{_data(content)}'
        f"<noscript><p>This diagram needs JavaScript.</p></noscript></div>{notes(curves.notes)}"
    )


def _points(series: Series) -> list[tuple[float, float | None]]:
    """Pairs of x and y in the order of x; JSON knows no NaN."""
    pairs = sorted(zip(map(float, series.x), map(float, series.y), strict=True), key=itemgetter(0))
    return [(x, y if math.isfinite(y) else None) for x, y in pairs]


def _viewer(viewer: Viewer) -> str:
    return (
        f'<h3>{escape(viewer.title)}</h3><div class="viewer">'
        f"{''.join(_picture(picture) for picture in viewer.pictures)}"
        f"<noscript><p>The viewer needs JavaScript.</p></noscript></div>{notes(viewer.notes)}"
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


def paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def notes(lines: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>' if lines else ""


def _scrolling(title: str, inner: str) -> str:
    """A part that may be wider than a telephone, which the page is not; it can be focused, so that keys scroll it."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">{inner}</div>'


def _data(content: object, attributes: str = "") -> str:
    return f'<script type="application/json" {attributes}>{as_json(content)}</script>'


def as_json(content: object) -> str:
    """JSON in which nothing can end the script element that holds it."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def data_uri(pixels: np.ndarray) -> str:
    """(H, W, 3) uint8 as a lossless WebP inside an address."""
    encoded = BytesIO()
    Image.fromarray(pixels).save(
        encoded, "WEBP", lossless=True, quality=20, method=1
    )  # 2 % larger and 4 times as fast as the default
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
