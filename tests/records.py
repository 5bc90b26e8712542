"""Synthetic records with known answers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from restoration.runs import COLUMNS
from restoration.statistics import Condition

PLACE = Condition("photos", "cpu", "sr", "kodak24", "psnr")


def records_of(values: Mapping[str, np.ndarray], at: Condition = PLACE, *, first_seed: int = 0) -> pd.DataFrame:
    """Records of (images, seeds) values by loss."""
    rows = [
        (at.data, at.variant, at.test_set, at.task, loss, first_seed + seed, f"{image:02}.png", at.metric, value)
        for loss, table in values.items()
        for (image, seed), value in np.ndenumerate(table)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
