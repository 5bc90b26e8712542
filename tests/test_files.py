"""Files appear whole or not at all."""

import contextlib
import os
import resource
import stat

import numpy as np
import pandas as pd
import pytest
import torch

from restoration.errors import UserError
from restoration.files import replacing, write_csv, write_text
from restoration.training.checkpoint import load_checkpoint, write_checkpoint


@contextlib.contextmanager
def full_disk():
    """No file may grow beyond 1000 bytes, as on a full disk; briefly, since pytest's own log may be a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.xz"])
def test_numbers_are_written_to_the_last_bit_whatever_a_package_has_set(tmp_path, name):
    frame = pd.DataFrame({"value": [0.9507464559354263, 1 / 3, 2e-7]})
    with np.printoptions(legacy="1.13"):
        assert "0.9507464559354263" not in frame.to_csv()
        write_csv(tmp_path / name, frame)
        assert np.get_printoptions()["legacy"] == "1.13"
    assert pd.read_csv(tmp_path / name)["value"].tolist() == frame["value"].tolist()


def test_text_replaces_the_old_one(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "first")
    write_text(path, "second")
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == ["a.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "first")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a.txt").read_text() == "first"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_leaves_the_old_table(tmp_path):
    write_text(tmp_path / "table.md", "old")
    with full_disk(), pytest.raises(OSError, match="too large"):
        write_text(tmp_path / "table.md", "x" * 2000)
    assert (tmp_path / "table.md").read_text() == "old"
    assert os.listdir(tmp_path) == ["table.md"]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"identity": {}, "random": [], "step": 1})
    with full_disk(), pytest.raises(UserError, match="the last checkpoint is kept"):
        write_checkpoint(path, {"identity": {}, "step": 2, "model": torch.zeros(10_000)})
    assert load_checkpoint(path, {}) == {"identity": {}, "random": [], "step": 1}
    assert os.listdir(tmp_path) == ["checkpoint.pt"]
