"""Scores of the raw study as tables, and as what the claims are tested on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from restoration.files import write_csv, write_text
from restoration.scoring.metrics import METRICS, NOTE
from restoration.scoring.protocol import Protocol
from restoration.study.columns import UNTRAINED, columns_in_order, title_of
from restoration.study.raw_study import ENCODED, IN_LIGHT, TILE
from restoration.study.runs import read_records
from restoration.study.tables import ResultTable, averaged


@dataclass(frozen=True)
class RawStudy:
    """What was found of raw files: records with the columns of `runs.COLUMNS`, and lines about files and networks."""

    records: pd.DataFrame
    notes: tuple[str, ...]

    def claimed(self) -> pd.DataFrame:
        """The records that claim 10 is about: noise in a sensor's light, not the training's own."""
        return self.records[self.records["test_set"].str.startswith(IN_LIGHT)].reset_index(drop=True)

    def tables(self) -> list[ResultTable]:
        """A table for each kind of noise, as the records order them."""
        return [_table(str(name), scores, self.notes) for name, scores in self.records.groupby("test_set", sort=False)]


def raw_folder(root: Path, data: str, variant: str) -> Path:
    """Where the study of these runs lies; no run has a folder of this name."""
    return root / data / f"raw-{variant}"


def write_raw(study: RawStudy, folder: Path) -> None:
    write_csv(folder / "records.csv", study.records)
    write_text(folder / "notes.txt", "".join(f"{note}\n" for note in study.notes))


def read_raw(folder: Path) -> RawStudy | None:
    """What `write_raw` wrote; None where there is nothing."""
    if not (folder / "notes.txt").exists():
        return None
    notes = (folder / "notes.txt").read_text(encoding="utf-8").splitlines()
    return RawStudy(read_records(folder / "records.csv"), tuple(notes))


def _table(test_set: str, scores: pd.DataFrame, notes: Sequence[str]) -> ResultTable:
    columns = columns_in_order(set(scores["loss"]))
    metrics = [name for name in METRICS if name in set(scores["metric"])]
    means, spreads = averaged(scores, metrics, columns)
    seeds = sorted(scores.loc[~scores["loss"].isin(UNTRAINED), "seed"].unique())
    return ResultTable(
        folder=".",
        task="demosaic",
        test_set=test_set,
        title=f"demosaic on {test_set}: mean over {scores['image'].nunique()} tiles",
        header=(
            _noise(test_set),
            *notes,
            f"seeds {', '.join(map(str, seeds))}; tiles of {TILE} x {TILE} pixels that do not overlap: tiles of one "
            "photograph are not photographs",
            f"protocol: of each tile, {Protocol()}",
            NOTE,
        ),
        columns=tuple(map(title_of, columns)),
        metrics=tuple(metrics),
        means=means,
        spreads=spreads,
    )


def _noise(test_set: str) -> str:
    """What the name of a test set says, in words."""
    if test_set.startswith(ENCODED):
        return f"{test_set}: the training's own noise, on values with the sRGB curve; a control"
    return (
        f"{test_set}: noise of variance a y + b, a and b as named, added to the light of the binned raw file, then "
        "white balance and sRGB curve; BM3D is told a and b and works on light, blind BM3D works on encoded values "
        "with the training's a and b"
    )
