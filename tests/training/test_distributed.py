"""Two processes train as one would: the same gradients, one checkpoint, one message, no hang."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from restoration.errors import UserError
from restoration.training.budget import Budget
from restoration.training.distributed import ALONE, World
from restoration.training.train import Interrupted
from tests.training.test_train import StopAfter, run, scalars, weights

ROOT = Path(__file__).parents[2]


def together(case: str, folder: Path) -> list[tuple[int, str]]:
    """Runs a case of distributed_cases.py in two processes; the exit status and the errors of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.distributed_cases", case, str(folder)],
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [(process.returncode, error) for process, error in zip(processes, errors, strict=True)]


def test_two_processes_learn_as_one_and_resume_exactly(photo, tmp_path):
    with pytest.raises(Interrupted):
        run(photo, tmp_path / "alone", loss=StopAfter(5))
    assert together("train", tmp_path) == [(0, ""), (0, "")]

    run(photo, tmp_path / "one", budget=Budget(patches=480, batch=8, learning_rate=1e-3, validations=1))
    one, two = (scalars(tmp_path / name, "val/psnr") for name in ("one", "long"))
    assert one[0] == two[0]
    assert one[480] > one[0] + 0.3
    assert two[480] == pytest.approx(one[480], abs=0.2)
    loss = [scalars(tmp_path / name, "train/loss") for name in ("one", "long")]
    assert loss[0].keys() == loss[1].keys()

    assert len(list((tmp_path / "cut").glob("events.out.*"))) == 2  # of the first process alone, one a start
    for name in ("left", "alone"):  # at another number of processes than they began with
        kept = (tmp_path / name / "checkpoint.pt").read_bytes()
        if name == "left":
            results = []
            for _ in range(2):
                (tmp_path / name / "checkpoint.pt").write_bytes(kept)
                results.append(weights(run(photo, tmp_path / name)))
            assert torch.equal(*results)
        saved = torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        assert saved["step"] == 12
        assert len(saved["random"]) == {"left": 1, "alone": 2}[name]


def test_streams_begin_anew_only_where_the_number_of_processes_changed(photo, tmp_path):
    with pytest.raises(Interrupted):
        run(photo, tmp_path, loss=StopAfter(3))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    whole = weights(run(photo, tmp_path / "whole"))
    for processes, same in ((1, True), (2, False)):
        torch.save({**state, "random": processes * state["random"]}, tmp_path / "checkpoint.pt")
        assert torch.equal(weights(run(photo, tmp_path)), whole) == same


def test_a_value_that_is_not_finite_in_one_process_stops_both(tmp_path):
    (first, silent), (second, message) = together("fail", tmp_path)
    assert (first, silent) == (1, "")
    assert second == 1
    assert "the loss is not finite at step 7 (FailsInSecond)" in message
    assert "Traceback" not in message
    batch = load_file(tmp_path / "failed_batch.safetensors")
    assert torch.equal(batch["target"], load_file(tmp_path / "seen.safetensors")["target"])


def test_an_error_of_one_process_ends_the_other(tmp_path):
    (first, silent), (second, message) = together("refuse", tmp_path)
    assert (first, silent, second) == (1, "", 1)
    assert "budget.batch=7 cannot be divided equally among 2 processes" in message


def test_a_batch_is_shared_out_equally_or_refused():
    assert World(1, 4).share(8) == 2
    assert ALONE.share(7) == 7
    with pytest.raises(UserError, match=r"batch=8 cannot be divided equally among 3 processes; take budget\.batch=9"):
        World(0, 3).share(8)


def test_alone_nothing_is_sent():
    tensor = torch.ones(2)
    ALONE.average([tensor])
    assert tensor.tolist() == [1, 1]
    assert ALONE.gathered("own") == ["own"]
    assert not torch.distributed.is_initialized()


def test_torchrun_stopped_by_sigterm_goes_on_to_the_same_weights(photo_folder, tmp_path):
    def command(runs: str) -> list[str]:
        places = [f"runs={tmp_path}/{runs}", f"packs={tmp_path}/packs", f"tables={tmp_path}/tables"]
        data = ["data=folder", f"data.train={photo_folder}/train", f"data.test={photo_folder}/test", "data.name=tiny"]
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
        return [*launch, "scripts.train", "task=jpeg", "loss=l1", "budget.patches=640", *data, *places]

    def started(runs: str) -> subprocess.Popen:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            command(runs), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    whole = started("whole")
    output, errors = whole.communicate(timeout=120)
    assert whole.returncode == 0, errors
    assert output.count("640 patches  1000 L2") == 1  # only one process speaks

    cut = started("cut")
    while "128 patches" not in cut.stdout.readline():
        assert cut.poll() is None
    cut.send_signal(signal.SIGTERM)
    _, errors = cut.communicate(timeout=60)
    assert cut.returncode != 0
    assert errors.count("SIGTERM: stopped with a checkpoint; the same command goes on from there.") == 1
    (checkpoint,) = (tmp_path / "cut").rglob("checkpoint.pt")
    assert 0 < torch.load(checkpoint, weights_only=True)["step"] < 80
    assert not list((tmp_path / "cut").rglob("model.safetensors"))

    resumed = started("cut")
    _, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    weights_of = {runs: next((tmp_path / runs).rglob("model.safetensors")).read_bytes() for runs in ("whole", "cut")}
    assert weights_of["whole"] == weights_of["cut"]
