"""The contents of a run's folder: configuration, data and trained network."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import hydra
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from restoration.datasets.pack import pack_set, packed_before
from restoration.datasets.photos import PackedPhotos
from restoration.errors import UserError
from restoration.names import ordered_columns
from restoration.study.records import Study
from restoration.study.runs import Run, find_runs, of_first_seed, read_provenance, read_scoring
from restoration.tasks import Task
from restoration.training.checkpoint import load_weights


def config_of(run: Run) -> DictConfig | ListConfig:
    """The configuration that the run was trained with."""
    return OmegaConf.load(run.folder / "config.yaml")


def chosen_runs(config: DictConfig) -> list[Run]:
    """The runs in `config.runs` that match `config.only`.

    Raises:
        UserError: no run matches.
    """
    root, names = Path(config.runs), {str(name): value for name, value in config.only.items()}
    if runs := find_runs(root, **names):
        return runs
    wanted = ", ".join(f"{name}={value}" for name, value in names.items() if value) or "any"
    trained = "\n".join(f"  {run.folder}" for run in find_runs(root)) or "  none"
    raise UserError(
        f"no trained run matches {wanted} in {root}; trained are:\n{trained}\nTrain one: make train TASK=sr LOSS=mix"
    )


def main_runs(study: Study, root: Path) -> list[Run]:
    """The runs below `root` of the main part of a study."""
    return [run for run in find_runs(root, data=study.data) if run.study == study.variant and run.part == "main"]


def built_loss(config: DictConfig) -> torch.nn.Module:
    """The loss of a configuration, without `about`, which is for tables."""
    return instantiate({key: value for key, value in config.loss.items() if key != "about"})


def built_optimizer(config: DictConfig, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a configuration, with plain lists, because a checkpoint cannot store OmegaConf's lists."""
    return instantiate(config.optimizer, _convert_="all")(model.parameters())


def task_of(run: Run) -> Task:
    return instantiate(config_of(run).task)


def trained_network(run: Run, device: torch.device) -> torch.nn.Module:
    """The trained network of a run, in channels-last layout."""
    model = instantiate(config_of(run).model)
    load_weights(run.folder / "model.safetensors", model)
    return model.to(device, memory_format=torch.channels_last)


def networks_of(runs: Iterable[Run], task: str) -> dict[str, torch.nn.Module]:
    """The networks of one task by the title of their loss, of the first seed, in the order of the tables.

    The title of several losses is followed by the name of the loss.
    """
    firsts = {run.loss: run for run in of_first_seed(run for run in runs if run.task == task)}
    titles = {loss: read_provenance(run)["study"]["title"] for loss, run in firsts.items()}
    shared = {title for title, count in Counter(titles.values()).items() if count > 1}
    return {
        f"{titles[loss]} ({loss})" if titles[loss] in shared else titles[loss]: trained_network(
            firsts[loss], torch.device("cpu")
        )
        for loss in ordered_columns(firsts)
        if (firsts[loss].folder / "model.safetensors").exists()
    }


def named_data(name: str) -> DictConfig:
    """The data set of a configuration."""
    return hydra.compose("train", [f"data={name}"]).data


def packed_tests(data: DictConfig, packs: Path) -> dict[str, PackedPhotos]:
    """The photographs of each test set."""
    return pack_set(instantiate(data), packs).test


def tests_of(run: Run, packs: Path) -> dict[str, PackedPhotos]:
    """The test photographs of a run. If files are missing, the photographs are read from `packs` by their hash.

    Raises:
        UserError: the photographs are missing, also in `packs`.
    """
    try:
        return packed_tests(config_of(run).data, packs)
    except (UserError, InstantiationException) as error:
        try:
            return {name: packed_before(packs, key) for name, key in read_scoring(run)["test sets"].items()}
        except UserError:
            raise UserError(
                f"{error.__cause__ or error}\nPhotographs that have moved: train the run again with their new place. "
                "A complete run is not trained again, but remembers the place."
            ) from error
