"""A sweeper for Hydra, which finds it by the name of this folder."""

import json
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class ListSweeper(Sweeper):
    """Launches any list of jobs at once, where Hydra's own sweeper launches a product.

    Args:
        jobs: a JSON file, for each job a list of overrides.
    """

    def __init__(self, jobs: str):
        self.jobs = Path(jobs)
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        assert self.launcher is not None
        for result in self.launcher.launch(json.loads(self.jobs.read_text()), initial_job_idx=0):
            _ = result.return_value  # raises what the job raised
