"""The folder that TensorBoard reads, and its contents."""

import os
import shutil

import pytest
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from scripts.tensorboard import main


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """The arguments of TensorBoard, which is not started."""
    words: list[str] = []
    monkeypatch.setattr(os, "execv", lambda path, command: words.extend(command[3:]))
    return words


def test_one_task(copied, started):
    """Runs are named as in tables; validation comes first."""
    main([f"--runs={copied}/runs", "--task=sr", "--port", "7000", "--bind_all"])
    option, folder, *others = started
    assert (option, others) == ("--logdir", ["--port", "7000", "--bind_all"])
    board = EventMultiplexer().AddRunsFromDirectory(folder).Reload()
    assert board.Runs().keys() == {"l1 / seed 0", "mix / seed 0"}
    tags = sorted(board.Runs()["mix / seed 0"]["scalars"])
    assert tags[0] == "1 PSNR (dB)/validation"
    assert tags[5:7] == ["6 final test scores/MS-SSIM, test", "6 final test scores/PSNR (dB), test"]


def test_several_variants(copied, started):
    shutil.copytree(copied / "runs/tiny/quick", copied / "runs/tiny/mine")
    main([f"--runs={copied}/runs", "--loss=mix"])
    runs = EventMultiplexer().AddRunsFromDirectory(started[1]).Runs()
    assert runs.keys() == {"tiny mine mix / seed 0", "tiny quick mix / seed 0"}
    main([f"--runs={copied}/runs", "--variant=mine"])
    assert EventMultiplexer().AddRunsFromDirectory(started[-1]).Runs().keys() == {"l1 / seed 0", "mix / seed 0"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "take one, of jpeg, sr: TASK=jpeg"),
        (["--task=demosaic"], r"no run matches \*/\*/demosaic/\* in"),
        (["variant=mine"], "VARIANT= names a variant"),
    ],
)
def test_refused(copied, words, message):
    shutil.copytree(copied / "runs/tiny/quick/sr", copied / "runs/tiny/quick/jpeg")
    with pytest.raises(SystemExit, match=message):
        main([f"--runs={copied}/runs", *words])
