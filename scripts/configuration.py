"""The configuration of a command from its arguments, with a message for every mistake; without PyTorch."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, ListConfig, OmegaConf

from restoration.errors import UserError
from scripts.make import nearest

CONFIGS = Path(__file__).parents[1] / "configs"
GROUPS = {folder.name for folder in CONFIGS.iterdir() if folder.is_dir()}
MANY = 12  # names in one message
ANY_KIND = ("data.val",)  # a number of photographs, or a folder

OmegaConf.register_new_resolver("share", lambda number, parts, least=1: max(least, number // parts), replace=True)
OmegaConf.register_new_resolver("times", lambda number, factor: number * factor, replace=True)


def composed(name: str, values: Sequence[str]) -> DictConfig:
    """The configuration configs/<name>.yaml with these values instead of the defaults.

    Args:
        values: such as "budget.batch=32", as in ARGS of make.

    Raises:
        UserError: a value cannot be read, its name is unknown, or it is of the wrong kind.
    """
    GlobalHydra.instance().clear()
    hydra.initialize_config_dir(str(CONFIGS), version_base="1.3")
    overrides = [_parsed(value) for value in values]
    choices = [each for each in overrides if each.key_or_group in GROUPS or each.key_or_group.startswith("hydra.")]
    others = [each for each in overrides if each not in choices]
    defaults: Any = {}
    try:
        defaults = hydra.compose(name, [str(each.input_line) for each in choices], return_hydra_config=True)
        config = hydra.compose(name, list(values), return_hydra_config=True)
    except MissingConfigException as error:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        known = error.options or []
        raise UserError(f"{group}={choice} is unknown{nearest(choice, known)}; there are {', '.join(known)}") from error
    except (HydraException, ValueError) as error:
        known = set(_names_in(OmegaConf.to_container(defaults, resolve=False))) if defaults else set()
        wrong = [each.key_or_group for each in others if each.key_or_group not in known and not each.is_add()]
        raise UserError(_unknown(wrong[0], known) if wrong and known else str(error)) from error
    HydraConfig.instance().set_config(config)
    for key in [each.key_or_group for each in others if each.key_or_group not in ANY_KIND]:
        value, default = (OmegaConf.select(each, key, throw_on_resolution_failure=False) for each in (config, defaults))
        if not _same_kind(value, default):
            example = "" if isinstance(default, bool | DictConfig) else f" such as {default}"
            raise UserError(f"{key} must be {_kind(default)}{example}, got {value}")
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _parsed(text: str) -> Override:
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        override = None
    if override is None or override.is_sweep_override():
        raise UserError(
            f"{text} cannot be read as name=value; a value with spaces, commas, brackets or quotes needs quotes "
            f"""of its own: ARGS="'name=\\"a value\\"'\""""
        )
    return override


def _same_kind(value: Any, default: Any) -> bool:
    """Whether a value has the kind of its default. A number may replace a text; null fits every kind."""
    if value is None or default is None:
        return True
    if isinstance(value, ListConfig) and isinstance(default, ListConfig):
        return not default or all(_same_kind(each, default[0]) for each in value)
    return _kind(value) == _kind(default) or (_kind(value), _kind(default)) == ("a number", "a text")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = {DictConfig: "a group of values", ListConfig: "a list", str: "a text"}
    return kinds.get(type(value), "a number")


def _unknown(key: str, known: Iterable[str]) -> str:
    """The message for a name that a configuration does not have."""
    place = key.rpartition(".")[0]
    parts = [name.rpartition(".") for name in known]
    beside = sorted(name for other, _, name in parts if other == place and not name.startswith("_"))
    listed = f"; {place or 'the configuration'} has {', '.join(beside)}" if 0 < len(beside) <= MANY else ""
    return f"{key} is unknown{nearest(key, known)}{listed}"


def _names_in(config: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of all values and groups of a configuration."""
    for key, value in config.items() if isinstance(config, dict) else ():
        yield f"{prefix}{key}"
        yield from _names_in(value, f"{prefix}{key}.")
