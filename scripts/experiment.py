"""From the parts of an experiment, as configs/experiment/ describes them, to single runs."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from restoration.errors import UserError
from restoration.study.runs import Run
from scripts.train import run_of

OmegaConf.register_new_resolver("third", lambda number: max(1, number // 3), replace=True)


class Planned(NamedTuple):
    """A run as a command line would ask for it, and the configuration that comes of that, resolved."""

    overrides: list[str]
    config: DictConfig

    @property
    def of_job(self) -> list[str]:
        """The overrides without Hydra's own, which all jobs share."""
        return [text for text in self.overrides if not key_of(text).startswith("hydra")]


def planned(parts: Mapping[str, Mapping[str, Any]], shared: Sequence[str], data: str) -> dict[Run, Planned]:
    """The runs of all parts, each once, in order.

    Args:
        parts: by name, values of a run; those of a list are multiplied.
        shared: overrides of every run; a part's own go before.
        data: the name of the data set.

    Raises:
        UserError: a run cannot be composed, or two that differ have the same names.
    """
    grid: dict[Run, Planned] = {}
    origins: dict[Run, str] = {}
    for part, values in parts.items():
        for own in _points(values):
            overrides = list({key_of(text): text for text in [*shared, *own]}.values())
            try:
                config = composed(overrides)
            except HydraException as error:
                raise UserError(f"part {part} of the experiment, {' '.join(own)}: {error}") from error
            run = run_of(config, data)
            if run in grid and grid[run].config != config:
                raise UserError(
                    f"{run.folder} would be two runs, of part {origins[run]}: {' '.join(grid[run].overrides)}\n"
                    f"and of part {part}: {' '.join(overrides)}\n"
                    "Give one of them names.loss or variant of its own."
                )
            if run not in grid:
                grid[run], origins[run] = Planned(overrides, config), part
    return grid


def of_training(overrides: Sequence[str]) -> list[str]:
    """Those of a program's overrides that a training takes too: the others are the program's own."""
    values = hydra.compose("train")
    names = {text: re.split(r"[.@/]", key_of(text))[0] for text in overrides}
    return [
        text for text, name in names.items() if name in values or (name == "hydra" and key_of(text) != "hydra.mode")
    ]


def composed(overrides: list[str]) -> DictConfig:
    """The training configuration that a command line with these overrides would have, resolved."""
    config = hydra.compose("train", overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    del config.hydra
    OmegaConf.resolve(config)  # before the next one takes its place in HydraConfig
    return config


def key_of(override: str) -> str:
    """What an override is of."""
    return override.partition("=")[0].lstrip("+~")


def _points(values: Mapping[str, Any]) -> Iterator[list[str]]:
    """The grid of a part, as overrides."""
    axes = [value if isinstance(value, list) else [value] for value in values.values()]
    for point in product(*axes):
        yield [
            f"{key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in zip(values, point, strict=True)
        ]
