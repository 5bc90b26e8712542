"""Recalled figures stand beside ours with their mark, and are nowhere tested for truth."""

from pathlib import Path

import numpy as np
import pandas as pd

from restoration.names import INPUT
from restoration.study.published import beside_published, read_published
from restoration.study.rendering import markdown
from restoration.study.statistics import Condition
from tests.records import records_of

PAPER = Path(__file__).parents[2] / "results/paper.csv"


def test_every_published_figure_is_marked():
    published = read_published(PAPER)
    assert set(published["status"]) == {"recalled, unverified"}
    assert set(published["task"]) == {"demosaic", "sr", "jpeg"}
    assert published["value"].between(0, 50).all()


def test_ours_and_theirs_share_a_cell_and_gaps_are_dashes():
    at = Condition("photos", "long", "sr", "kodak24", "psnr")
    records = records_of({INPUT: np.array([[26.0], [28.0]]), "l1": np.array([[30.0, 32.0], [31.0, 33.0]])}, at)
    published = pd.DataFrame(
        [("sr", INPUT, "psnr", 27.16), ("sr", "l1", "psnr", 31.26), ("sr", "mix", "psnr", 31.34)],
        columns=["task", "loss", "metric", "value"],
    )
    (table,) = beside_published(records, published)
    text = markdown(table)
    assert "|  | Input | L1 | Mix |" in text
    assert "| PSNR (dB) | 27.00 (27.16) | 31.50 (31.26) | – (31.34) |" in text
    assert "recalled, unverified" in text
