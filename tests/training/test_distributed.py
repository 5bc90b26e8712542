"""Two processes train as one: the same gradients, one checkpoint, one message, no hang."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed as dist

from restoration.errors import UserError
from restoration.training.distributed import ALONE, TIMEOUT, PeerProcessFailed, World
from restoration.training.train import Interrupted
from tests.scripts.conftest import call
from tests.training.runs import LONG, PSNR, StopAfter, run, scalars

ROOT = Path(__file__).parents[2]


def in_two_processes(case: str, folder: Path) -> list[tuple[int, str]]:
    """Exit status and errors of the two processes of a case of distributed_cases.py."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.distributed_cases", case, str(folder)],
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [(process.returncode, error) for process, error in zip(processes, errors, strict=True)]


def test_two_processes_train_as_one(tmp_path):
    with pytest.raises(Interrupted):
        run(tmp_path / "alone", loss=StopAfter(5))
    assert in_two_processes("train", tmp_path) == [(0, ""), (0, "")]

    # two processes learn as much as one
    run(tmp_path / "one", budget=LONG, validated=True)
    one, two = (scalars(tmp_path / name, PSNR) for name in ("one", "long"))
    assert one[0] == two[0]
    assert two[LONG.patches] == pytest.approx(one[LONG.patches], abs=0.2)
    assert one[LONG.patches] > one[0] + 0.7
    assert len(list((tmp_path / "cut").glob("events.out.*"))) == 2  # of the first process alone, one for each start

    # runs that change the number of processes end, alone always with the same weights
    kept = (tmp_path / "left" / "checkpoint.pt").read_bytes()
    weights = []
    for _ in range(2):
        (tmp_path / "left" / "checkpoint.pt").write_bytes(kept)
        weights.append(run(tmp_path / "left"))
    assert torch.equal(*weights)
    for name, processes in (("left", 1), ("alone", 2)):
        state = torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        assert (state["step"], len(state["random"])) == (12, processes)


def test_non_finite_value_in_one_process(tmp_path):
    (first, silent), (second, message) = in_two_processes("fail", tmp_path)
    assert (first, silent, second) == (1, "", 1)
    assert "the loss is not finite at step 7 (FailsInSecond)" in message
    assert "Traceback" not in message
    batch = load_file(tmp_path / "failed_batch.safetensors")
    assert torch.equal(batch["target"], load_file(tmp_path / "seen.safetensors")["target"])


@pytest.mark.parametrize("name", ["average", "gathered", "from_first", "meet"])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("[tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1234", PeerProcessFailed),
        ("NCCL error: remote process exited or there was a network error", PeerProcessFailed),
        ("CUDA out of memory. Tried to allocate 2 GiB", UserError),
        ("Timed out waiting 600000ms for recv operation to complete", UserError),
    ],
)
def test_errors_of_collectives(monkeypatch, name, error, kind):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(error)

    for collective in ("all_reduce", "all_gather_object", "broadcast_object_list"):
        monkeypatch.setattr(dist, collective, fail)
    calls = {"average": [[torch.ones(1)]], "gathered": [1], "from_first": [lambda: 1], "meet": []}
    with pytest.raises(kind) as caught:
        getattr(World(0, 2), name)(*calls[name])
    assert str(caught.value.__cause__) == error
    assert 60 <= TIMEOUT.total_seconds() <= 3600  # packing and scoring in the first process have a longer one
    if kind is UserError:
        assert f"process 0 of 2 failed to exchange data with the others: RuntimeError: {error}" in str(caught.value)


def test_share_of_a_batch():
    assert (World(1, 4).share(8), ALONE.share(7)) == (2, 7)
    with pytest.raises(UserError, match=r"batch=8 cannot be divided equally among 3 processes; take budget\.batch=9"):
        World(0, 3).share(8)


def test_one_process_sends_nothing():
    tensor = torch.ones(2)
    ALONE.average([tensor])
    ALONE.meet()
    assert tensor.tolist() == [1, 1]
    assert ALONE.gathered("value") == ["value"]


def test_torchrun_and_sigterm(photo_folder, tmp_path):
    """make train GPUS=2: one process prints, and SIGTERM leaves one checkpoint, from which one process goes on."""
    places = [f"{name}={tmp_path}/{name}" for name in ("runs", "packs", "tables")]
    data = ["data=folder", f"data.train={photo_folder}/train", f"data.test={photo_folder}/test", "data.name=tiny"]
    options = ["task=sr", "loss=l1", "budget.patches=640", *data, *places]
    cut = subprocess.Popen(
        [sys.executable, "-m", "scripts", "train", "gpus=2", *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert cut.stdout
    lines = [cut.stdout.readline()]
    while "after 128 patches" not in lines[-1]:
        assert cut.poll() is None
        lines.append(cut.stdout.readline())
    cut.send_signal(signal.SIGTERM)
    _, errors = cut.communicate(timeout=60)
    assert cut.returncode != 0
    assert "".join(lines).count("sr with l1, seed 0: trains in") == 1
    assert errors.count("SIGTERM: stopped with a checkpoint; the same command goes on from there.") == 1
    (checkpoint,) = (tmp_path / "runs").rglob("checkpoint.pt")
    state = torch.load(checkpoint, weights_only=True)
    assert 0 < state["step"] < 80
    assert f"continues after {8 * state['step']} of 640 patches" in call("train", *options)
    assert list((tmp_path / "runs").rglob("model.safetensors"))
