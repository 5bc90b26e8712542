"""The blocks of a page, as HTML. Texts are escaped: markup in a text is shown as text."""

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from restoration.study.rendering import Cell, Table
from restoration.study.report.crops import colour_table, difference_map
from restoration.study.report.photographs import Crops, Picture, Strip, Viewer

VERDICTS = {"supported": "for", "refuted": "against", "mixed": "mixed", "not known": "unknown"}  # classes of page.css
STACKED = 4  # a table with more columns becomes a list on a phone, as a table of words does
GAIN = 4  # a strip enlarges its differences by this factor


@dataclass(frozen=True)
class Figure:
    """An SVG of `restoration.study.figures`; `description` is the alternative text."""

    title: str
    svg: str
    description: str
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Fold:
    """Blocks behind a title that unfolds them."""

    title: str
    blocks: Sequence["Block"]


Block = Table | Figure | Crops | Strip | Viewer | Fold


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        files: text by name, written beside the page.
        folded: only the title is seen until it is clicked.
        warned: the paragraphs are a warning.
    """

    title: str
    paragraphs: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    folded: bool = False
    warned: bool = False


def markup(block: Block) -> str:
    """The block as HTML."""
    match block:
        case Table():
            return _headed(block.title, _scrolling(block.title, _table(block)), block.notes)
        case Figure():
            return _headed(block.title, _figure(block), block.notes)
        case Crops():
            figures = "".join(
                f"<figure><figcaption>{escape(title)}</figcaption>{_image(pixels, title)}</figure>"
                for title, pixels in block.crops.items()
            )
            return _headed(block.title, f'<div class="strip">{figures}</div>', block.notes)
        case Strip():
            return _headed(block.title, _strip(block))
        case Viewer():
            pictures = "".join(map(_picture, block.pictures))
            needed = "<noscript><p>The viewer needs JavaScript.</p></noscript>"
            return _headed(block.title, f'<div class="viewer">{pictures}{needed}</div>')
        case Fold():
            inner = "".join(map(markup, block.blocks))
            return f"<details><summary>{escape(block.title)}</summary>{inner}</details>\n"


def paragraphs(texts: Iterable[str], *, kind: str = "") -> str:
    return "".join(f'<p class="{kind}">{escape(text)}</p>' for text in texts)


def notes(lines: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>' if lines else ""


def as_json(content: object) -> str:
    """JSON that cannot end the script element around it."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def data_uri(pixels: np.ndarray) -> str:
    """(H, W, 3) uint8 as a lossless WebP inside an address."""
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "WEBP", lossless=True, quality=20, method=1)  # 4 times as fast, 2 % larger
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _headed(title: str, inner: str, lines: Sequence[str] = ()) -> str:
    return f"<h3>{escape(title)}</h3>{inner}{notes(lines)}\n"


def _scrolling(title: str, inner: str) -> str:
    """A box that scrolls if its content is wider than the page, also by arrow keys when the box has the focus."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">{inner}</div>'


def _table(table: Table) -> str:
    kinds = [*(["words"] if table.words else []), *(["stacked"] if table.words or len(table.columns) > STACKED else [])]
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(map(_cell, cells, table.columns))}</tr>\n'
        for name, cells in table.rows
    )
    return (
        f'<table class="{" ".join(kinds)}"><thead><tr><th scope="col"></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _cell(cell: Cell, column: str) -> str:
    """A cell with the title of its column, which a phone shows beside it; verdicts get colours."""
    text = f"<strong>{escape(cell.text)}</strong>" if cell.best else _coloured(cell.text)
    interval = "\n".join(map(_coloured, cell.interval.splitlines()))
    interval = f'<span class="interval">{interval}</span>' if interval else ""
    best = ' class="best"' if cell.best else ""
    return f'<td{best} data-column="{escape(column)}">{text}{interval}</td>'


def _coloured(text: str) -> str:
    before, colon, verdict = text.rpartition(": ")
    if verdict not in VERDICTS:
        return escape(text)
    return f'{escape(before + colon)}<span class="verdict {VERDICTS[verdict]}">{escape(verdict)}</span>'


def _figure(figure: Figure) -> str:
    """The drawing as an image, so that its styles are separate from the page and its security policy."""
    address = base64.b64encode(figure.svg.encode()).decode()
    return f'<img class="figure" src="data:image/svg+xml;base64,{address}" alt="{escape(figure.description)}">'


def _picture(picture: Picture) -> str:
    versions = []
    for title, pixels in picture.versions.items():
        psnr = picture.psnr(title)
        versions.append((title, data_uri(pixels), f"{psnr:.2f} dB" if math.isfinite(psnr) else ""))
    names = f'data-task="{escape(picture.task)}" data-photograph="{escape(picture.photograph)}"'
    return f'<script type="application/json" {names}>{as_json(versions)}</script>'


def _strip(strip: Strip) -> str:
    """A column for each version, its crop above the difference to the truth; the truth has the colour scale below."""
    *others, (last, truth) = strip.crops.items()
    columns = [
        (title, crop, difference_map(crop, truth, gain=GAIN), f"difference of {title} to the truth, × {GAIN}")
        for title, crop in others
    ]
    figures = "".join(
        f"<figure><figcaption>{escape(title)}</figcaption>{_image(crop, title)}{_image(map_, words)}</figure>"
        for title, crop, map_, words in columns
    )
    scale = (
        f'<img class="scale" src="{data_uri(colour_table()[None])}" alt="">'
        f'<span class="note">difference: 0 to {255 / GAIN:.4g} of 255 levels</span>'
    )
    figures += f"<figure><figcaption>{escape(last)}</figcaption>{_image(truth, last)}{scale}</figure>"
    place = escape(as_json(strip.place))
    opener = f'<button type="button" class="open" data-place="{place}" hidden>Open in the viewer</button>'
    return f'<div class="strip">{figures}</div>{opener if strip.viewed else ""}'


def _image(pixels: np.ndarray, description: str) -> str:
    height, width = pixels.shape[:2]
    return f'<img src="{data_uri(pixels)}" alt="{escape(description)}" width="{width}" height="{height}">'
