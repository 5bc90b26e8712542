"""The records of a study in few files: all that tables are made of, without weights.

<folder>/
    per_image.csv.xz    the rows of every run's per_image.csv, each once
    scalars.csv.xz      the same of scalars.csv: curves
    raw.csv.xz          the records of the study of raw files, where there is one
    runs.json           of every run, by <variant>/<task>/<loss>/seed<k>: config.yaml without the machine's folders,
                        scoring.json, provenance.json; the names of data set and main variant; the notes of the study
                        of raw files
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from restoration.files import write_csv, write_text
from restoration.scoring.evaluate import INPUT
from restoration.study.raw_tables import RawStudy, raw_folder, write_raw
from restoration.study.runs import COLUMNS, Run, baselines_beside, read_records, read_scores
from restoration.study.scalars import read_scalars
from restoration.study.scores import SAME
from restoration.study.study import Study, read_study

KEPT = ("config.yaml", "scoring.json", "provenance.json")  # of which baselines have scoring.json alone
PLACES = ("runs", "packs", "pages", "tables")  # of a configuration; they say nothing to others
RUN = ["data", "variant", "task", "loss", "seed"]


def archive(study: Study, folder: Path) -> None:
    """Writes the records of a study, and of the baselines scored as it was, into `folder`."""
    baselines = list(dict.fromkeys(other for run in study.runs for other in baselines_beside(run)))
    facts = {_name(run): _facts(run) for run in (*study.runs, *baselines)}
    records = _each_once(read_scores([*study.runs, *baselines])).sort_values(COLUMNS[:-1])
    write_csv(folder / "per_image.csv.xz", records)
    write_csv(folder / "scalars.csv.xz", pd.concat([read_scalars(run) for run in study.runs]))
    if study.raw:
        write_csv(folder / "raw.csv.xz", study.raw.records)
    else:
        (folder / "raw.csv.xz").unlink(missing_ok=True)
    notes = study.raw.notes if study.raw else None
    known = {"data": study.data, "variant": study.variant, "raw": notes, "runs": facts}
    write_text(folder / "runs.json", json.dumps(known, indent=1) + "\n")


def lacking(study: Study, folder: Path) -> list[str]:
    """What `folder` keeps of an earlier `archive` and the study has not, in words: runs, or the study of raw files."""
    if not (folder / "runs.json").exists():
        return []
    known = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    there = {_name(run) for run in study.runs}
    lost = [name for name, facts in known["runs"].items() if "config.yaml" in facts and name not in there]
    return lost + (["the study of raw files"] if known["raw"] is not None and study.raw is None else [])


def unpack(folder: Path, root: Path) -> Study:
    """Makes run folders below `root` of what `archive` wrote, and reads the study from them."""
    known = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    records = _grouped(folder / "per_image.csv.xz")
    scalars = _grouped(folder / "scalars.csv.xz")
    for name, files in known["runs"].items():
        variant, task, loss, seed = name.split("/")
        run = Run(root, known["data"], variant, task, loss, int(seed.removeprefix("seed")))
        own = [records.get((run.data, variant, task, each, run.seed)) for each in (INPUT, loss)]
        write_csv(run.folder / "per_image.csv", pd.concat([rows for rows in own if rows is not None]))
        if (curves := scalars.get((run.data, variant, task, loss, run.seed))) is not None:
            write_csv(run.folder / "scalars.csv", curves)
        for file, text in files.items():
            write_text(run.folder / file, text)
    if known["raw"] is not None:
        raw = RawStudy(read_records(folder / "raw.csv.xz"), tuple(known["raw"]))
        write_raw(raw, raw_folder(root, known["data"], known["variant"]))
    return read_study(root, data=known["data"], variant=known["variant"])


def _each_once(records: pd.DataFrame) -> pd.DataFrame:
    """Without the rows that say again what another says.

    Every run scores its degraded input, whose last bits may differ from another's: the first one counts. What differs
    by more than rounding stays, for `Scores` to refuse.
    """
    first = records.groupby(COLUMNS[:-1])["value"].transform("first")
    rounding = np.isclose(records["value"], first, rtol=SAME, atol=0)
    return records.assign(value=records["value"].mask(rounding, first)).drop_duplicates()


def _name(run: Run) -> str:
    return f"{run.variant}/{run.task}/{run.loss}/seed{run.seed}"


def _facts(run: Run) -> dict[str, str]:
    paths = [run.folder / name for name in KEPT]
    facts = {path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()}
    return facts | {name: _without_places(text) for name, text in facts.items() if name == "config.yaml"}


def _without_places(config: str) -> str:
    """A configuration without the folders of the machine that it was run on."""
    values = yaml.safe_load(config)
    kept = {key: value for key, value in values.items() if key not in PLACES}
    if "data" in kept:
        kept["data"] = {"name": kept["data"].get("name")}
    return yaml.safe_dump(kept, sort_keys=False)


def _grouped(path: Path) -> dict[Any, pd.DataFrame]:
    return dict(list(read_records(path).groupby(RUN)))
