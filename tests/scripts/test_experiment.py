"""An experiment's parts become the runs they say, and a study of them goes on wherever it was interrupted."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from restoration.errors import UserError
from restoration.study.runs import Run
from scripts.experiment import Planned, of_training, planned

ROOT = Path(__file__).parents[2]


def plan(*typed: str, parts: str | None = None) -> dict[Run, Planned]:
    """The runs of a study with these overrides; of these parts, as YAML, instead of its own."""
    with hydra.initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        config = hydra.compose("study", list(typed), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        if parts is not None:
            config.parts = OmegaConf.create(parts)
        resolved: Any = OmegaConf.to_container(config.parts, resolve=True)
        return planned(resolved, of_training(typed), "photos")


def names(run: Run) -> tuple[str, str, str, int]:
    return run.variant, run.task, run.loss, run.seed


def test_the_paper_is_all_its_runs_and_the_main_ones_come_first():
    grid = plan("experiment=paper", "budget=long", "tasks=[sr]")
    columns = {"": 7, "third": 7 * 3, "switching": 4, "sigma": 4, "alpha": 12, "adamw": 5, "dense": 5, "residual": 5}
    assert Counter(run.variant for run in grid) == {
        f"long-{part}" if part else "long": count for part, count in columns.items()
    }
    assert {run.variant for run in list(grid)[:7]} == {"long"}
    # 77 models of the budget over the three tasks, 25 s each at the quick budget on two cores: within an hour there
    assert sum(plan.config.budget.patches for plan in grid.values()) == 77 * 100_000
    by_name = {names(run): plan.config for run, plan in grid.items()}
    assert by_name["long", "sr", "ms_ssim_l2", 0].budget.patches == 300_000
    assert {config.budget.patches for name, config in by_name.items() if name[0] != "long"} == {100_000}
    assert {name[0] for name, config in by_name.items() if config.budget.validations != 4} == {"long", "long-switching"}
    assert {name[0] for name, config in by_name.items() if config.track} == {"long-switching"}
    readings = {name[2]: config.loss for name, config in by_name.items() if name[0] == "long-alpha"}
    assert {loss: (float(values.alpha), values.l1_scale) for loss, values in readings.items()} == {
        "mix": (0.84, 255),
        "mix_code": (0.025, 1),
        "mix_unit0.055": (0.055, 1),
        "mix_unit0.84": (0.84, 1),
        **{f"mix_a{alpha}": (alpha, 255) for alpha in (0.01, 0.1, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)},
    }
    assert by_name["long-residual", "sr", "l1", 0].model.residual
    assert by_name["long-adamw", "sr", "l1", 0].optimizer._target_ == "torch.optim.AdamW"


def test_an_experiments_own_values_can_be_typed():
    grid = plan("experiment=paper", "tasks=[sr]", "five=[l2,mix]", "third=80", "budget.batch=16", "~parts.alpha")
    assert [run.loss for run in grid if run.variant == "quick-adamw"] == ["l2", "mix"]
    assert {plan.config.budget.patches for run, plan in grid.items() if run.variant == "quick-third"} == {80}
    assert {plan.config.budget.batch for plan in grid.values()} == {16}


def test_the_plain_study_is_an_experiment_of_one_part():
    grid = plan("tasks=[sr,jpeg]", "losses=[l1,mix]", "seeds=[0,3]", "budget=cpu")
    assert [names(run) for run in grid] == [
        ("cpu", task, loss, seed) for task in ("sr", "jpeg") for seed in (0, 3) for loss in ("l1", "mix")
    ]


def test_equal_runs_of_two_parts_are_one_and_different_ones_are_refused():
    parts = "{main: {task: sr, loss: [l1, mix]}, other: {loss: [mix, l2], task: sr}}"
    assert [run.loss for run in plan(parts=parts)] == ["l1", "mix", "l2"]
    parts = "{main: {task: sr, loss: mix}, sweep: {task: sr, loss: mix, loss.alpha: [0.84, 0.5]}}"
    with pytest.raises(UserError, match=r"two runs, of part main: (.|\n)*part sweep: .*loss\.alpha=0\.5\n.*variant"):
        plan(parts=parts)


def test_a_part_goes_before_what_is_typed_and_may_hold_any_value():
    parts = """
    one:
      optimizer: adamw
      optimizer.betas: [[0.9, 0.99], [0.9, 0.999]]
      model.identity_start: false
      variant: ${variant}-betas
      names.loss: \\${loss.alpha}_\\${optimizer.betas.1}
    """
    grid = plan("variant=mine", "optimizer=adam", "seed=3", parts=parts)
    assert [names(run) for run in grid] == [
        ("mine-betas", "demosaic", "0.84_0.99", 3),
        ("mine-betas", "demosaic", "0.84_0.999", 3),
    ]
    for run in grid.values():
        assert (run.config.model.identity_start, run.config.optimizer.weight_decay) == (False, 0.01)


@pytest.mark.parametrize(
    ("values", "named"), [("loss: lpips", "lpips"), ("los.alpha: 1", "los"), ("seed: 'a=['", "a=")]
)
def test_a_mistake_names_its_part(values, named):
    with pytest.raises(UserError, match=rf"part second of the experiment(.|\n)*{named}"):
        plan(parts=f"{{first: {{task: sr}}, second: {{{values}}}}}")


MINI = """# @package _global_
parts:
  main: {task: sr, loss: [l1, interrupted]}
  sweep:
    variant: ${variant}-third
    budget.patches: ${third:${budget.patches}}
    task: sr
    loss: mix
    loss.alpha: [0.1, 0.9]
    names.loss: mix_a\\${loss.alpha}
  again: {task: sr, loss: l1}
"""


def test_an_interrupted_experiment_goes_on_as_jobs_and_is_then_left_alone(photo_folder, tmp_path):
    for group in ("experiment", "loss"):
        (tmp_path / "configs" / group).mkdir(parents=True)
    (tmp_path / "configs" / "experiment" / "mini.yaml").write_text(MINI)
    (tmp_path / "configs" / "loss" / "interrupted.yaml").write_text(
        f"_target_: tests.failing_losses.SignalOnce\nnumber: {int(signal.SIGINT)}\nreceiver: self\n"
        f"marker: {tmp_path}/marker\n"
    )
    places = [f"{name}={tmp_path / name}" for name in ("runs", "packs", "tables")]
    data = ["data=folder", f"data.train={photo_folder}/train", f"data.test={photo_folder}/test", "data.name=tiny"]
    options = ["experiment=mini", f"hydra.searchpath=[file://{tmp_path}/configs]", "track=true"]
    budget = ["budget.patches=48", "budget.validations=1"]

    def study(*overrides: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "scripts.study", *options, *places, *data, *budget, *overrides],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    first = study()
    assert first.returncode == 130, first.stderr
    assert "0 of 4 runs are complete" in first.stdout
    root = tmp_path / "runs" / "tiny"
    weights = {path.relative_to(root).parent: path for path in root.rglob("model.safetensors")}
    l1, interrupted = (Path("quick") / "sr" / loss / "seed0" for loss in ("l1", "interrupted"))
    assert set(weights) == {l1}
    assert (root / interrupted / "checkpoint.pt").exists()

    jobs = study("hydra/launcher=local")
    assert jobs.returncode == 0, jobs.stderr
    assert "1 of 4 runs are complete" in jobs.stdout
    assert len(list(root.glob(".submitit/*/*_submitted.pkl"))) == 3
    sweep = {Path("quick-third") / "sr" / f"mix_a{alpha}" / "seed0" for alpha in (0.1, 0.9)}
    weights = {path.relative_to(root).parent: path for path in root.rglob("model.safetensors")}
    assert set(weights) == {l1, interrupted, *sweep}
    assert weights[l1].read_bytes() == weights[interrupted].read_bytes()  # which is L1, from its checkpoint
    assert "16 patches of 31x31" in (tmp_path / "tables" / "tiny" / "quick-third" / "sr-test.md").read_text()

    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    again = study()
    assert again.returncode == 0, again.stderr
    assert "4 of 4 runs are complete" in again.stdout
    assert "| L1 |" in (tmp_path / "tables" / "tiny" / "quick" / "sr-test.md").read_text()
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before

    changed = study("optimizer.betas=[0.9,0.999]")  # is not taken for what is complete
    assert changed.returncode == 1
    assert "4 of 4 runs failed" in changed.stderr
    assert "optimizer.betas: [0.9, 0.99] there, [0.9, 0.999] asked for" in changed.stderr
