"""A data set to look at: what it holds in numbers, a contact sheet, and a page with every photograph."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from restoration.datasets.pack import in_parallel
from restoration.datasets.photos import PackedPhotos
from restoration.files import replacing, write_text

THUMBNAIL = 160  # longer side on the page, pixels
SMALL, PER_ROW, TITLE_HEIGHT = 96, 20, 32  # on the contact sheet

STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { max-width: 1200px; margin: 1.5rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #8886 }
td:first-child, th:first-child { text-align: left; padding-left: 0 } .scroll { overflow-x: auto }
.grid { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end }
figure { margin: 0; width: 160px } img { display: block; max-width: 100% }
figcaption { font-size: 11px; overflow-wrap: anywhere; opacity: .75 }
"""


@dataclass(frozen=True)
class Facts:
    """What photographs are like; colours as red, green, blue in 8-bit levels.

    Attributes:
        black, white: share of the values that are 0 and 255.
    """

    photographs: int
    sizes: str
    megapixels: float
    megabytes: float
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    black: float
    white: float
    hash: str

    def shown(self) -> dict[str, str]:
        """What a person reads, by its title."""
        mean, spread = (" ".join(f"{value:.0f}" for value in values) for values in (self.mean, self.spread))
        return {
            "photographs": f"{self.photographs:,}",
            "sizes": self.sizes,
            "megapixels": f"{self.megapixels:,.1f}",
            "MB": f"{self.megabytes:,.0f}",
            "mean of R, G, B": mean,
            "deviation of R, G, B": spread,
            "values at 0": f"{100 * self.black:.2f} %",
            "values at 255": f"{100 * self.white:.2f} %",
            "hash": self.hash[:12],
        }


def in_columns(known: Mapping[str, Facts]) -> list[list[str]]:
    """Rows of a table with a column for each role: the titles first."""
    columns = [facts.shown() for facts in known.values()]
    return [["", *known], *([title, *(column[title] for column in columns)] for title in columns[0])]


def facts(photos: PackedPhotos) -> Facts:
    """Counts, sizes and colour statistics."""
    counts = np.zeros((3, 256), dtype=np.int64)
    for histogram in in_parallel(lambda index: _histogram(photos.array(index)), range(len(photos))):
        counts += histogram
    levels = np.arange(256)
    pixels = counts[0].sum()
    mean = counts @ levels / pixels
    spread = np.sqrt(counts @ levels**2 / pixels - mean**2)
    black, white = counts[:, [0, 255]].sum(axis=0) / counts.sum()
    return Facts(
        len(photos),
        _sizes(photos),
        pixels / 1e6,
        3 * pixels / 1e6,
        tuple(mean),
        tuple(spread),
        float(black),
        float(white),
        photos.key,
    )


def _sizes(photos: PackedPhotos) -> str:
    """The two commonest sizes and how many others there are."""
    common = Counter(f"{width}x{height}" for height, width in photos.sizes.tolist()).most_common()
    others = [f"{len(common) - 2} others"] if len(common) > 2 else []
    return ", ".join([*(size for size, _ in common[:2]), *others])


def _histogram(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> how often each level occurs in each channel, (3, 256)."""
    return np.stack([np.bincount(photo[..., channel].ravel(), minlength=256) for channel in range(3)])


def write_page(title: str, parts: Mapping[str, PackedPhotos], known: Mapping[str, Facts], folder: Path) -> None:
    """Writes contact_sheet.png and index.html, which needs no other file.

    Args:
        parts: the photographs by role.
        known: their facts by role.
    """
    sheets, sections = [], []
    for role, photos in parts.items():
        thumbnails = list(in_parallel(lambda index, photos=photos: _thumbnail(photos.array(index)), range(len(photos))))
        sheets.append(_sheet(role, thumbnails))
        figures = [
            f'<figure><img src="{_data_url(thumbnail)}" alt="" loading="lazy">'
            f"<figcaption>{escape(name)}<br>{width} × {height}</figcaption></figure>"
            for thumbnail, name, (height, width) in zip(thumbnails, photos.names, photos.sizes.tolist(), strict=True)
        ]
        sections.append(f'<h2>{escape(role)}: {len(photos)}</h2><div class="grid">{"".join(figures)}</div>')
    with replacing(folder / "contact_sheet.png") as temporary:
        _stacked(sheets).save(temporary)
    write_text(folder / "index.html", _html(title, known, sections))


def _html(title: str, known: Mapping[str, Facts], sections: Sequence[str]) -> str:
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in in_columns(known))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>"
        f'<div class="scroll"><table>{rows}</table></div>{"".join(sections)}</html>\n'
    )


def _thumbnail(photo: np.ndarray) -> Image.Image:
    image = Image.fromarray(photo)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return image


def _data_url(image: Image.Image) -> str:
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _sheet(role: str, thumbnails: Sequence[Image.Image]) -> Image.Image:
    """A title and the photographs, each in the middle of a square."""
    cell = SMALL + 4
    rows = -(-len(thumbnails) // PER_ROW)
    sheet = Image.new("RGB", (PER_ROW * cell, TITLE_HEIGHT + rows * cell), "#222")
    ImageDraw.Draw(sheet).text((6, 6), f"{role}: {len(thumbnails)} photographs", fill="white", font_size=18)
    for number, thumbnail in enumerate(thumbnails):
        image = ImageOps.contain(thumbnail, (SMALL, SMALL))
        row, column = divmod(number, PER_ROW)
        left, top = column * cell + (cell - image.width) // 2, TITLE_HEIGHT + row * cell + (cell - image.height) // 2
        sheet.paste(image, (left, top))
    return sheet


def _stacked(sheets: Sequence[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (sheets[0].width, sum(sheet.height for sheet in sheets)))
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole
