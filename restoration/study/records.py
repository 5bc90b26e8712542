"""A study as tables: the scores, settings and curves of every training.

One study is one data set and one variant (a budget, or a name that the user gave). It has parts: "main", and those of a
larger experiment ("seeds", "alpha", ...). Settings that vary between trainings are columns; the trainer writes them
from the configuration. Names are never parsed for settings. This module imports neither PyTorch nor matplotlib.

Files of a saved study:
    scores.csv.xz   a row per value
    runs.jsonl      a line per training, with its whole configuration
    curves.csv.xz   validation and test curves, shares of the gradient
    study.json      data, variant, facts of test sets, notes
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from restoration.errors import UserError
from restoration.files import write_csv, write_text
from restoration.names import RATES, UNTRAINED, ordered_parts, ordered_tasks
from restoration.study.curves import CURVE, read_curves
from restoration.study.runs import Run, baselines_beside, find_runs, read_scores, read_scoring, read_table

RUN = ["part", "task", "loss", "seed"]  # columns that identify a training within its study
VARYING = ["alpha", "l1_scale", "sigma", "learning_rate", "model", "optimizer", "patches"]
SCORE = ["part", "task", "test_set", "loss", "seed", "image", "metric", "value"]
NO_SEED = -1
SAME = 1e-6  # relative difference up to which two values count as equal


@dataclass(frozen=True)
class Study:
    """The tables of one data set and variant.

    Attributes:
        scores: columns data, SCORE and VARYING. The degraded input and baselines are not trained: they are stored once
            for each task and test set, with part "" and seed -1, and belong to every part.
        runs: columns RUN, VARYING, title, family, batch, precision, hardware, seconds, commit, photographs,
            photographs_hash, protocol, degradation, test_sets, versions, config.
        read_curves: reads `curves` at the first access, because the events of many runs take seconds.
        test_sets: facts by name: title, images; for real raw files also noise, noise_a, noise_b.
        notes: lines of text about the study.
    """

    data: str
    variant: str
    scores: pd.DataFrame
    runs: pd.DataFrame
    read_curves: Callable[[], pd.DataFrame]
    test_sets: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.data}-{self.variant}"

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Columns CURVE; tags are val/<metric>, test/<test set>/<metric> and train/gradient_share/<term>."""
        return self.read_curves().sort_values(CURVE[:-1], ignore_index=True)

    @cached_property
    def parts(self) -> list[str]:
        """The parts with a training, in order; "raw" if real raw files are scored."""
        return ordered_parts(set(self.scores["part"].unique()) - {""})

    @cached_property
    def tasks(self) -> list[str]:
        return ordered_tasks(self.scores["task"].unique())

    def title(self, loss: str) -> str:
        """The title of a trained loss in tables; the loss's name is added if several losses have the same title."""
        runs = self.runs[self.runs["part"] != RATES]
        titles = runs.loc[runs["loss"] == loss, "title"]
        if titles.empty:
            return loss
        title = str(titles.iloc[0])
        return title if set(runs.loc[runs["title"] == title, "loss"]) == {loss} else f"{title} ({loss})"

    @classmethod
    def collect(cls, root: Path, *, data: str | None = None, variant: str | None = None) -> "Study":
        """Reads the complete, scored trainings below `root`, of one data set and variant.

        Args:
            data, variant: names; None if there is only one below `root`.

        Raises:
            UserError: there is no such study, or more than one; or its trainings were scored in different ways.
        """
        runs = _runs_of_one_study(root, data, variant)
        facts = pd.DataFrame([run.facts() for run in runs])
        tested = facts[facts["test_sets"].map(bool)]  # short trainings that search a rate are only validated
        _check_scored_alike(tested)
        tables = [read_scores(run).assign(part=run.part) for run in runs]
        tables += [scores for task in tested["task"].unique() for scores in _baselines(runs, task)]
        raw_scores, raw_sets, notes = _raw(root / runs[0].data / f"raw-{runs[0].study}")
        scores = _without_duplicates(pd.concat([*tables, *raw_scores], ignore_index=True)[SCORE])
        images = scores.groupby("test_set")["image"].nunique()
        sets = {name: {"title": name, **raw_sets.get(name, {}), "images": int(images[name])} for name in images.index}

        def curves() -> pd.DataFrame:
            return pd.concat(map(read_curves, runs), ignore_index=True)

        return _sorted(cls(runs[0].data, runs[0].study, scores, facts, curves, sets, tuple(notes)))

    @classmethod
    def load(cls, folder: Path) -> "Study":
        """Reads the files that `save` wrote into `folder`."""
        if not (folder / "study.json").exists():
            raise UserError(f"{folder} holds no study: study.json is missing")
        facts = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        lines = (folder / "runs.jsonl").read_text(encoding="utf-8").splitlines()
        runs = pd.DataFrame([json.loads(line) for line in lines])

        def curves() -> pd.DataFrame:
            return read_table(folder / "curves.csv.xz")

        scores = read_table(folder / "scores.csv.xz")
        names = facts["data"], facts["variant"]
        return _sorted(cls(*names, scores, runs, curves, facts["test_sets"], tuple(facts["notes"])))

    @classmethod
    def load_published(cls, folder: Path | str | None) -> "Study | None":
        """The study that `make publish` wrote into `folder`; None without a folder."""
        return cls.load(Path(folder) / "records") if folder else None

    def save(self, folder: Path) -> None:
        """Writes the study; the same study gives the same bytes."""
        write_csv(folder / "scores.csv.xz", self.scores[SCORE])
        write_csv(folder / "curves.csv.xz", self.curves)
        rows = self.runs.astype(object).where(self.runs.notna(), None).to_dict("records")
        write_text(folder / "runs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        facts = {"data": self.data, "variant": self.variant, "test_sets": self.test_sets, "notes": list(self.notes)}
        write_text(folder / "study.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    def lost_from(self, folder: Path) -> list[str]:
        """Descriptions of trainings and raw scores that the study saved in `folder` has, but this study lacks."""
        if not (folder / "study.json").exists():
            return []
        saved = Study.load(folder)
        kept = set(self.runs[RUN].itertuples(index=False, name=None))
        lost = [row for row in saved.runs[RUN].itertuples(index=False, name=None) if row not in kept]
        words = [f"{part}: {task} with {loss}, seed {seed}" for part, task, loss, seed in lost]
        return words + (["the scores of raw files"] if "raw" in saved.parts and "raw" not in self.parts else [])


def _sorted(study: Study) -> Study:
    """Sorts the tables and adds the varying settings to each score; the main training restored the raw files."""
    numbers = dict.fromkeys(["alpha", "l1_scale", "sigma", "learning_rate"], float)
    runs = study.runs.astype(numbers).sort_values(RUN, ignore_index=True)
    scores = study.scores.sort_values(SCORE[:-1], ignore_index=True)
    trained = scores[RUN].assign(part=scores["part"].replace("raw", "main"))
    varying = trained.merge(runs[[*RUN, *VARYING]], how="left", on=RUN)[VARYING]
    return replace(
        study, runs=runs, scores=pd.concat([scores.assign(data=study.data)[["data", *SCORE]], varying], axis=1)
    )


def _runs_of_one_study(root: Path, data: str | None, variant: str | None) -> list[Run]:
    runs = [run for run in find_runs(root) if (run.folder / "per_image.csv").exists()]
    studies = sorted({(run.data, run.study) for run in runs})
    matches = [names for names in studies if data in (None, names[0]) and variant in (None, names[1])]
    if len(matches) != 1:
        lines = [f"  DATA='{data}' BUDGET='{variant}'" for data, variant in studies]
        listed = "\n".join(lines) or "  none; train some: make study"
        problem = "more than one study matches" if matches else "no study matches"
        raise UserError(f"{problem}: name its data set and budget. Trained and scored in {root}:\n{listed}")
    return [run for run in runs if (run.data, run.study) == matches[0]]


def _check_scored_alike(facts: pd.DataFrame) -> None:
    """Refuses a study whose trainings for one task were scored in different ways."""
    for task, rows in facts.groupby("task"):
        for name in ("protocol", "degradation", "test_sets"):
            values = rows[name].map(lambda value: json.dumps(value, sort_keys=True)).unique()
            if len(values) > 1:
                raise UserError(
                    f"trainings for {task} differ in their {name}, so one table cannot hold both:\n"
                    f"  {values[0]}\n  {values[1]}\n"
                    "Score them in the same way (make eval), or train other settings under another name: variant=NAME."
                )


def _baselines(runs: Sequence[Run], task: str) -> list[pd.DataFrame]:
    """The scores of baselines that were scored in the same way as these runs, on complete test sets only."""
    first = next(run for run in runs if run.task == task and read_scoring(run)["test sets"])
    images = read_scores(first).groupby("test_set")["image"].agg(set)
    tables = [scores for run in baselines_beside(first) for _, scores in read_scores(run).groupby("test_set")]
    whole = [scores for scores in tables if set(scores["image"]) == images.get(scores["test_set"].iloc[0])]
    return [scores.assign(part="") for scores in whole]


def _raw(folder: Path) -> tuple[list[pd.DataFrame], dict[str, dict[str, Any]], list[str]]:
    """Scores of real raw files, facts of their test sets, and notes, as `make raw` writes them; empty without them."""
    if not (folder / "notes.txt").exists():
        return [], {}, []
    sets = json.loads((folder / "test_sets.json").read_text(encoding="utf-8"))
    notes = (folder / "notes.txt").read_text(encoding="utf-8").splitlines()
    return [read_table(folder / "records.csv").assign(part="raw")], sets, notes


def _without_duplicates(scores: pd.DataFrame) -> pd.DataFrame:
    """Drops duplicate rows of untrained columns: every run scores its degraded input.

    Raises:
        UserError: two runs have different scores for the same input.
    """
    untrained = scores["loss"].isin(UNTRAINED)
    scores = scores.assign(
        part=scores["part"].mask(untrained, ""),
        seed=scores["seed"].mask(untrained, NO_SEED),
    )
    first = scores.groupby(SCORE[:-1])["value"].transform("first")
    differs = untrained & ~np.isclose(scores["value"], first, rtol=SAME, atol=SAME, equal_nan=True)
    if differs.any():
        row = scores[differs].iloc[0]
        raise UserError(
            f"{row['loss']} of {row['task']} has different values of {row['metric']} for {row['image']} "
            f"({row['test_set']}) in different runs; score them again (make eval)"
        )
    return scores.drop_duplicates(SCORE[:-1], ignore_index=True)
