"""A study whose runs fail, crash and are preempted: one after the other, and as jobs of submitit on this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(photo_folder, tmp_path):
    """Runs a study of these losses, as tests/failing_losses.py defines them, on five small photographs."""
    losses = tmp_path / "configs" / "loss"
    losses.mkdir(parents=True)
    (losses / "broken.yaml").write_text("_target_: tests.failing_losses.Broken\n")
    (losses / "wrong.yaml").write_text("_target_: torch.nn.NLLLoss\n")
    for name, number, receiver in (("killed", signal.SIGKILL, "self"), ("preempted", signal.SIGUSR2, "job")):
        (losses / f"{name}.yaml").write_text(
            f"_target_: tests.failing_losses.SignalOnce\nnumber: {int(number)}\nreceiver: {receiver}\n"
            f"marker: {tmp_path}/{name}\n"
        )
    places = [f"{name}={tmp_path / name}" for name in ("runs", "packs", "tables")]
    data = ["data=folder", f"data.train={photo_folder}/train", f"data.test={photo_folder}/test", "data.name=tiny"]
    budget = ["budget.patches=48", "budget.validations=1", "checkpoint_seconds=0"]
    command = [sys.executable, "-m", "scripts.study", f"hydra.searchpath=[file://{tmp_path}/configs]", "tasks=[sr]"]

    def run(*overrides: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*command, *places, *data, *budget, *overrides],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    return run


def test_a_run_that_fails_is_named_and_the_others_are_trained(study, tmp_path):
    folder = tmp_path / "runs" / "tiny" / "quick" / "sr"
    table = tmp_path / "tables" / "tiny" / "quick" / "sr-test.md"
    here = study("losses=[broken,wrong,l1]")
    assert here.returncode == 1
    message = "2 of 3 runs failed or are missing:\n  sr with broken, seed 0, quick: the loss is not finite at step 3"
    assert message in here.stderr
    assert "\n  sr with wrong, seed 0, quick: RuntimeError: " in here.stderr
    assert here.stderr.count("Traceback") == 1  # of what no user can mend
    assert "| Bilinear | L1 |" in table.read_text()
    expected = (folder / "l1" / "seed0" / "model.safetensors").read_bytes()

    jobs = study("losses=[broken,killed,preempted]", "hydra/launcher=local")
    assert jobs.returncode == 1
    assert (
        "1 of 3 runs failed or are missing:\n  sr with broken, seed 0, quick: the loss is not finite at step"
        in jobs.stderr
    )
    assert "| Bilinear | L1 | killed | preempted |" in table.read_text()
    for name in ("killed", "preempted"):  # both went on from their checkpoints
        assert (tmp_path / name).exists()
        assert (folder / name / "seed0" / "model.safetensors").read_bytes() == expected
        assert len(list((folder / name / "seed0").glob("events.out.*"))) == 2
        assert torch.load(folder / name / "seed0" / "checkpoint.pt", weights_only=True)["step"] == 6
    starts = [path.read_text().count("Starting with") for path in folder.parents[1].glob(".submitit/*/*.out")]
    assert sorted(starts) == [1, 1, 2]  # the preempted job came back from the queue
