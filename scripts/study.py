"""Trains every loss x task x seed that is not trained yet, then writes the tables: make study BUDGET=quick"""

from itertools import product

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from scripts.cli import clear_errors
from scripts.train import show_tables, train_and_score

GRID = ("tasks", "losses", "seeds")


@hydra.main(version_base="1.3", config_path="../configs", config_name="study")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = Console()
        shared = [text for text in HydraConfig.get().overrides.task if text.split("=")[0] not in GRID]
        grid = list(product(config.tasks, config.seeds, config.losses))
        runs = []
        for number, (task, seed, loss) in enumerate(grid, start=1):
            console.rule(f"{number} of {len(grid)}")
            runs.append(train_and_score(composed([*shared, f"task={task}", f"loss={loss}", f"seed={seed}"]), console))
        show_tables(runs, config, console)


def composed(overrides: list[str]) -> DictConfig:
    """The training configuration that a command line with these overrides would have."""
    config = hydra.compose("train", overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    del config.hydra
    return config


if __name__ == "__main__":
    main()
