"""A run folder holds one training, and one process works on it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from restoration.study.provenance import commit_of
from scripts.cli import chosen_device
from tests.scripts.conftest import call, places

ROOT = Path(__file__).parents[2]
LOSS = """
from restoration.losses import L1Loss
class MyLoss(L1Loss):
    def forward(self, restored, target):
        return {factor} * super().forward(restored, target)
"""


@pytest.fixture
def my_loss(with_losses, tmp_path, monkeypatch):
    """Writes a user's loss, new at each call; returns the overrides of a training with this loss."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(factor: int) -> list[str]:
        (tmp_path / "myloss.py").write_text(LOSS.format(factor=factor))
        sys.modules.pop("myloss", None)
        return [*with_losses(mine="_target_: myloss.MyLoss\n"), "loss=mine", "task=sr"]

    yield write
    sys.modules.pop("myloss", None)


def first_line(text: str) -> str:
    return text.splitlines()[0]


def test_edited_loss(my_loss, tmp_path, refused):
    """The first line says whether the run trains, is complete, continues, or has other code."""
    options = my_loss(1)
    assert first_line(call("train", *options)).startswith("sr with mine, seed 0: trains in ")
    assert ": complete, trained on 20" in first_line(call("train", *options))
    my_loss(2)
    message = refused("train", options, "holds another training", "  the code of myloss has changed", "variant=NAME")
    assert len(message.splitlines()) == 3
    refused("study", [*options[:-2], "losses=[mine]", "tasks=[sr]"], "1 of 1 runs failed", "code of myloss")
    config = tmp_path / "runs/tiny/quick/sr/mine/seed0/config.yaml"
    config.unlink()  # as if killed before it was complete
    refused("train", options, "the code of myloss has changed")
    my_loss(1)
    assert ": continues after 48 of 48 patches in " in first_line(call("train", *options))
    assert config.exists()


def test_other_degradation(copied, tiny, refused):
    """Another degradation is refused before the training: one table could not show both."""
    options = [*tiny, *places(copied), "task=sr", "task.scale=3", "loss=l2"]
    refused("train", options, "SuperResolution(scale=2", "SuperResolution(scale=3", "variant=NAME")
    assert not list(copied.rglob("sr/l2/seed0/checkpoint.pt"))


def test_other_photographs(copied, tiny, photographs, tmp_path, refused):
    shutil.copytree(photographs / "train", tmp_path / "train", ignore=shutil.ignore_patterns("0.png"))
    options = [*tiny, *places(copied), "task=sr", f"data.train={tmp_path}/train", f"packs={tmp_path}/packs"]
    refused("train", options, "the training photographs are others")
    assert not (tmp_path / "packs").exists()  # refused before they are packed


HOLDER = """
import sys, time
from pathlib import Path
from restoration.files import alone_in
with alone_in(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_one_process_works(tiny, tmp_path, refused):
    """A second process gets the name of the first; the lock of a killed process is free."""
    folder = tmp_path / "runs/tiny/quick/sr/mix/seed0"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "holds\n"
    options = [*tiny, "task=sr", "loss=mix"]
    for _ in range(2):
        refused("train", options, f"process {holder.pid} on ", ", started 20", f", works in {folder}; wait")
    assert {path.name for path in folder.iterdir()} == {".lock", ".owner"}
    (folder / ".unfinished.checkpoint.pt").touch()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    call("train", *options)
    assert not {".owner", ".unfinished.checkpoint.pt"} & {path.name for path in folder.iterdir()}


@pytest.fixture
def one_thread():
    """Trainings in this process add up in the same order as those with OMP_NUM_THREADS=1."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_killed_training(data, tmp_path, refused):
    """While a process trains, another one is refused; a killed run ends with the weights of an undisturbed one."""
    (tmp_path / "configs/model").mkdir(parents=True)
    (tmp_path / "configs/model/tiny.yaml").write_text("_target_: tests.training.runs.Tiny\n")
    options = [f"hydra.searchpath=[file://{tmp_path}/configs]", *data, "task=sr", "loss=l1", "model=tiny"]
    options += ["budget.patches=8000", "budget.validations=1", "checkpoint_seconds=0"]
    command = [sys.executable, "-m", "scripts", "train", *options, *places(tmp_path)]
    owner = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    folder = tmp_path / "runs/tiny/quick/sr/l1/seed0"
    while not (folder / "checkpoint.pt").exists():
        assert owner.poll() is None
        time.sleep(0.02)
    owner.send_signal(signal.SIGSTOP)  # the process must not end before the other command
    refused("train", [*options, *places(tmp_path)], f"process {owner.pid} on ")
    owner.kill()
    owner.wait()
    assert not (folder / "config.yaml").exists()
    assert "continues after" in first_line(call("train", *options, *places(tmp_path)))
    call("train", *options, *places(tmp_path / "whole"))
    whole = tmp_path / "whole/runs/tiny/quick/sr/l1/seed0/model.safetensors"
    assert whole.read_bytes() == (folder / "model.safetensors").read_bytes()


def test_commit(tmp_path, monkeypatch):
    """Only the repository of this package counts; untracked code is a change."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    package = tmp_path / "zip"
    package.mkdir()
    (package / "a.py").touch()
    assert commit_of(package) == "unknown"

    def git(folder: Path, *arguments: str) -> str:
        name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "all")
    commit = git(tmp_path, "rev-parse", "--short=12", "HEAD").strip()
    assert commit_of(package) == "unknown"  # the repository around a zip that was unpacked in it
    assert commit_of(tmp_path) == commit
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert commit_of(package) == "unknown"
    (tmp_path / "notes.txt").touch()
    assert commit_of(tmp_path) == commit
    for name in ("my loss.py", "mine.yaml"):
        (tmp_path / name).touch()
        assert commit_of(tmp_path) == f"{commit}-dirty"
        (tmp_path / name).unlink()
    (package / "a.py").write_text("1")
    assert commit_of(tmp_path) == f"{commit}-dirty"


def test_float32_is_exact(monkeypatch):
    """TF32, which has 10 bits, is off, also if an environment variable or an earlier program switched it on."""
    precision = torch.get_float32_matmul_precision()
    monkeypatch.setattr("scripts.cli._keep_freed_memory", lambda: None)
    try:
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.allow_tf32 = True
        chosen_device("cpu")
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(precision)
