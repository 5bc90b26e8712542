"""What a user reads of an error."""

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from restoration.errors import UserError
from scripts.cli import clear_errors, explained
from tests.scripts.conftest import call


def caused(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


def test_tracebacks_on_request(monkeypatch, capsys):
    """Only for a cause in somebody's code, and for errors that no user can mend."""
    wrapped = caused(UserError("the loss fails"), IndexError("no such channel"))
    assert explained(wrapped) == "the loss fails\nTRACEBACK=1 before the same command shows where."
    assert explained(caused(UserError("no disk"), OSError("full"))) == "no disk"
    assert capsys.readouterr().err == ""
    assert explained(ZeroDivisionError("division by zero")) == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setenv("TRACEBACK", "1")
    assert explained(wrapped) == "the loss fails"
    assert "IndexError: no such channel" in capsys.readouterr().err


def test_out_of_memory():
    with pytest.raises(SystemExit, match=r"out of memory; lower budget\.batch.* \(CUDA out"), clear_errors():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("beta: 1", "the configuration of the loss names no class: add _target_"),
        ("_target_: torch.nn.L1Loss\n_partial_: true", "_partial_: true, which builds nothing"),
        ("_target_: torch.nn.L1Loss\nreduction: none", r"returns a tensor of shape (4, 3, 31, 31), not one number"),
        ("_target_: nosuch.Loss", "nosuch"),
        ("_target_: piq.SSIMLoss", "restoration.losses.Clamped"),
    ],
)
def test_wrong_losses(yaml, message, tiny, tmp_path, refused):
    """Refused before photographs are packed."""
    (tmp_path / "configs/loss").mkdir(parents=True)
    (tmp_path / "configs/loss/mine.yaml").write_text(yaml)
    options = [f"hydra.searchpath=[file://{tmp_path}/configs]", *tiny, "loss=mine", "task=sr"]
    refused("train", [*options, f"packs={tmp_path}/packs"], message)
    assert not (tmp_path / "packs").exists()


def test_module_that_is_gone(tiny, tmp_path, refused):
    (tmp_path / "configs/loss").mkdir(parents=True)
    file = tmp_path / "configs/loss/mine.yaml"
    file.write_text("_target_: torch.nn.L1Loss")
    options = [f"hydra.searchpath=[file://{tmp_path}/configs]", *tiny, "loss=mine", "task=sr"]
    call("train", *options)
    file.write_text("_target_: nosuch.Loss")
    refused("train", options, "nosuch")


@pytest.mark.parametrize("target", ["no_such_module.Loss", "torch.nn.NoSuchLoss"])
def test_targets_that_are_missing(target):
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": target})
    message = explained(caught.value)
    assert message.startswith(f"_target_: {target} cannot be imported: ")
    assert "HYDRA" not in message
