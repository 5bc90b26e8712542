"""Photographs of the report: a picture in every version, and its windows in which the losses differ most."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from restoration.study.report.crops import most_different_crops

CROP, CROPS = 64, 2  # pixels a side of a strip's window, and how many windows of each task


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
    """One window of a picture in every version; `viewed`: the viewer of the page has this picture, too."""

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
