"""A data set to look at: its facts as a table, a contact sheet, and a page with every photograph."""

import base64
from collections import Counter
from collections.abc import Mapping
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from restoration.datasets.pack import in_parallel
from restoration.datasets.photos import PackedPhotos
from restoration.files import replacing, write_text

THUMBNAIL = 160  # longer side on the page, pixels
CELL, PER_ROW = 100, 20  # of the contact sheet

STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { max-width: 1200px; margin: 1.5rem auto; padding: 0 1rem }
table { border-collapse: collapse } td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #8886 }
td:first-child { text-align: left; padding-left: 0 } .scroll { overflow-x: auto }
.grid { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end }
figure { margin: 0; width: 160px } img { display: block; max-width: 100% }
figcaption { font-size: 11px; overflow-wrap: anywhere; opacity: .75 }
"""


def facts(photos: PackedPhotos) -> dict[str, str]:
    """Number, sizes and colour statistics of photographs, as text, by title; levels are those of 8 bits."""
    counts = sum(in_parallel(lambda index: _histogram(photos.array(index)), range(len(photos))), np.zeros((3, 256)))
    pixels = counts[0].sum()
    mean = counts @ np.arange(256) / pixels
    deviation = np.sqrt(counts @ np.arange(256) ** 2 / pixels - mean**2)
    black, white = counts[:, [0, 255]].sum(axis=0) / counts.sum()
    common = Counter(f"{width}x{height}" for height, width in photos.sizes.tolist()).most_common()
    others = [f"{len(common) - 2} others"] if len(common) > 2 else []
    return {
        "photographs": f"{len(photos):,}",
        "sizes": ", ".join([*(size for size, _ in common[:2]), *others]),
        "megapixels": f"{pixels / 1e6:,.1f}",
        "MB": f"{3 * pixels / 1e6:,.0f}",
        "mean of R, G, B": " ".join(f"{value:.0f}" for value in mean),
        "deviation of R, G, B": " ".join(f"{value:.0f}" for value in deviation),
        "values at 0": f"{100 * black:.2f} %",
        "values at 255": f"{100 * white:.2f} %",
        "hash": photos.key[:12],
    }


def facts_table(parts: Mapping[str, PackedPhotos]) -> list[list[str]]:
    """Rows of text: the head, then a row for each fact with a column for each part."""
    columns = [facts(photos) for photos in parts.values()]
    return [["", *parts], *([title, *(column[title] for column in columns)] for title in columns[0])]


def write_page(title: str, parts: Mapping[str, PackedPhotos], table: list[list[str]], folder: Path) -> None:
    """Writes contact_sheet.png and index.html, which needs no other file.

    Args:
        parts: the photographs by role.
        table: rows of their facts.
    """
    shown, sections = [], []
    for role, photos in parts.items():
        thumbnails = list(in_parallel(lambda index, photos=photos: _thumbnail(photos.array(index)), range(len(photos))))
        shown += thumbnails
        figures = [
            f'<figure><img src="{_data_url(thumbnail)}" alt="" loading="lazy">'
            f"<figcaption>{escape(name)}<br>{width} × {height}</figcaption></figure>"
            for thumbnail, name, (height, width) in zip(thumbnails, photos.names, photos.sizes.tolist(), strict=True)
        ]
        sections.append(f'<h2>{escape(role)}: {len(photos)}</h2><div class="grid">{"".join(figures)}</div>')
    with replacing(folder / "contact_sheet.png") as temporary:
        _contact_sheet(shown).save(temporary, "PNG")
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table)
    write_text(
        folder / "index.html",
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>"
        f'<div class="scroll"><table>{rows}</table></div>{"".join(sections)}</html>\n',
    )


def _histogram(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> how often each level occurs in each channel, (3, 256)."""
    return np.stack([np.bincount(photo[..., channel].ravel(), minlength=256) for channel in range(3)])


def _thumbnail(photo: np.ndarray) -> Image.Image:
    image = Image.fromarray(photo)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return image


def _data_url(image: Image.Image) -> str:
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _contact_sheet(thumbnails: list[Image.Image]) -> Image.Image:
    """The photographs in order, each in the middle of a square."""
    sheet = Image.new("RGB", (PER_ROW * CELL, -(-len(thumbnails) // PER_ROW) * CELL), "#222")
    for number, thumbnail in enumerate(thumbnails):
        row, column = divmod(number, PER_ROW)
        square = ImageOps.pad(thumbnail, (CELL - 4, CELL - 4), color="#222")
        sheet.paste(square, (column * CELL + 2, row * CELL + 2))
    return sheet
