"""Synthetic records with known answers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from restoration.study.runs import COLUMNS
from restoration.study.statistics import Condition

PROVENANCE = {
    "commit": "abc",
    "hardware": "abacus",
    "precision": "fp32",
    "photographs": {"train": 7},
    "training_photographs_hash": "0123456789abcdef",
    "patches_seen": 98304,
    "batch": 8,
}  # all that tables show of it
PLACE = Condition("photos", "cpu", "sr", "kodak24", "psnr")


def records_of(values: Mapping[str, np.ndarray], at: Condition = PLACE, *, first_seed: int = 0) -> pd.DataFrame:
    """Records of (images, seeds) values by loss."""
    rows = [
        (at.data, at.variant, at.test_set, at.task, loss, first_seed + seed, f"{image:02}.png", at.metric, value)
        for loss, table in values.items()
        for (image, seed), value in np.ndenumerate(table)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
