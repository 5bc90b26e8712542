"""What a run's folder holds: what it was trained with, and the network."""

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from restoration.study.runs import Run
from restoration.tasks import Task
from restoration.training.checkpoint import load_weights


def config_of(run: Run) -> DictConfig | ListConfig:
    """All that was composed for its training."""
    return OmegaConf.load(run.folder / "config.yaml")


def built_loss(config: DictConfig) -> torch.nn.Module:
    """The loss of a configuration; what its `about` says is for tables."""
    return instantiate({key: value for key, value in config.loss.items() if key != "about"})


def task_of(run: Run) -> Task:
    """What its network restores."""
    return instantiate(config_of(run).task)


def trained_network(run: Run, device: torch.device) -> torch.nn.Module:
    """Its network as trained last, channels last."""
    model = instantiate(config_of(run).model)
    load_weights(run.folder / "model.safetensors", model)
    return model.to(device, memory_format=torch.channels_last)
