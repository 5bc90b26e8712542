"""From the words of a command to its configuration, with a message for every mistake; PyTorch is not loaded."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf

from restoration.errors import UserError
from scripts.make import nearest

CONFIGS = Path(__file__).parents[1] / "configs"
MANY = 12  # names in one message

OmegaConf.register_new_resolver("share", lambda number, parts, least=1: max(least, number // parts), replace=True)
OmegaConf.register_new_resolver("times", lambda number, factor: number * factor, replace=True)


def composed(name: str, values: Sequence[str]) -> DictConfig:
    """The configuration configs/<name>.yaml with these values in place of its own.

    Args:
        values: such as "budget.batch=32", as in ARGS of make.

    Raises:
        UserError: a value cannot be read, or its name is unknown.
    """
    GlobalHydra.instance().clear()
    hydra.initialize_config_dir(str(CONFIGS), version_base="1.3")
    try:
        config = hydra.compose(name, list(values), return_hydra_config=True)
    except HydraException as error:
        raise UserError(mistake(name, values, error)) from error
    HydraConfig.instance().set_config(config)
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def mistake(name: str, values: Sequence[str], error: HydraException) -> str:
    """What is wrong with the values that Hydra refuses, in the user's terms."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        known = error.options or []
        return f"{group}={choice} is unknown{nearest(choice, known)}; there are {', '.join(known)}"
    parser, overrides = OverridesParser.create(), []
    for value in values:
        try:
            overrides.append(parser.parse_override(value))
        except HydraException:
            return (
                f"{value} cannot be read as name=value; a value with spaces, commas, brackets or quotes needs quotes "
                f"""of its own: ARGS="'name=\\"a value\\"'\""""
            )
    base = hydra.compose(name, return_hydra_config=True)
    groups = {str(group): choice for group, choice in base.hydra.runtime.choices.items() if "/" not in str(group)}
    chosen = [value for value, each in zip(values, overrides, strict=True) if each.key_or_group in groups]
    known = {*groups, *names_in(OmegaConf.to_container(hydra.compose(name, chosen), resolve=False))}
    for override in overrides:
        key = override.key_or_group
        if key not in known and not override.is_add() and not key.startswith("hydra."):
            return unknown(key, known)
    return str(error)


def unknown(key: str, known: Iterable[str]) -> str:
    """The message for a name that a configuration does not have."""
    place = key.rpartition(".")[0]
    parts = [name.rpartition(".") for name in known]
    beside = sorted(name for other, _, name in parts if other == place and not name.startswith("_"))
    listed = f"; {place or 'the configuration'} has {', '.join(beside)}" if 0 < len(beside) <= MANY else ""
    return f"{key} is unknown{nearest(key, known)}{listed}"


def names_in(config: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of all values of a configuration, also of those that hold others."""
    for key, value in config.items() if isinstance(config, dict) else ():
        yield f"{prefix}{key}"
        yield from names_in(value, f"{prefix}{key}.")
