"""The origin of trained weights: commit, versions, hardware, photographs, budget, time."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.files import write_text
from restoration.study.runs import Run

if TYPE_CHECKING:
    import torch

    from restoration.datasets.photos import PackedSet
    from restoration.training.budget import Budget

VERSIONS = ("torch", "numpy", "pillow", "piq")


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
    """Writes the run's provenance.json.

    Args:
        study: title and family of the loss, and settings that vary within the study.
    """
    patches = budget.steps * budget.batch
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
        "patches_seen": patches,
        "batch": budget.batch,
        "seconds": round(seconds, 1),
        "patches_per_second": round(patches / seconds, 1),
    }
    write_text(run.folder / "provenance.json", json.dumps(facts, indent=2) + "\n")


def hardware(device: "torch.device") -> str:
    """Name of the processor that computes."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    processors = Path("/proc/cpuinfo")
    lines = processors.read_text().splitlines() if processors.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def commit_of(root: Path) -> str:
    """The commit of the repository at `root`, with "-dirty" after changes; "unknown" if `root` is no repository.

    A repository that contains `root` as a subfolder does not count. Untracked code and configuration count as changes.
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
