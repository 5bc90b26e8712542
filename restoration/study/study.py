"""A study as it lies in run folders: the main runs, and those of the parts of the paper's experiment beside them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from restoration.errors import UserError
from restoration.study.raw_tables import RawStudy, raw_folder, read_raw
from restoration.study.runs import Run, find_runs, read_baselines, read_scores
from restoration.study.scores import Scores

PARTS = {
    "third": "three seeds",
    "switching": "loss switching",
    "sigma": "SSIM's σ",
    "alpha": "the α of Mix",
    "adamw": "AdamW",
    "dense": "dense losses",
    "residual": "the residual network",
}


@dataclass(frozen=True)
class Study:
    """The complete, scored runs of one data set: those of the variant, and of the other parts of the experiment."""

    data: str
    variant: str
    runs: tuple[Run, ...]

    def part(self, name: str = "") -> list[Run]:
        """The runs of a part; of the main one without a name."""
        return [run for run in self.runs if run.variant == self.variant_of(name)]

    def variant_of(self, name: str) -> str:
        return f"{self.variant}-{name}" if name else self.variant

    @cached_property
    def records(self) -> pd.DataFrame:
        """Per image, of all variants; what no network takes part in is in the main one and in that of the seeds."""
        frames = [read_scores(self.runs)]
        for variant in (self.variant, self.variant_of("third")):
            firsts = {run.task: run for run in reversed(self.runs) if run.variant == variant}
            for run in firsts.values():
                frames += [rows.assign(variant=variant) for rows in read_baselines(run, read_scores([run]))]
        return pd.concat(frames, ignore_index=True)

    @cached_property
    def scores(self) -> Scores:
        """The records, for comparisons."""
        return Scores(self.records)

    @cached_property
    def raw(self) -> RawStudy | None:
        """What the main networks were found to make of real raw files."""
        return read_raw(raw_folder(self.runs[0].root, self.data, self.variant))

    def others(self) -> list[str]:
        """The names of the parts that are there, the main one left out."""
        return [name for name in PARTS if self.part(name)]

    def not_trained(self) -> list[str]:
        """The parts that are missing, in words."""
        return [words for name, words in PARTS.items() if not self.part(name)]


def read_study(root: Path, *, data: str | None = None, variant: str | None = None) -> Study:
    """The study of a data set and main variant: of those that are named, or else of the only ones there are."""
    runs = [run for run in find_runs(root, data=data) if (run.folder / "per_image.csv").exists()]
    studies = {(run.data, run.variant) for run in runs if variant in (None, run.variant)}
    if variant is None:
        studies = {
            (data, own)
            for data, own in studies
            if not any(own.startswith(f"{other}-") for its, other in studies if its == data)
        }
    if len(studies) != 1:
        every = sorted({(run.data, run.variant) for run in find_runs(root)})
        there = "\n".join(f"  DATA='{data}' BUDGET='{variant}'" for data, variant in every) or (
            "  none; train some: make study"
        )
        raise UserError(f"a study is of one data set and one budget: name both; trained in {root} are:\n{there}")
    ((data, variant),) = studies
    return Study(
        data,
        variant,
        tuple(
            run
            for run in runs
            if run.data == data and run.variant in (variant, *(f"{variant}-{part}" for part in PARTS))
        ),
    )
