"""Short trainings that find the learning rate of a loss, before the trainings of a study."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.study.curves import curve, read_curves
from restoration.study.rates import best_rate
from restoration.study.runs import Run


def rate_key(config: DictConfig) -> tuple[str, str]:
    """Trainings with the same task and file of the loss have the same learning rate."""
    return config.names.task, config.names.file


def is_rated(config: DictConfig) -> bool:
    """Whether the file of the loss gives the rate for the task (about.rate); then no search is needed."""
    return OmegaConf.select(config, f"loss.about.rate.{config.names.task}") is not None


def search_grids(runs: Mapping[Run, DictConfig], rates: DictConfig) -> list[dict[str, Any]]:
    """The short trainings for all runs whose loss has no given rate."""
    return [
        {
            "task": task,
            "loss": loss,
            "budget.loss_factor": list(rates.factors),
            "budget.patches": rates.patches,
            "budget.validations": 1,
            "scored": False,
            "names.loss": "${names.file}_x${budget.loss_factor}",
        }
        for task, loss in dict.fromkeys(rate_key(config) for config in runs.values() if not is_rated(config))
    ]


def chosen_factors(runs: Mapping[Run, DictConfig], console: Console) -> dict[tuple[str, str], float]:
    """The best factor of the learning rate for each task and loss; prints all factors and their PSNR."""
    psnr: dict[tuple[str, str], dict[float, float]] = {}
    for run, config in runs.items():
        if run.is_complete():
            tried = psnr.setdefault(rate_key(config), {})
            tried[config.budget.loss_factor] = curve(read_curves(run), "val/psnr")[1][-1]
    factors = {key: best_rate(pd.Series(tried)) for key, tried in psnr.items()}
    for (task, loss), factor in factors.items():
        tried = ", ".join(f"{each:g}: {value:.2f} dB" for each, value in sorted(psnr[task, loss].items()))
        console.print(f"learning rate of {loss} in {task}: the budget's x {factor:g} ({tried})", soft_wrap=True)
    return factors
