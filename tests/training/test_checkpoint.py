"""Checkpoints are written completely, and refused if damaged or of another training."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from restoration.errors import UserError
from restoration.losses import L1Loss
from restoration.training.checkpoint import (
    Resumable,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
    write_checkpoint,
)
from restoration.training.distributed import ALONE
from tests.training.runs import Tiny, run, sampler

ASKED = {"loss": {"alpha": 0.5, "sigmas": [1, 2]}, "seed": 0, "photographs": "b", "code": {"mine": "2", "new": "3"}}
THERE = {"loss": {"alpha": 0.84, "sigmas": [1, 2]}, "seed": 0, "photographs": "a", "code": {"mine": "1"}, "hardware": 1}


def test_another_training(tmp_path):
    """All differences are named; additional values in the file are ignored; the file is not changed."""
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"identity": THERE, "random": []})
    before = path.read_bytes()
    with pytest.raises(UserError, match="another training") as caught:
        load_checkpoint(path, ASKED)
    assert str(caught.value).splitlines()[1:] == [
        "  the code of mine has changed",
        "  the code of new has changed",
        "  loss.alpha: 0.84 in the checkpoint, 0.5 requested",
        "  the training photographs are others",
        "Give this training its own name with variant=NAME, or move that folder away.",
    ]
    assert load_checkpoint(path, {key: value for key, value in THERE.items() if key != "hardware"})
    assert path.read_bytes() == before
    run(tmp_path / "run", identity={"seed": 0})
    with pytest.raises(UserError, match="seed: 0 in the checkpoint, 1 requested"):
        run(tmp_path / "run", identity={"seed": 1})


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_damaged(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged, .*move its folder away"):
        load_checkpoint(path, {})
    assert path.read_bytes() == content
    write_checkpoint(path, {"identity": {}, "step": 3})  # of an earlier version
    with pytest.raises(UserError, match="another version"):
        load_checkpoint(path, {})


def test_cuda_random_numbers(tmp_path, monkeypatch):
    """The state of the GPU's generator is saved with the others; the test needs no GPU."""
    device = torch.device("cuda", 1)
    state = {device: torch.tensor([1, 2], dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "get_rng_state", state.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda new, of: state.update({of: new}))
    fake = SimpleNamespace(generator=SimpleNamespace(device=device), state=dict, load=lambda state: None)
    model = Tiny()
    resumable = Resumable(model, L1Loss(), torch.optim.Adam(model.parameters()), fake)  # pyright: ignore
    save_checkpoint(resumable, tmp_path / "checkpoint.pt", {}, ALONE)
    state[device] = torch.zeros(2, dtype=torch.uint8)
    saved = load_checkpoint(tmp_path / "checkpoint.pt", {})
    assert saved
    resumable.load_random(saved["random"][0])
    assert state[device].tolist() == [1, 2]


def test_processes_begin_new_random_numbers(tmp_path):
    """A checkpoint of two processes, continued by one: neither the numbers of the first nor those of the start."""
    model = Tiny()
    resumable = Resumable(model, L1Loss(), torch.optim.Adam(model.parameters()), sampler(), step=3)
    save_checkpoint(resumable, tmp_path / "checkpoint.pt", {"seed": 0}, ALONE)
    state = load_checkpoint(tmp_path / "checkpoint.pt", {})
    assert state
    weights = []
    for name, processes in (("same", 1), ("other", 2), ("again", 2)):
        write_checkpoint(tmp_path / name / "checkpoint.pt", {**state, "random": processes * state["random"]})
        weights.append(run(tmp_path / name))
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[1], weights[2])


class Tied(nn.Module):
    """Two layers with the same weights, one of them in another layout."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3)
        self.two.weight = self.one.weight


def test_weights(tmp_path):
    network, other = Tied().to(memory_format=torch.channels_last), Tied()
    save_weights(tmp_path / "weights", network)
    load_weights(tmp_path / "weights", other)
    assert torch.equal(other.two.weight, network.one.weight)
    for wrong, content in ((nn.Linear(2, 2), None), (Tied(), b"cut")):
        if content:
            (tmp_path / "weights").write_bytes(content)
        with pytest.raises(UserError, match="damaged, or holds the weights of another network"):
            load_weights(tmp_path / "weights", wrong)
