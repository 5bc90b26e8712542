"""Speed beside that of the machine and of other libraries: make bench [BENCH=losses] [ARGS="seconds=30"]

Works take turns, so that other load on the machine disturbs all alike; medians are shown.
"""

from importlib import import_module
from pathlib import Path

from omegaconf import DictConfig

from restoration.errors import UserError
from scripts.bench.measure import write
from scripts.cli import chosen_device

PARTS = ("step", "losses", "pipeline", "evaluation")


def main(config: DictConfig) -> None:
    unknown = [part for part in config.parts if part not in PARTS]
    if unknown:
        raise UserError(f"no bench named {', '.join(unknown)}; there are {', '.join(PARTS)}")
    device = chosen_device(config.device)
    for part in config.parts:
        module = import_module(f"scripts.bench.{part}")  # each needs libraries of its own
        for table in module.measure(config, device):
            write(table, Path(config.report), part=part, device=device, libraries=module.LIBRARIES)
