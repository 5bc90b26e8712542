"""Messages of errors for users."""

import re

import pytest
import torch

from restoration.errors import UserError
from scripts.cli import clear_errors, explained
from tests.scripts.conftest import call


def caused(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


def test_tracebacks_on_request(monkeypatch, capsys):
    """Tracebacks are printed on request, and for errors that a user cannot correct."""
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
        ("_target_: nosuch.Loss", "_target_: nosuch.Loss cannot be imported"),
        ("_target_: torch.nn.NoSuchLoss", "_target_: torch.nn.NoSuchLoss cannot be imported"),
        ("_target_: torch.nn.functional.l1_loss", "l1_loss is a function, not a class: write a class"),
        ("_target_: torch.nn.SmoothL1Loss\nbetta: 1", "betta is unknown (did you mean beta?); torch.nn.modules.loss"),
        ("_target_: restoration.losses.Clamped", "needs a value for 'loss'"),
        ("_target_: restoration.losses.Sum\nlosses: {}\nweights: {}", "Sum refuses its values: "),
    ],
)
def test_wrong_losses(yaml, message, with_losses, tmp_path, refused):
    """Refused before photographs are packed, without Hydra's words."""
    options = [*with_losses(mine=yaml), "loss=mine", "task=sr", f"packs={tmp_path}/packs"]
    said = refused("train", options, message)
    assert not re.search("hydra|Error in call|full_key|while building", said, re.IGNORECASE)
    assert not (tmp_path / "packs").exists()


def test_similarity(with_losses, refused):
    """A loss that is higher for better images is refused, unless the trial call is switched off.

    After its training, a missing module is named.
    """
    options = [*with_losses(mine="_target_: tests.failing_losses.Similarity"), "loss=mine", "task=sr"]
    refused("train", options, "for an exact patch", "take 1 - similarity", "trial=false")
    call("train", *options, "trial=false")
    with_losses(mine="_target_: nosuch.Loss")
    refused("train", options, "nosuch")
