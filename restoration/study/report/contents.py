"""What a report says, as plain data: texts are shown as they are, without any markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from restoration.study.rendering import Table


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Claim:
    """A row of the ledger: what is claimed, what was measured in few words, what follows; folded, all the rest.

    Attributes:
        test: how it is tested.
        details: figures, a line each.
        pieces: the same of what it is made of, each for itself.
        mark: behind the verdict, told in the ledger's notes.
    """

    claim: str
    measured: str
    verdict: Verdict
    test: str = ""
    details: Sequence[str] = ()
    pieces: Sequence["Claim"] = ()
    mark: str = ""


@dataclass(frozen=True)
class Ledger:
    title: str
    claims: Sequence[Claim]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Series:
    """A curve; where y is not finite the line has a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"series {self.name!r} needs as many x as y, got {len(self.x)} and {len(self.y)}")


@dataclass(frozen=True)
class Curves:
    """Series in one diagram, for example a metric against patches seen; marks are upright lines with their names."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    notes: Sequence[str] = ()
    marks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Picture:
    """One photograph in one task.

    Attributes:
        versions: (H, W, 3) uint8 by title, in the order in which they are shown: degraded, each loss, truth.
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
        """What the losses made of it: neither the degraded version nor the truth."""
        return list(self.versions.values())[1:-1]


@dataclass(frozen=True)
class Viewer:
    """Pictures to flip through, at the same crop, down to the pixel."""

    title: str
    pictures: Sequence[Picture]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [(picture.task, picture.photograph) for picture in self.pictures]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"viewer {self.title!r} needs pictures, each of another task or photograph; got {names}: "
                "leave the viewer out, or let names tell the test set too"
            )


@dataclass(frozen=True)
class Strip:
    """One window of a picture in every version, and below each its difference to the truth, `gain` times."""

    picture: Picture
    window: tuple[slice, slice]
    gain: int = 4

    @property
    def title(self) -> str:
        rows, columns = self.window
        return f"{self.picture.task}: {self.picture.photograph}, rows {rows.start}–{rows.stop - 1}, columns " + (
            f"{columns.start}–{columns.stop - 1}"
        )

    @property
    def crops(self) -> dict[str, np.ndarray]:
        """(h, w, 3) uint8 by the version's title."""
        return {title: pixels[self.window] for title, pixels in self.picture.versions.items()}


@dataclass(frozen=True)
class Fold:
    """Blocks that are seen once one asks for them."""

    title: str
    blocks: Sequence["Block"]


Block = Table | Ledger | Curves | Viewer | Strip | Fold


@dataclass(frozen=True)
class Section:
    title: str
    paragraphs: Sequence[str] = ()
    blocks: Sequence[Block] = ()


@dataclass(frozen=True)
class Report:
    """A page: what it is about, what was found, and with what it was made, a line each."""

    title: str
    introduction: Sequence[str]
    sections: Sequence[Section]
    provenance: Sequence[str] = ()
