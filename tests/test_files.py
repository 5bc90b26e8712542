"""Files are written completely or not at all."""

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock

from restoration.errors import UserError
from restoration.files import alone_in, printable, replacing, write_csv, write_text
from restoration.training.checkpoint import load_checkpoint, write_checkpoint
from tests.photographs import full_disk


@pytest.mark.parametrize("name", ["a.csv", "a.csv.xz"])
def test_all_digits_are_written(tmp_path, name):
    """NumPy's print options, which other packages change, have no effect."""
    frame = pd.DataFrame({"value": [0.9507464559354263, 1 / 3, 2e-7]})
    with np.printoptions(legacy="1.13"):
        assert "0.9507464559354263" not in frame.to_csv()
        write_csv(tmp_path / name, frame)
        assert np.get_printoptions()["legacy"] == "1.13"
    assert pd.read_csv(tmp_path / name)["value"].tolist() == frame["value"].tolist()


@pytest.mark.parametrize("name", ["a.txt", "x" * 255, f"{'x' * 240}.tensors", f"a.{'x' * 250}", "é" * 120 + ".txt"])
def test_replacing(tmp_path, name):
    """A name of up to 255 bytes; the temporary name is short and keeps the suffix, which determines the format."""
    path = tmp_path / "new" / name
    for text in ("first", "second"):
        with replacing(path) as temporary:
            assert len(temporary.name) < 60
            assert temporary.suffix == path.suffix or path.suffix not in (".txt", ".tensors")
            temporary.write_text(text)
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == [name]


def test_permissions(tmp_path):
    """New files have the permissions of the umask, and many writing threads do not change the umask."""
    umask = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: write_text(tmp_path / f"{number}.txt", ""), range(200)))
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}
    finally:
        assert os.umask(umask) == 0o027


def test_error_while_writing(tmp_path):
    write_text(tmp_path / "a.txt", "first")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        write_text(tmp_path / "a.txt", "x" * 2000)
    assert (tmp_path / "a.txt").read_text() == "first"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_full_disk(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"identity": {}, "random": [], "step": 1})
    with full_disk(1000), pytest.raises(UserError, match="the last checkpoint is kept"):
        write_checkpoint(path, {"identity": {}, "step": 2, "model": torch.zeros(10_000)})
    assert load_checkpoint(path, {}) == {"identity": {}, "random": [], "step": 1}
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_one_at_a_time(tmp_path, capsys):
    """The second process waits; unfinished files are deleted first."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".unfinished.0123.txt").touch()
    steps = []

    def work(name: str) -> None:
        with alone_in(tmp_path):
            steps.append(name)
            if name == "first":
                second = pool.submit(work, "second")
                while "waiting" not in capsys.readouterr().out:
                    assert not second.done()
            steps.append(name)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(work, "first").result()
    assert steps == ["first", "first", "second", "second"]
    assert os.listdir(tmp_path / "deep") == []


def test_printable():
    assert printable(Path("a b/é [1] $x.png")) == "a b/é [1] $x.png"
    assert printable(os.fsdecode(b"caf\xe9\n.png")) == r"caf\udce9\n.png"


def test_owner_of_a_new_lock(tmp_path):
    """A process waits for the owner's name if the lock is newer; the name of a killed process is removed."""

    def enter():
        with alone_in(tmp_path, wait=False):
            pass

    with FileLock(tmp_path / ".lock"), ThreadPoolExecutor(1) as other:
        refused = other.submit(enter)
        time.sleep(0.2)
        (tmp_path / ".owner").write_text("process 2 on this machine")
        with pytest.raises(UserError, match="process 2 on this machine works in"):
            refused.result()
    (tmp_path / ".owner").write_text("process 1 on a machine that was killed")
    with alone_in(tmp_path):
        assert f"process {os.getpid()} on" in (tmp_path / ".owner").read_text()
    assert not (tmp_path / ".owner").exists()
