"""The scores of a study as arrays: one for each column of a table under each condition."""

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from restoration.errors import UserError
from restoration.study.records import Study

TILE = r" row \d+ column \d+$"  # ends the name of a tile of a raw file


class Condition(NamedTuple):
    """The condition of a comparison: a part of a study, a task, a test set and a metric."""

    part: str
    task: str
    test_set: str
    metric: str


class Values(NamedTuple):
    """The scores of one column under one condition.

    Attributes:
        values: (photographs, seeds).
        images: names of the photographs, sorted.
        seeds: seeds of the trainings, sorted.
    """

    values: np.ndarray
    images: np.ndarray
    seeds: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        """True for a photograph with finite values of all seeds, (photographs,)."""
        return np.asarray(np.isfinite(self.values).all(axis=1))

    def of_seeds(self, seeds: np.ndarray) -> "Values":
        """The scores of some seeds."""
        kept = np.isin(self.seeds, seeds)
        return self._replace(values=self.values[:, kept], seeds=self.seeds[kept])

    @property
    def tiled(self) -> bool:
        """Whether the images are tiles of one raw photograph instead of whole photographs."""
        return re.search(TILE, self.images[0]) is not None


def values_by_column(study: Study) -> dict[tuple[Condition, str], Values]:
    """The scores of every column under every condition; the part of untrained columns is "".

    Raises:
        UserError: two trainings are not scored on the same photographs of a test set.
    """
    keys = [*Condition._fields, "loss"]
    rows = _averaged_tiles(study).sort_values([*keys, "seed", "image"], ignore_index=True)
    images = {key: np.unique(names) for key, names in rows.groupby(["task", "test_set"])["image"]}
    image, seed, value = (rows[name].to_numpy() for name in ("image", "seed", "value"))
    groups: Any = rows.groupby(keys, sort=False).indices
    columns = {}
    for (*names, loss), indices in groups.items():
        condition, seeds = Condition(*names), np.unique(seed[indices])
        expected = images[condition.task, condition.test_set]
        if not np.array_equal(image[indices], np.tile(expected, len(seeds))):
            lacking = sorted({*expected} - {*image[indices]}) or ["some of them twice, or with some seeds only"]
            raise UserError(
                f"{loss} ({condition.part or 'every part'}, {condition.task}, {condition.metric}) is not scored on all "
                f"photographs of {condition.test_set}: {', '.join(lacking[:5])}; score everything again (make eval)"
            )
        columns[condition, loss] = Values(value[indices].reshape(len(seeds), -1).T, expected, seeds)
    return columns


def _averaged_tiles(study: Study) -> pd.DataFrame:
    """The scores; if there are several raw files, each counts as one photograph: the mean over its tiles."""
    scores = study.scores[[*Condition._fields, "loss", "seed", "image", "value"]]
    raw = scores["test_set"].isin([name for name, facts in study.test_sets.items() if "noise" in facts])
    files = scores.loc[raw, "image"].str.replace(TILE, "", regex=True)
    if files.nunique() < 2:
        return scores
    tiles = scores[raw].assign(image=files)
    means = tiles.groupby([name for name in tiles if name != "value"], as_index=False)["value"].mean()
    return pd.concat([scores[~raw], pd.DataFrame(means)], ignore_index=True)
