"""The files in the folder of a run: writing and reading.

<runs>/<data>/<variant>/<task>/<loss>/seed<k>/
    checkpoint.pt       to resume
    per_image.csv       a row for each test photograph and metric, of the network and of its degraded input
    scoring.json        how those values were measured: protocol, degradation, hash of every test set
    provenance.json     commit, versions, hardware, photographs, patches seen, time; part of the study and what varies
    events.out.*        TensorBoard
    model.safetensors   the weights
    config.yaml         the resolved configuration, written last: a folder that has it is complete

<runs>/<data>/baselines-<hash of scoring.json>/<task>/<baseline>/seed0/ has per_image.csv and scoring.json: the
scores of a baseline, computed once for all runs with the same scoring.json.
"""

import csv
import glob
import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from restoration.errors import UserError
from restoration.files import write_text

if TYPE_CHECKING:  # reading records needs no PyTorch
    import torch

    from restoration.datasets.photos import PackedSet
    from restoration.scoring.evaluate import Score
    from restoration.training.budget import Budget

TASKS = ("demosaic", "sr", "jpeg")  # in the paper's order
COLUMNS = ["data", "variant", "test_set", "task", "loss", "seed", "image", "metric", "value"]
VERSIONS = ("torch", "numpy", "pillow", "piq")


@dataclass(frozen=True)
class Run:
    """The names of a run, which make up the path of its folder.

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
        """Settings of the training and of the scoring: a row of `Study.runs`, without the family."""
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
    """The run whose folder this is by its name, <root>/<data>/<variant>/<task>/<loss>/seed<k>; else None."""
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
    """The complete runs below `root`, restricted to the names that are given; the paper's tasks in its order."""
    names = [glob.escape(name) if name else "*" for name in (data, variant, task, loss)]
    configs = root.glob("/".join([*names, "seed*", "config.yaml"]))
    runs = [run for config in configs if (run := run_of(config.parent))]
    return sorted(runs, key=lambda run: (run.data, run.variant, task_order(run.task), run.loss, run.seed))


def of_first_seed(runs: Iterable[Run]) -> list[Run]:
    """The run with the lowest seed of each variant, task and loss."""
    firsts: dict[tuple[str, ...], Run] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        firsts.setdefault((run.data, run.variant, run.task, run.loss), run)
    return list(firsts.values())


def task_order(task: str) -> tuple[int, str]:
    """A sort key: the paper's tasks in its order, then others by name."""
    return (TASKS.index(task) if task in TASKS else len(TASKS), task)


def write_scores(run: Run, scores: "Mapping[str, Iterable[Score]]", scoring: dict[str, Any]) -> None:
    """Writes the scores of each test set as the run's per_image.csv, and how they were measured as its scoring.json."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for test_set, records in scores.items():
        for record in records:
            rows.writerow(
                [
                    run.data,
                    run.variant,
                    test_set,
                    run.task,
                    record.loss,
                    run.seed,
                    record.image,
                    record.metric,
                    record.value,
                ]
            )
    write_text(run.folder / "per_image.csv", text.getvalue())
    write_text(run.folder / "scoring.json", json.dumps(scoring, indent=2) + "\n")


def read_scores(runs: Iterable[Run]) -> pd.DataFrame:
    """The per-image records of complete runs, one after the other."""
    return pd.concat([read_records(run.folder / "per_image.csv") for run in runs], ignore_index=True)


def read_records(path: Path) -> pd.DataFrame:
    """A table of scores; names stay text, since a test set may be called NA and a data set 2024."""
    numbers = {"seed": int, "patches": int, "value": float}
    names = pd.read_csv(path, nrows=0).columns
    kinds = {name: numbers.get(name, str) for name in names}
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values={"value": ["", "nan"]})


def read_own_scores(run: Run) -> "dict[str, list[Score]]":
    """The scores that `write_scores` wrote for a run, with all digits; empty before the first writing."""
    from restoration.scoring.evaluate import Score

    path = run.folder / "per_image.csv"
    scores: dict[str, list[Score]] = {}
    if path.exists():
        for row in csv.DictReader(StringIO(path.read_text())):
            score = Score(row["loss"], row["image"], row["metric"], float(row["value"]))
            scores.setdefault(row["test_set"], []).append(score)
    return scores


def baseline_run(like: Run, baseline: str, scoring: dict[str, Any]) -> Run:
    """The folder of a baseline's scores, shared by `like` and all runs that are scored in the same way."""
    digest = hashlib.sha256(json.dumps(scoring, sort_keys=True).encode()).hexdigest()
    return replace(like, variant=f"baselines-{digest[:12]}", loss=baseline, seed=0)


def baselines_beside(run: Run) -> list[Run]:
    """The baselines that were scored in the same way as this run, also if only on some photographs."""
    tasks = baseline_run(run, "any", read_scoring(run)).folder.parents[1]
    return [
        baseline_run(run, path.parts[-3], read_scoring(run)) for path in sorted(tasks.glob("*/seed0/per_image.csv"))
    ]


def read_baselines(run: Run, scores: pd.DataFrame) -> list[pd.DataFrame]:
    """The scores of these baselines, on the test sets whose photographs are all scored.

    Args:
        scores: the scores of the run.
    """
    wanted = scores.groupby("test_set")["image"].agg(set)
    return [
        records
        for baseline in baselines_beside(run)
        for test_set, records in read_scores([baseline]).groupby("test_set")
        if test_set in wanted.index and wanted[test_set] == set(records["image"])
    ]


def read_scoring(run: Run) -> dict[str, Any]:
    return json.loads((run.folder / "scoring.json").read_text())


def write_provenance(
    run: Run,
    photos: "PackedSet",
    budget: "Budget",
    *,
    seconds: float,
    device: "torch.device",
    bf16: bool,
    processes: int,
    study: Mapping[str, Any],
) -> None:
    """Writes the origin of the weights as the run's provenance.json.

    Args:
        study: names of study and part, title and family of the loss, and settings that vary within the study.
    """
    seen = budget.steps * budget.batch
    facts = {
        "study": {"study": run.study, "part": run.part, **study},
        "finished": datetime.now().astimezone().isoformat(sep=" ", timespec="minutes"),
        "commit": commit_of(Path(__file__).parents[2]),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
        "hardware": hardware(device),
        "processes": processes,
        "precision": "bf16" if bf16 else "fp32",
        "photographs": {"train": len(photos.train), "val": len(photos.val)},
        "training_photographs_hash": photos.train.key,
        "patches_seen": seen,
        "batch": budget.batch,
        "seconds": round(seconds, 1),
        "patches_per_second": round(seen / seconds, 1),
    }
    write_text(run.folder / "provenance.json", json.dumps(facts, indent=2) + "\n")


def read_provenance(run: Run) -> dict[str, Any]:
    return json.loads((run.folder / "provenance.json").read_text())


def hardware(device: "torch.device") -> str:
    """The processor that computes, in words."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    names = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def commit_of(root: Path) -> str:
    """The commit of the repository at `root`, with "-dirty" after changes; "unknown" if `root` is no repository.

    A repository around `root` is another project's. Untracked code and configuration count as changes, too.
    """
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return "unknown"
        lines = _git(root, "status", "--porcelain", "-z", "--untracked-files=all").split("\0")
        changed = [line for line in lines if line and (not line.startswith("??") or line.endswith((".py", ".yaml")))]
        return _git(root, "rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.rstrip("\n")
