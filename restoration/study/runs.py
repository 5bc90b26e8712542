"""The folder of a run: names, scores, settings.

<runs>/<data>/<variant>/<task>/<loss>/seed<k>/
    checkpoint.pt       to resume
    per_image.csv       a row for each test photograph and metric, of the network and of its degraded input
    scoring.json        how the scores were measured: protocol, degradation, hash of every test set
    provenance.json     commit, versions, hardware, photographs, patches seen, time; part of the study, settings
    events.out.*        TensorBoard
    curves.csv          validation and test curves and shares of the gradient, from the events
    model.safetensors   the weights
    config.yaml         the resolved configuration, written last: with this file, the folder is complete

<runs>/<data>/baselines-<hash of scoring.json>/<task>/<baseline>/seed0/ has per_image.csv and scoring.json: the
scores of a baseline, computed once for all runs with the same scoring.json.
"""

import glob
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from restoration.errors import UserError
from restoration.files import write_csv, write_text
from restoration.names import ordered_tasks

if TYPE_CHECKING:  # scores can be read without PyTorch
    from restoration.scoring.evaluate import Score

COLUMNS = ["data", "variant", "test_set", "task", "loss", "seed", "image", "metric", "value"]
NUMBERS = {"seed": int, "patches": int, "value": float}  # columns of tables; all others are text


@dataclass(frozen=True)
class Run:
    """The names of a run, which form the path of its folder.

    Attributes:
        study, part: the study and the part of the study that the run belongs to, from its configuration.
    """

    root: Path
    data: str
    variant: str
    task: str
    loss: str
    seed: int
    study: str = field(default="", compare=False)
    part: str = field(default="main", compare=False)

    def __post_init__(self) -> None:
        for name in (self.data, self.variant, self.task, self.loss):
            if "/" in name or name in ("", ".", ".."):
                raise UserError(f"{name!r} cannot name a folder of a run; give data.name or variant a plain name")

    @property
    def folder(self) -> Path:
        return self.root / self.data / self.variant / self.task / self.loss / f"seed{self.seed}"

    def is_complete(self) -> bool:
        return (self.folder / "config.yaml").exists()

    def facts(self) -> dict[str, Any]:
        """Settings of the training and of the scoring: a row of `Study.runs`."""
        provenance, scoring = read_provenance(self), read_scoring(self)
        return {
            "part": self.part,
            "task": self.task,
            "loss": self.loss,
            "seed": self.seed,
            **provenance["study"],
            "patches": provenance["patches_seen"],
            **{name: provenance[name] for name in ("batch", "precision", "hardware", "seconds", "commit")},
            "photographs": provenance["photographs"]["train"],
            "photographs_hash": provenance["training_photographs_hash"],
            "protocol": scoring["protocol"],
            "degradation": scoring["degradation"],
            "test_sets": scoring["test sets"],
            "versions": provenance["versions"],
            "config": yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf-8")),
        }


def run_of(folder: Path) -> Run | None:
    """The run in a folder <root>/<data>/<variant>/<task>/<loss>/seed<k>; None for a folder with another path."""
    number = re.fullmatch(r"seed(\d+)", folder.name)
    if not number or len(folder.parents) < 5:
        return None
    data, variant, task, loss = folder.parts[-5:-1]
    run = Run(folder.parents[4], data, variant, task, loss, int(number[1]))
    if not (folder / "provenance.json").exists():
        return run
    about = read_provenance(run).get("study", {})
    return replace(run, study=about.get("study", variant), part=about.get("part", "main"))


def find_runs(
    root: Path,
    *,
    data: str | None = None,
    variant: str | None = None,
    task: str | None = None,
    loss: str | None = None,
) -> list[Run]:
    """The complete runs below `root`, with the given names only; tasks in the paper's order."""
    names = [glob.escape(name) if name else "*" for name in (data, variant, task, loss)]
    configs = root.glob("/".join([*names, "seed*", "config.yaml"]))
    runs = [run for config in configs if (run := run_of(config.parent))]
    tasks = ordered_tasks(run.task for run in runs)
    return sorted(runs, key=lambda run: (run.data, run.variant, tasks.index(run.task), run.loss, run.seed))


def of_first_seed(runs: Iterable[Run]) -> list[Run]:
    """The run with the lowest seed of each variant, task and loss."""
    firsts: dict[tuple[str, ...], Run] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        firsts.setdefault((run.data, run.variant, run.task, run.loss), run)
    return list(firsts.values())


def write_scores(run: Run, scores: "Mapping[str, Iterable[Score]]", scoring: dict[str, Any]) -> None:
    """Writes the scores of each test set as the run's per_image.csv, and how they were measured as its scoring.json."""
    rows = [
        (run.data, run.variant, test_set, run.task, score.loss, run.seed, score.image, score.metric, score.value)
        for test_set, of_set in scores.items()
        for score in of_set
    ]
    write_csv(run.folder / "per_image.csv", pd.DataFrame(rows, columns=COLUMNS))
    write_text(run.folder / "scoring.json", json.dumps(scoring, indent=2) + "\n")


def read_scores(run: Run) -> pd.DataFrame:
    """The scores that `write_scores` wrote for a run or a baseline."""
    return read_table(run.folder / "per_image.csv")


def read_table(path: Path) -> pd.DataFrame:
    """A table of scores or curves. Names stay text: a test set may be called NA, a data set 2024."""
    kinds = {name: NUMBERS.get(name, str) for name in pd.read_csv(path, nrows=0).columns}
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values={"value": ["", "nan"]})


def scores_by_test_set(run: Run) -> "dict[str, list[Score]]":
    """The scores that `write_scores` wrote for a run; empty before the first writing."""
    from restoration.scoring.evaluate import Score

    scores: dict[str, list[Score]] = {}
    if (run.folder / "per_image.csv").exists():
        for test_set, *values in read_scores(run)[["test_set", "loss", "image", "metric", "value"]].to_numpy():
            scores.setdefault(test_set, []).append(Score(*values))
    return scores


def baseline_run(like: Run, baseline: str, scoring: dict[str, Any]) -> Run:
    """The folder of a baseline's scores, shared by `like` and all runs that are scored in the same way."""
    digest = hashlib.sha256(json.dumps(scoring, sort_keys=True).encode()).hexdigest()
    return replace(like, variant=f"baselines-{digest[:12]}", loss=baseline, seed=0)


def baselines_beside(run: Run) -> list[Run]:
    """The baselines that were scored in the same way as this run, also if only on some photographs."""
    scoring = read_scoring(run)
    tasks = baseline_run(run, "any", scoring).folder.parents[1]
    return [baseline_run(run, path.parts[-3], scoring) for path in sorted(tasks.glob("*/seed0/per_image.csv"))]


def read_scoring(run: Run) -> dict[str, Any]:
    return json.loads((run.folder / "scoring.json").read_text())


def read_provenance(run: Run) -> dict[str, Any]:
    return json.loads((run.folder / "provenance.json").read_text())
