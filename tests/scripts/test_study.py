"""The runs of an experiment; a study continues after runs that fail, crash or are stopped."""

import signal
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from restoration.errors import UserError
from restoration.study.rates import rates_tables
from restoration.study.records import Study
from restoration.study.runs import Run
from scripts.configuration import composed
from scripts.rates import search_grids
from scripts.study import composed_runs, points
from tests.scripts.conftest import ROOT, call


def plan(*typed: str, parts: str | None = None) -> dict[Run, DictConfig]:
    """The runs of a study with these overrides; `parts`, as YAML, replaces the parts of the study."""
    config = composed("study", typed)
    if parts is not None:
        config.parts = OmegaConf.create(parts)
    return composed_runs(config.study, OmegaConf.to_container(config.parts, resolve=True), typed, "photos")  # pyright: ignore


def names(run: Run) -> tuple[str, str, str, int]:
    return run.part, run.task, run.loss, run.seed


@pytest.fixture(scope="module")
def paper() -> dict[Run, DictConfig]:
    return plan("experiment=paper", "budget=cpu", "tasks=[sr]", "losses=[l2,l1,mix]", "~parts.switching")


def test_size_of_the_paper():
    """Networks, patches and search as the header of the experiment says."""
    config = composed("study", ["experiment=paper", "budget=cpu"])
    parts: Any = OmegaConf.to_container(config.parts, resolve=True)
    grids = {part: [dict(value.split("=", 1) for value in point) for point in points(parts[part])] for part in parts}
    counts = {part: len(runs) for part, runs in grids.items()}
    assert counts == {
        "main": 69,
        "longer": 2,
        "switching": 12,
        "sigma": 12,
        "alpha": 21,
        "gaussians": 12,
        "sgd": 2,
        "adam": 9,
        "residual": 15,
    }
    header = (ROOT / "configs/experiment/paper.yaml").read_text().partition("tasks:")[0]
    assert f"# {sum(counts.values())} networks." in header
    runs = [run for runs in grids.values() for run in runs]
    patches = sum(int(run.get("budget.patches", config.budget.patches)) for run in runs)
    assert patches / config.budget.patches == pytest.approx(116 + 2 / 3, abs=0.01)
    assert "116 2/3 networks of `main`" in header
    searches = {(run["task"], run["loss"]) for run in runs if "++loss.about.rate" not in run}
    tried = len(searches) * len(config.rates.factors)
    assert f"{tried} short trainings" in header
    assert f"{round((patches + tried * config.rates.patches) / 1e6, 1)} million patches" in header


def test_parts_of_the_paper(paper):
    config = {names(run): config for run, config in paper.items()}
    assert all(run.variant == ("cpu" if run.part == "main" else f"cpu-{run.part}") for run in paper)
    patches = {part: config[part, "sr", "l1", 0].budget.patches for part in ("main", "longer", "residual")}
    assert patches == {"main": 100_000, "longer": 1_000_000, "residual": 33_333}
    assert config["residual", "sr", "l1", 0].budget.validations == 4
    assert config["residual", "sr", "l1", 0].model.residual
    assert config["sgd", "demosaic", "l2", 0].optimizer._target_ == "torch.optim.SGD"
    rates = {name[::2]: each.budget.learning_rate for name, each in config.items() if name[0] in ("sgd", "adam")}
    assert rates == {
        ("sgd", "l2"): 0.1,
        ("sgd", "l1"): 0.03,
        **{("adam", loss): 0.001 for loss in ("l2", "l1", "mix")},
    }
    alpha = {run.loss: each.loss for run, each in paper.items() if run.part == "alpha"}
    assert {loss: (float(values.alpha), values.l1_scale) for loss, values in alpha.items()} == {
        "mix": (0.84, 255),
        "mix_code": (0.025, 1),
        "mix_unit0.84": (0.84, 1),
        **{f"mix_a{value}": (value, 255) for value in (0.1, 0.5, 0.8, 0.9)},
    }
    assert alpha["mix_a0.9"].about.title == "Mix, α = 0.9"
    sigmas = [each.loss.sigmas for run, each in paper.items() if run.part == "gaussians"]
    assert len(sigmas) == 4
    assert all(each == [0.5, 1, 2] for each in sigmas)


def test_searched_rates(paper):
    """One search for each task and file of a loss; none where the part has a rate of its own."""
    searched = [(grid["task"], grid["loss"]) for grid in search_grids(paper, composed("study", []).rates)]
    losses = ["l2", "l1", "mix", "ssim9", "ms_ssim_l2", "ssim1", "ssim3", "ssim5", "mix_code"]
    assert searched == [("sr", loss) for loss in [*losses, "ms_ssim_dense", "mix_dense", "ms_ssim"]]


def test_typed_values():
    grid = plan("experiment=paper", "tasks=[sr]", "five=[l2,mix]", "third=80", "~parts.alpha", "~parts.main")
    assert [run.loss for run in grid if run.part == "residual"] == ["l2", "mix"]
    assert {config.budget.patches for run, config in grid.items() if run.part == "sigma"} == {80}
    assert not {run.part for run in grid} & {"alpha", "main"}


def test_losses():
    grid = plan("tasks=[sr,jpeg]", "losses=[l1,mix]", "seeds=[0,3]", "budget=cpu")
    assert [names(run) for run in grid] == [
        ("main", task, loss, seed) for task in ("sr", "jpeg") for seed in (0, 3) for loss in ("l1", "mix")
    ]


def test_values_of_any_kind():
    parts = """
    one:
      optimizer: adamw
      optimizer.betas: [[0.9, 0.99], [0.9, 0.999]]
      model.identity_start: false
      names.loss: \\${loss.alpha}_\\${optimizer.betas.1}
    """
    grid = plan("variant='it\\'s, mine'", "optimizer=adam", "seed=3", parts=parts)
    assert [(run.variant, *names(run)) for run in grid] == [
        ("it's, mine-one", "one", "demosaic", "0.84_0.99", 3),
        ("it's, mine-one", "one", "demosaic", "0.84_0.999", 3),
    ]
    for config in grid.values():
        assert (config.model.identity_start, config.optimizer.weight_decay) == (False, 0.01)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ("loss: nosuch", "nosuch"),
        ("los.alpha: 1", "los"),
        ("seed: 'a=['", "a="),
        ("loss.alpha: [0.84, 0.5]", "two runs"),
    ],
)
def test_mistakes_in_a_part(values, named):
    with pytest.raises(UserError, match=rf"part second of the experiment(.|\n)*{named}"):
        plan(parts=f"{{first: {{task: sr}}, second: {{{values}}}}}")


MINI = """# @package _global_
compared_on: validation
parts:
  main: {task: sr, loss: l1}
  fast: {task: sr, loss: l1, budget.learning_rate: 0.01}
"""


@pytest.fixture
def options(with_losses, tmp_path) -> list[str]:
    """Overrides of a study with the losses of tests/failing_losses.py."""
    signals = {
        name: f"_target_: tests.failing_losses.SignalOnce\nnumber: {int(number)}\nmarker: {tmp_path}/{name}\n"
        for name, number in (("killed", signal.SIGKILL), ("preempted", signal.SIGUSR2))
    }
    losses = with_losses(broken="_target_: tests.failing_losses.Broken", wrong="_target_: torch.nn.NLLLoss", **signals)
    return [*losses, "tasks=[sr]", "checkpoint_seconds=0", "budget.validations=1"]


def test_failures(options, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2 of 3 runs failed or are missing") as caught:
        call("study", *options, "losses=[broken,wrong,l1]")
    message = str(caught.value.code)
    assert "sr/broken/seed0: the loss is not finite at step 2" in message
    assert "sr/wrong/seed0: the loss NLLLoss fails on patches of 31 x 31 pixels: RuntimeError" in message
    assert not (tmp_path / "runs/tiny/quick/sr/wrong").exists()  # known before the first training
    assert "| L1 |" in (tmp_path / "tables/tiny/quick/sr-test.md").read_text()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert "1 of 1 runs are complete" in call("study", *options, "losses=[l1]")
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert {path for path in after if after[path] != before.get(path)} <= set((tmp_path / "tables").rglob("*"))


def test_validation_tables(options, tmp_path):
    (tmp_path / "configs/experiment").mkdir()
    (tmp_path / "configs/experiment/mini.yaml").write_text(MINI)
    call("study", *options, "experiment=mini", "variant=mine")
    table = (tmp_path / "tables/tiny/mine/sr-validation.md").read_text()
    assert "| main: l1, seed 0 |" in table
    assert "| fast: l1, seed 0 |" in table


def test_rates(with_losses, tmp_path):
    """A loss uses the best of the tried rates, or the rate in the file of the loss."""
    known = "_target_: torch.nn.L1Loss\nabout: {rate: {sr: 0.5}}"
    losses = with_losses(mine="_target_: torch.nn.L1Loss", known=known)
    words = [*losses, "tasks=[sr]", "losses=[mine,known]"]
    words += ["rates.factors=[0.25,1e-6,1e6]", "rates.patches=40", "rates.least=40", "budget.validations=1"]
    printed = call("study", *words)
    assert "learning rate of mine in sr: the budget's x 1e-06 (1e-06: " in printed  # five steps do harm
    assert "Too small to say which loss wins. This study shows" in printed
    configs = {path.parents[1].name: OmegaConf.load(path) for path in tmp_path.rglob("config.yaml")}
    factors = {name: config.budget.loss_factor for name, config in configs.items()}
    searched = {"mine_x0.25": 0.25, "mine_x1e-06": 1e-6, "mine_x1000000.0": 1e6}
    assert factors == {"mine": 1e-6, "known": 0.5, **searched}
    again = call("study", *words)
    assert "2 of 2 runs are complete" in again
    table = rates_tables(Study.collect(tmp_path / "runs"))[0]
    assert [cell.best for cell in table.rows[0][1]][:2] == [True, False]


def test_jobs(options, study, tmp_path, refused):
    """A crash ends only one job; after a time-out, the job returns to the queue and continues."""
    failed = "sr/killed/seed0: its job ended without a result"
    refused("study", [*options, "losses=[killed,preempted]", "launcher=local"], "1 of 2 runs failed", failed)
    call("study", *options, "losses=[killed]")
    expected = (study / "runs/tiny/quick/sr/l1/seed0/model.safetensors").read_bytes()
    for name in ("killed", "preempted"):
        folder = tmp_path / f"runs/tiny/quick/sr/{name}/seed0"
        assert (folder / "model.safetensors").read_bytes() == expected
        assert torch.load(folder / "checkpoint.pt", weights_only=True)["step"] == 6
    starts = [path.read_text().count("Starting with") for path in (tmp_path / "runs/.submitit").glob("*/*.out")]
    assert sorted(starts) == [1, 2]
