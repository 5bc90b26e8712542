"""Curves are read alike from events and from the file that is written of them."""

import time
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from restoration.study.runs import Run
from restoration.study.scalars import COLUMNS, curve, read_scalars


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A training of 1000 patches that was stopped after 700 and resumed from a checkpoint at 500."""
    run = Run(tmp_path, "photos", "10", "sr", "mix", 2)
    for begin, end, purge in ((0, 700, 1), (500, 1000, 501)):
        time.sleep(1.01 if begin else 0)  # files of events are read in the order of their names, which tell the second
        with SummaryWriter(str(run.folder), purge_step=purge) as board:
            for patches in range(begin, end + 1, 50):
                value = patches / 1000 + (0.1 if end == 700 else 0)
                if patches > begin:
                    board.add_scalar("train/loss", value, patches)
                    board.add_scalar("train/gradient_share/l1", value, patches)
                if patches % 500 == 0 and (patches > begin or not begin):
                    board.add_scalar("val/psnr", 30 + value, patches)
                    board.add_scalar("test/kodak24/l2", value / 100, patches)
    return run


def test_events_become_rows_and_shares_means_of_tenths(run):
    scalars = read_scalars(run)
    assert list(scalars) == COLUMNS
    assert set(scalars["tag"]) == {"val/psnr", "test/kodak24/l2", "train/gradient_share/l1"}  # and no train/loss
    assert scalars.iloc[0][:5].tolist() == ["photos", "10", "sr", "mix", 2]
    assert curve(scalars, "val/psnr") == ([0, 500, 1000], [30.1, 30.6, 31])
    patches, shares = curve(scalars, "train/gradient_share/l1")
    assert patches == list(range(100, 1001, 100))
    # of each tenth two values, 50 and 100 of the first; what was logged after the checkpoint is forgotten
    assert shares == pytest.approx([0.175, 0.275, 0.375, 0.475, 0.575, 0.575, 0.675, 0.775, 0.875, 0.975])


def test_the_file_says_what_the_events_said_and_outlives_them(run):
    before = read_scalars(run)
    before.to_csv(run.folder / "scalars.csv", index=False)
    for events in run.folder.glob("events.*"):
        events.unlink()
    assert read_scalars(run).equals(before)


def test_without_events_there_are_no_scalars(tmp_path):
    run = Run(tmp_path, "photos", "cpu", "sr", "mix", 0)
    assert read_scalars(run).empty
    assert list(read_scalars(run)) == COLUMNS
