"""Records of many runs in few files: all that tables are made of, without weights.

<folder>/
    per_image.csv.xz    the rows of every run's per_image.csv, each once
    scalars.csv.xz      the same of scalars.csv: curves
    runs.json           of every run, by <variant>/<task>/<loss>/seed<k>: config.yaml, scoring.json, provenance.json
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from restoration.errors import UserError
from restoration.evaluate import INPUT
from restoration.files import replacing, write_text
from restoration.runs import COLUMNS, Run, baselines_beside, read_scores
from restoration.scalars import read_scalars

KEPT = ("config.yaml", "scoring.json", "provenance.json")  # of which baselines have scoring.json alone
RUN = ["data", "variant", "task", "loss", "seed"]


def archive(runs: Sequence[Run], folder: Path) -> None:
    """Writes the records of complete runs of one data set, and of the baselines scored as they were, into `folder`."""
    if len({(run.root, run.data) for run in runs}) != 1:
        found = ", ".join(sorted({run.data for run in runs})) or "no run"
        raise UserError(f"an archive holds the runs of one data set, got {found}")
    baselines = list(dict.fromkeys(other for run in runs for other in baselines_beside(run)))
    facts = {_name(run): _facts(run) for run in (*runs, *baselines)}
    records = read_scores([*runs, *baselines]).drop_duplicates().sort_values(COLUMNS[:-1])
    _write(records, folder / "per_image.csv.xz")
    _write(pd.concat([read_scalars(run) for run in runs]), folder / "scalars.csv.xz")
    write_text(folder / "runs.json", json.dumps({"data": runs[0].data, "runs": facts}, indent=1) + "\n")


def unpack(folder: Path, root: Path) -> list[Run]:
    """Makes run folders below `root` of what `archive` wrote, and returns the runs, baselines not among them."""
    known = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    records = _grouped(folder / "per_image.csv.xz")
    scalars = _grouped(folder / "scalars.csv.xz")
    runs = []
    for name, files in known["runs"].items():
        variant, task, loss, seed = name.split("/")
        run = Run(root, known["data"], variant, task, loss, int(seed.removeprefix("seed")))
        own = [records.get((run.data, variant, task, each, run.seed)) for each in (INPUT, loss)]
        _write(pd.concat([rows for rows in own if rows is not None]), run.folder / "per_image.csv")
        if (curves := scalars.get((run.data, variant, task, loss, run.seed))) is not None:
            _write(curves, run.folder / "scalars.csv")
        for file, text in files.items():
            write_text(run.folder / file, text)
        if run.is_complete():
            runs.append(run)
    return runs


def _name(run: Run) -> str:
    return f"{run.variant}/{run.task}/{run.loss}/seed{run.seed}"


def _facts(run: Run) -> dict[str, str]:
    paths = [run.folder / name for name in KEPT]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()}


def _grouped(path: Path) -> dict[Any, pd.DataFrame]:
    return dict(list(pd.read_csv(path).groupby(RUN)))


def _write(frame: pd.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, compression="xz" if path.suffix == ".xz" else None)
