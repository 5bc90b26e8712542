"""Trains runs as jobs, by Hydra's multirun; make study LAUNCHER=slurm calls it and writes the tables."""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from scripts.job import run_job


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def main(config: DictConfig) -> None:
    run_job(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    main()
