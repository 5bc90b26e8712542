"""Speed, compared with the machine's and with other libraries: make bench [BENCH=losses] [ARGS="seconds=30"]

The measured functions take turns, so that other load disturbs all of them equally; tables show medians.
"""

from importlib import import_module
from pathlib import Path

from omegaconf import DictConfig

from restoration.errors import UserError
from scripts.bench.measure import write
from scripts.cli import chosen_device
from scripts.make import BENCHES


def main(config: DictConfig) -> None:
    unknown = [part for part in config.parts if part not in BENCHES]
    if unknown:
        raise UserError(f"no bench named {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    device = chosen_device(config.device)
    for part in config.parts:
        module = import_module(f"scripts.bench.{part}")  # each part needs other libraries
        for table in module.measure(config, device):
            write(table, Path(config.report), part=part, device=device, libraries=module.LIBRARIES)
