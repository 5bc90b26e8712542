"""The scores of a study by column of a table and by place."""

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from restoration.errors import UserError
from restoration.study.records import Study

TILE = r" row \d+ column \d+$"  # ends the name of a tile of a raw file


class Place(NamedTuple):
    """Losses are compared at one place: a part of a study, a task, a test set and a metric."""

    part: str
    task: str
    test_set: str
    metric: str


class Values(NamedTuple):
    """The scores of one column at one place.

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

    @property
    def tiled(self) -> bool:
        """True if the images are tiles of one raw photograph, not photographs."""
        return re.search(TILE, self.images[0]) is not None


def values_by_column(study: Study) -> dict[tuple[Place, str], Values]:
    """The scores of every column at every place; untrained columns are at places of the part "".

    Raises:
        UserError: two trainings are not scored on the same photographs of a test set.
    """
    keys = [*Place._fields, "loss"]
    rows = _averaged_tiles(study).sort_values([*keys, "seed", "image"], ignore_index=True)
    images = {key: np.unique(names) for key, names in rows.groupby(["task", "test_set"])["image"]}
    image, seed, value = (rows[name].to_numpy() for name in ("image", "seed", "value"))
    columns: dict[tuple[Place, str], Values] = {}
    groups: Any = rows.groupby(keys, sort=False).indices
    for (*names, loss), indices in groups.items():
        place, seeds = Place(*names), np.unique(seed[indices])
        every = images[place.task, place.test_set]
        if not np.array_equal(image[indices], np.tile(every, len(seeds))):
            single = sorted(set(every) - set(image[indices])) or ["some of them twice, or with some seeds only"]
            raise UserError(
                f"{loss} ({place.part or 'every part'}, {place.task}, {place.metric}) is not scored on all photographs "
                f"of {place.test_set}: {', '.join(single[:5])}; score everything again (make eval)"
            )
        columns[place, loss] = Values(value[indices].reshape(len(seeds), -1).T, every, seeds)
    return columns


def _averaged_tiles(study: Study) -> pd.DataFrame:
    """The scores; if there are several raw files, each counts as one photograph: the mean over its tiles."""
    scores = study.scores[[*Place._fields, "loss", "seed", "image", "value"]]
    raw = scores["test_set"].isin([name for name, facts in study.test_sets.items() if "noise" in facts])
    files = scores.loc[raw, "image"].str.replace(TILE, "", regex=True)
    if files.nunique() < 2:
        return scores
    tiles = scores[raw].assign(image=files)
    means = tiles.groupby([name for name in tiles if name != "value"], as_index=False)["value"].mean()
    return pd.concat([scores[~raw], pd.DataFrame(means)], ignore_index=True)
