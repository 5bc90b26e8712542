"""The run of a configuration: names of the folder, and the identity of the training."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from restoration.errors import UserError
from restoration.files import write_text
from restoration.study.runs import Run, find_runs, read_scoring
from restoration.training.identity import code_of
from scripts.trained import config_of

GROUPS = ("task", "loss", "model", "optimizer", "budget")


def run_of(config: DictConfig, data: str) -> Run:
    """The run that `config` composes, on a data set of this name."""
    names = config.names
    return Run(
        Path(config.runs),
        str(data),
        str(config.variant),
        names.task,
        names.loss,
        config.seed,
        study=str(config.study),
        part=config.part,
    )


def study_facts(config: DictConfig) -> dict[str, Any]:
    """Title and family of the loss, and what varies between the runs of a study."""
    loss, names = config.loss, config.names
    about = loss.get("about") or {}
    values = {name: loss.get(name) for name in ("alpha", "l1_scale", "sigma")}
    return {
        "title": about.get("title", names.file),
        "family": about.get("family", names.loss),
        **{name: value if isinstance(value, int | float) else None for name, value in values.items()},
        "learning_rate": config.budget.learning_rate * config.budget.loss_factor,
        "model": names.model,
        "optimizer": names.optimizer,
    }


def identity_of(config: DictConfig, photographs: str) -> dict[str, Any]:
    """The identity of a training, which does not depend on the hardware.

    Args:
        photographs: key of the training photographs.
    """
    groups: Any = {name: OmegaConf.to_container(config[name], resolve=True) for name in GROUPS}
    groups["loss"].pop("about", None)
    try:
        code = code_of(get_object(target) for target in targets_in(groups))
    except ImportError as error:
        raise UserError(str(error)) from error
    return {**groups, "seed": config.seed, "precision": config.precision, "photographs": photographs, "code": code}


def targets_in(config: Any) -> Iterator[str]:
    """The names of all classes and functions that a configuration calls."""
    if isinstance(config, dict):
        yield from [config["_target_"]] if "_target_" in config else []
        config = list(config.values())
    if isinstance(config, list):
        yield from chain.from_iterable(map(targets_in, config))


def refuse_other_degradation(run: Run, degradation: str) -> None:
    """Refuses a training with another degradation than its study: one table could not show both."""
    for other in find_runs(run.root, data=run.data, task=run.task):
        scored = read_scoring(other)["degradation"]
        if other.study == run.study and scored != degradation:
            raise UserError(
                f"{other.folder} was trained for {scored}, and this training is for {degradation}: "
                f"no table of {run.study} could hold both.\nGive this training its own name with variant=NAME."
            )


def remember_data(run: Run, data: DictConfig) -> None:
    """Writes the current folders of the photographs into a complete run's config.yaml."""
    trained = config_of(run)
    if trained.data != data:
        trained.data = data
        write_text(run.folder / "config.yaml", OmegaConf.to_yaml(trained, resolve=True))
