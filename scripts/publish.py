"""Keeps what a study found, for everybody: make publish [DATA=photos] [BUDGET=long]

results/studies/<data>-<variant>/ gets the study's records and, made of them alone, all texts of a report, with crops of
photographs that may be shown; results/weights/ gets the main networks of the first seed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.archive import archive, unpack
from restoration.published import read_published
from restoration.runs import Run, of_first_seed
from restoration.shipping import ship
from restoration.study import read_study
from scripts.cli import clear_errors
from scripts.eval import trained_network
from scripts.figure import draw, first_test_set, named_data
from scripts.findings import findings


@hydra.main(version_base="1.3", config_path="../configs", config_name="publish")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = Console()
        study = read_study(Path(config.runs), **config.only)
        folder = Path(config.studies) / f"{study.data}-{study.variant}"
        archive(study, folder / "records")
        write_texts(folder, Path(config.published))
        first = of_first_seed(study.part())
        draw(first, Path(config.packs), folder / "crops.png", drawn_on=config.shown)
        console.print(f"written to {folder}", highlight=False, soft_wrap=True)
        photo = first_test_set(named_data(config.shown), Path(config.packs)).image(0)
        for run in first:
            ship_network(run, photo, Path(config.weights), console)


def write_texts(folder: Path, published: Path) -> None:
    """All texts of a study beside its records, of which they are made."""
    with TemporaryDirectory() as scratch:
        findings(unpack(folder / "records", Path(scratch)), folder, published=read_published(published))


def ship_network(run: Run, photo: torch.Tensor, folder: Path, console: Console) -> None:
    task = instantiate(OmegaConf.load(run.folder / "config.yaml").task)
    rounding = ship(run, trained_network(run, torch.device("cpu")), task, folder, photo=photo)
    console.print(f"{run.task} with {run.loss}: half precision changes {rounding}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
