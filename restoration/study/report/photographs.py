"""Photographs of the report: a picture in every version, and its windows in which the losses differ most."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from restoration.study.report.crops import CONTRAST, contrasted, flat_window, most_different_crops

CROP, CROPS = 64, 2  # side of a strip's window in pixels, and number of windows for each task
SIDE = 52  # of a window in a flat area: the 17 x 17 pixels that the network sees, three times


@dataclass(frozen=True)
class Picture:
    """One photograph in one task.

    Attributes:
        versions: (H, W, 3) uint8 by title: degraded, each loss, truth.
    """

    task: str
    photograph: str
    versions: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        where = f"{self.task}, {self.photograph}"
        if len(self.versions) < 2:
            raise ValueError(f"{where}: a degraded version and the truth are needed, got {list(self.versions)}")
        for title, pixels in self.versions.items():
            if pixels.dtype != np.uint8 or pixels.shape != (*self.truth.shape[:2], 3):
                raise ValueError(
                    f"{where}: all versions must be (H, W, 3) uint8 of one size, got {title!r} as {pixels.shape} "
                    f"{pixels.dtype} beside a truth of {self.truth.shape}"
                )

    @property
    def truth(self) -> np.ndarray:
        return list(self.versions.values())[-1]

    @property
    def restored(self) -> list[np.ndarray]:
        """The version of each loss."""
        return list(self.versions.values())[1:-1]

    def psnr(self, title: str) -> float:
        """PSNR of a version in dB; infinite for the truth."""
        error = float(np.mean((self.versions[title].astype(float) - self.truth) ** 2))
        return 10 * math.log10(255**2 / error) if error else math.inf


@dataclass(frozen=True)
class Crops:
    """Crops (h, w, 3) uint8 by title, side by side."""

    title: str
    crops: Mapping[str, np.ndarray]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Viewer:
    """Pictures of several tasks or photographs, each in all versions at one crop; a page has at most one viewer."""

    title: str
    pictures: Sequence[Picture]

    def __post_init__(self) -> None:
        names = [(picture.task, picture.photograph) for picture in self.pictures]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"viewer {self.title!r} needs pictures of different names, got {names}")


@dataclass(frozen=True)
class Strip:
    """One window of a picture in every version; `viewed`: the page's viewer also has this picture."""

    picture: Picture
    window: tuple[slice, slice]
    viewed: bool = True

    @property
    def title(self) -> str:
        rows, columns = self.window
        return f"{self.picture.task}: {self.picture.photograph}, rows {rows.start}–{rows.stop - 1}, columns " + (
            f"{columns.start}–{columns.stop - 1}"
        )

    @property
    def place(self) -> dict[str, str | int]:
        rows, columns = self.window
        window = {"top": rows.start, "left": columns.start}
        window |= {"height": rows.stop - rows.start, "width": columns.stop - columns.start}
        return {"task": self.picture.task, "photograph": self.picture.photograph, **window}

    @property
    def crops(self) -> dict[str, np.ndarray]:
        """(h, w, 3) uint8 by the version's title."""
        return {title: pixels[self.window] for title, pixels in self.picture.versions.items()}


def strips(pictures: Sequence[Picture], *, viewed: bool) -> Iterator[Strip]:
    """The windows of each task's first picture in which its losses differ most."""
    for _, group in groupby(pictures, key=lambda picture: picture.task):
        picture = next(group)
        if len(picture.restored) > 1:
            for window in most_different_crops(picture.restored, picture.truth, side=CROP, count=CROPS):
                yield Strip(picture, window, viewed)


def flat_crops(pictures: Sequence[Picture], losses: Sequence[str]) -> Crops:
    """One flat area, with raised contrast: the input, these losses and the truth.

    The window is the one of all pictures in which the first and the last loss differ most, see `flat_window`.

    Args:
        pictures: of one task; all have these losses.
        losses: two or more titles.
    """
    differing = [
        flat_window(each.versions[losses[0]], each.versions[losses[-1]], each.truth, side=SIDE) for each in pictures
    ]
    number = max(range(len(pictures)), key=lambda index: differing[index][0])
    picture, (level, window) = pictures[number], differing[number]
    degraded, *_, truth = picture.versions
    crops = {
        title: contrasted(picture.versions[title][window], picture.truth[window])
        for title in (degraded, *losses, truth)
    }
    note = (
        f"flat area of {picture.photograph}, contrast × {CONTRAST}; chosen by a rule: of the windows with the most "
        f"flat pixels, the one in which {losses[0]} and {losses[-1]} differ most ({level:.1f} of 255 levels)"
    )
    return Crops(picture.task, crops, [note])
