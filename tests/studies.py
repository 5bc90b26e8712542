"""A study of the paper's experiment that nobody trained: run folders with records and curves of known answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from restoration.files import write_text
from restoration.names import INPUT, QUICK
from restoration.scoring.score import ALL_METRICS
from restoration.study.alpha import Setting
from restoration.study.runs import COLUMNS, Run, baseline_run
from restoration.study.scalars import COLUMNS as SCALARS
from restoration.study.scales import scale_of

TASKS = {
    "demosaic": {"_target_": "restoration.tasks.Demosaic", "a": 0.005, "b": 0.0001},
    "sr": {"_target_": "restoration.tasks.SuperResolution", "scale": 2},
    "jpeg": {"_target_": "restoration.tasks.JPEG", "quality": 25},
}
GAINS = {"l2": 0.0, "l1": 0.4, "ssim5": -0.5, "ssim9": -0.4, "ms_ssim": -1.0, "ms_ssim_l2": -0.2, "ssim1": -2.0}
GAINS |= {"ssim3": -1.0, "l1_to_l2": 0.1, "l2_to_l1": 0.5, "ssim_dense": -0.4, "ms_ssim_dense": -0.8, "mix_dense": 0.6}
SWEEP = (0.01, 0.1, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
SETTINGS = {
    **{f"mix_a{alpha}": (alpha, 255.0) for alpha in SWEEP},
    "mix_unit0.055": (0.055, 1.0),
    "mix_unit0.84": (0.84, 1.0),
    "mix": (0.84, 255.0),
    "mix_code": (0.025, 1.0),
}
SEVEN = ("l2", "l1", "ssim5", "ssim9", "ms_ssim", "mix", "ms_ssim_l2")
FIVE = ("l2", "l1", "ssim5", "ms_ssim", "mix")
PARTS: dict[str, Sequence[str]] = {
    "": SEVEN,
    "third": SEVEN,
    "switching": ("l2", "l1", "l1_to_l2", "l2_to_l1"),
    "sigma": ("ssim1", "ssim3", "ssim5", "ssim9"),
    "alpha": tuple(SETTINGS),
    "adamw": FIVE,
    "dense": ("l2", "l1", "ssim_dense", "ms_ssim_dense", "mix_dense"),
    "residual": FIVE,
}
BEST = -1.7  # the log odds of the best α, which is near that of the paper in 8-bit levels
PATCHES = 90_000


def gain(loss: str) -> float:
    """In dB over L2; of Mix a parabola of α's log odds."""
    if loss in SETTINGS:
        return 0.8 - 0.2 * (Setting(loss, *SETTINGS[loss]).log_odds - BEST) ** 2
    return {INPUT: -4.0, "bicubic": -2.0, "menon": -3.0, "bm3d": -0.7, "malvar": -3.2}.get(loss, GAINS.get(loss, 0.0))


def write_study(
    root: Path, *, tests: Mapping[str, int], tasks: Sequence[str] = tuple(TASKS), parts: Sequence[str] = tuple(PARTS)
) -> None:
    """Writes the runs of the data set "photos" and the variant "cpu".

    Args:
        tests: photographs by test set.
    """
    for part in parts:
        variant = f"cpu-{part}" if part else "cpu"
        for task in tasks:
            for loss in PARTS[part]:
                for seed in range(3 if part == "third" else 1):
                    _write_run(Run(root, "photos", variant, task, loss, seed), tests, whole=not part)
    scoring = _scoring()
    for task, names in (("demosaic", ("malvar", "menon", "bm3d")), ("sr", ("bicubic",))):
        if task in tasks:
            for name in names:
                run = baseline_run(Run(root, "photos", "cpu", task, "l2", 0), name, scoring)
                _write_rows(run, [name], tests)
                write_text(run.folder / "scoring.json", json.dumps(scoring))


def _scoring() -> dict:
    return {"protocol": "as agreed", "metrics": list(ALL_METRICS), "degradation": "some", "test sets": {}}


def _write_run(run: Run, tests: Mapping[str, int], *, whole: bool) -> None:
    patches = PATCHES if whole else PATCHES // 3
    _write_rows(run, [INPUT, run.loss], tests)
    write_text(run.folder / "scoring.json", json.dumps(_scoring()))
    provenance = {"commit": "abc", "hardware": "abacus", "precision": "fp32", "photographs": {"train": 7}}
    provenance |= {"training_photographs_hash": "0123456789abcdef", "patches_seen": patches, "batch": 8}
    write_text(run.folder / "provenance.json", json.dumps(provenance))
    loss: dict = {"_target_": "restoration.losses.Other"}
    if run.loss in SETTINGS:
        alpha, scale = SETTINGS[run.loss]
        loss = {"_target_": "restoration.losses.MixLoss", "alpha": alpha, "l1_scale": scale}
    elif "_to_" in run.loss:
        loss["at"] = 0.5
    config = {"task": TASKS[run.task], "loss": loss, "budget": {"patches": patches}}
    rows = [",".join(SCALARS), *_scalars(run, tests, patches)]
    write_text(run.folder / "scalars.csv", "\n".join(rows) + "\n")
    write_text(run.folder / "config.yaml", yaml.safe_dump(config))
    write_text(run.folder / "model.safetensors", "")


def _write_rows(run: Run, losses: Sequence[str], tests: Mapping[str, int]) -> None:
    lines = [",".join(COLUMNS)]
    for test, count in tests.items():
        for loss in losses:
            names = f"{run.data},{run.variant},{test},{run.task},{loss},{run.seed}"
            for metric in ALL_METRICS:
                values = _values(run, loss, test, metric, count)
                lines += [f"{names},{image:02}.png,{metric},{value!r}" for image, value in enumerate(values.tolist())]
    write_text(run.folder / "per_image.csv", "\n".join(lines) + "\n")


def _values(run: Run, loss: str, test: str, metric: str, count: int) -> np.ndarray:
    """(count,): what the photograph is like, which all losses share, the gain, and noise of the run."""
    photographs = np.random.default_rng([len(test), len(run.task), len(metric)]).normal(0, 1, count)
    seed = 0 if loss == INPUT else run.seed
    own = np.random.default_rng([*f"{run.variant if loss != INPUT else ''}{loss}{test}{metric}".encode(), seed])
    better = gain(loss) + own.normal(0, 0.05) * (loss != INPUT) + own.normal(0, 0.05, count)
    direction = 1 if scale_of(metric).higher_is_better else -1
    level, unit = {"psnr": (30.0, 1.0), "psnr_y": (31.0, 1.0), "l2": (0.002, 2e-4), "l1": (0.02, 1e-3)}.get(
        metric, (0.9, 0.01) if metric in ALL_METRICS and direction == 1 else (0.5, 0.03)
    )
    return level + unit * (photographs + direction * better)


def _scalars(run: Run, tests: Mapping[str, int], patches: int) -> Iterator[str]:
    names = f"{run.data},{run.variant},{run.task},{run.loss},{run.seed}"
    tags = [f"val/{metric}" for metric in QUICK]
    if run.variant.endswith("-switching"):
        tags += [f"test/{test}/{metric}" for test in tests for metric in QUICK]
    for tag in sorted(tags):
        for step in range(7):
            level, slope = (30.0, 1.0) if tag.endswith("psnr") else (0.002, -2e-4) if "/l" in tag[3:] else (0.9, 0.01)
            value = level + slope * (gain(run.loss) - 3 / (1 + step))
            yield f"{names},{tag},{patches * step // 6},{value:.7g}"
    if run.loss in SETTINGS:
        unit = Setting(run.loss, *SETTINGS[run.loss]).unit_alpha
        share = (1 - unit) / (1 - unit + 20 * unit)
        for tenth in range(1, 11):
            yield f"{names},train/gradient_share/l1,{patches * tenth // 10},{share:.7g}"
            yield f"{names},train/gradient_share/ms_ssim,{patches * tenth // 10},{1 - share:.7g}"
