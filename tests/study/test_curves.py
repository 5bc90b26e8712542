"""Curves read from TensorBoard's events and from curves.csv are equal."""

import time
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from restoration.study.curves import CURVE, curve, read_curves, write_curves
from restoration.study.runs import Run

STORED = {name: name for name in ("train/loss", "train/gradient_share/l1", "val/psnr", "test/kodak24/l2")}  # until 2026
SHOWN = {
    "train/loss": "loss, each in its own unit/loss",
    "train/gradient_share/l1": "9 share of the gradient/l1",
    "val/psnr": "1 PSNR (dB)/validation",
    "test/kodak24/l2": "5 1000 L2/test kodak24",
}


@pytest.fixture(params=[STORED, SHOWN], ids=["stored", "shown"])
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """A training of 1000 patches that was stopped after 700 and resumed from a checkpoint at 500."""
    tags, times = request.param, 1000 if request.param is SHOWN else 1
    run = Run(tmp_path, "photos", "10", "sr", "mix", 2, part="seeds")
    for begin, end, purge in ((0, 700, 1), (500, 1000, 501)):
        time.sleep(1.01 if begin else 0)  # event files are read in the order of their names, which contain the second
        with SummaryWriter(str(run.folder), purge_step=purge) as board:
            for patches in range(begin, end + 1, 50):
                value = patches / 1000 + (0.1 if end == 700 else 0)
                if patches > begin:
                    board.add_scalar(tags["train/loss"], value, patches)
                    board.add_scalar(tags["train/gradient_share/l1"], value, patches)
                if patches % 500 == 0 and (patches > begin or not begin):
                    board.add_scalar(tags["val/psnr"], 30 + value, patches)
                    board.add_scalar(tags["test/kodak24/l2"], times * value / 100, patches)
    return run


def test_events(run):
    """Training curves are means of two values, such as those after 50 and 100 patches; purged values are ignored."""
    curves = read_curves(run)
    assert list(curves) == CURVE
    assert set(curves["tag"]) == {"val/psnr", "test/kodak24/l2", "train/gradient_share/l1"}
    assert curves.iloc[0][:4].tolist() == ["seeds", "sr", "mix", 2]
    assert curve(curves, "val/psnr") == ([0, 500, 1000], [30.1, 30.6, 31])
    assert curve(curves, "test/kodak24/l2")[1] == pytest.approx([0.001, 0.006, 0.01])
    patches, shares = curve(curves, "train/gradient_share/l1")
    assert patches == list(range(100, 1001, 100))
    assert shares == pytest.approx([0.175, 0.275, 0.375, 0.475, 0.575, 0.575, 0.675, 0.775, 0.875, 0.975])


def test_file(run):
    """The file has the same values, and is read instead of the events."""
    before = read_curves(run)
    write_curves(run)
    for events in run.folder.glob("events.*"):
        events.unlink()
    assert read_curves(run).equals(before)


def test_without_events(tmp_path):
    curves = read_curves(Run(tmp_path, "photos", "cpu", "sr", "mix", 0))
    assert curves.empty
    assert list(curves) == CURVE
