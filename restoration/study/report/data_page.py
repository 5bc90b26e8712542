"""Shows a data set: facts, a contact sheet, and a page with every photograph and degraded examples."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from restoration.datasets.pack import in_parallel
from restoration.datasets.photos import PackedPhotos
from restoration.files import replacing, write_text
from restoration.scoring.evaluate import degraded_photo
from restoration.study.report.drawing import CPU, pixels_of
from restoration.tasks import Task

THUMBNAIL, LARGE = 160, 1200  # longer sides of thumbnails and of the larger views, pixels
SIDE = 240  # of the crops that show degraded inputs
CELL, PER_ROW = 100, 20  # of the contact sheet

STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { max-width: 1200px; margin: 1.5rem auto; padding: 0 1rem }
table { border-collapse: collapse } td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #8886 }
td:first-child { text-align: left; padding-left: 0 } .scroll { overflow-x: auto }
.grid { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end }
figure { margin: 0; width: 160px } img { display: block; max-width: 100% }
.inputs figure { width: 240px }
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


def write_page(
    title: str, parts: Mapping[str, PackedPhotos], table: list[list[str]], tasks: Mapping[str, Task], folder: Path
) -> None:
    """Writes contact_sheet.png, index.html, and a larger view of each photograph, linked from its thumbnail.

    Args:
        parts: the photographs by role.
        table: rows of their facts.
        tasks: by title; the centre of the first photograph is shown as each task degrades it.
    """
    shown, sections = [], []
    for number, (role, photos) in enumerate(parts.items()):
        paths = [f"photographs/{number}-{index}.jpg" for index in range(len(photos))]
        thumbnails = list(in_parallel(partial(_views, photos, folder, paths), range(len(photos))))
        shown += thumbnails
        captions = [
            f"{escape(name)}<br>{width} × {height}"
            for name, (height, width) in zip(photos.names, photos.sizes.tolist(), strict=True)
        ]
        descriptions = [f"photograph {name}" for name in photos.names]
        figures = map(_figure, thumbnails, descriptions, captions, paths)
        sections.append(f'<h2>{escape(role)}: {len(photos)}</h2><div class="grid">{"".join(figures)}</div>')
    with replacing(folder / "contact_sheet.png") as temporary:
        _contact_sheet(shown).save(temporary, "PNG")
    inputs = [_figure(image, text, escape(text)) for text, image in _inputs(next(iter(parts.values())), tasks).items()]
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table)
    write_text(
        folder / "index.html",
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>"
        f'<div class="scroll"><table>{rows}</table></div>'
        f'<h2>What the networks get</h2><div class="grid inputs">{"".join(inputs)}</div>{"".join(sections)}</html>\n',
    )


def _figure(image: Image.Image, description: str, caption: str, larger: str = "") -> str:
    """An image with an alternative text, a caption in HTML and a link to a larger view."""
    shown = f'<img src="{_data_url(image)}" alt="{escape(description)}" loading="lazy">'
    shown = f'<a href="{larger}">{shown}</a>' if larger else shown
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def _inputs(photos: PackedPhotos, tasks: Mapping[str, Task]) -> dict[str, Image.Image]:
    """The centre of the first photograph, and its degraded version for each task."""
    versions = {"photograph": photos.image(0)}
    versions |= {f"input of {title}": degraded_photo(task, photos, 0, CPU)[0] for title, task in tasks.items()}
    height, width = versions["photograph"].shape[1:]
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    window = (..., slice(top, top + SIDE), slice(left, left + SIDE))
    return {title: Image.fromarray(pixels_of(image[window])) for title, image in versions.items()}


def _histogram(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> how often each level occurs in each channel, (3, 256)."""
    return np.stack([np.bincount(photo[..., channel].ravel(), minlength=256) for channel in range(3)])


def _views(photos: PackedPhotos, folder: Path, paths: Sequence[str], index: int) -> Image.Image:
    """Writes the larger view of a photograph as JPEG; returns the thumbnail."""
    image = Image.fromarray(photos.array(index))
    image.thumbnail((LARGE, LARGE))
    with replacing(folder / paths[index]) as temporary:
        image.save(temporary, "JPEG", quality=90)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return image


def _data_url(image: Image.Image) -> str:
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _contact_sheet(thumbnails: list[Image.Image]) -> Image.Image:
    """The photographs in order, each in the middle of a square."""
    sheet = Image.new("RGB", (PER_ROW * CELL, -(-len(thumbnails) // PER_ROW) * CELL), "#222")
    for number, thumbnail in enumerate(thumbnails):
        row, column = divmod(number, PER_ROW)
        square = ImageOps.pad(thumbnail, (CELL - 4, CELL - 4), color="#222")
        sheet.paste(square, (column * CELL + 2, row * CELL + 2))
    return sheet
