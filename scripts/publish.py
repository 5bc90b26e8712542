"""Keeps what a study found, for everybody: make publish [DATA=photos] [BUDGET=long]

results/studies/<data>-<variant>/ gets the study's records and, made of them alone, all texts of a report, with crops of
photographs that may be shown; results/weights/ gets the main networks of the first seed. What cannot be published stops
it before anything is written.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import hydra
import torch
from omegaconf import DictConfig

from restoration.errors import UserError
from restoration.study.archive import archive, lacking, unpack
from restoration.study.published import read_published
from restoration.study.runs import of_first_seed
from restoration.study.shipping import half_weights, ship
from restoration.study.study import read_study
from scripts.cli import clear_errors, plain_console
from scripts.figure import draw, first_test_set, named_data
from scripts.findings import findings
from scripts.trained import task_of, trained_network


@hydra.main(version_base="1.3", config_path="../configs", config_name="publish")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = plain_console()
        study = read_study(Path(config.runs), **config.only)
        folder = Path(config.studies) / f"{study.data}-{study.variant}"
        if not config.drop and (lost := lacking(study, folder / "records")):
            raise UserError(
                f"{folder} keeps what {config.runs} lacks; publish all of it together, or ARGS=drop=true forgets:\n"
                + "\n".join(f"  {name}" for name in lost)
            )
        first = of_first_seed(study.part())
        photo = first_test_set(named_data(config.shown), Path(config.packs)).image(0)
        networks = {run: (trained_network(run, torch.device("cpu")), task_of(run)) for run in first}
        if config.weights:
            for run, (network, task) in networks.items():  # before anything is written
                half_weights(run, network, task, Path(config.weights))
        archive(study, folder / "records")
        write_texts(folder, Path(config.published))
        draw(first, Path(config.packs), folder / "crops.png", drawn_on=config.shown)
        console.print(f"written to {folder}", soft_wrap=True)
        for run, (network, task) in networks.items() if config.weights else ():
            rounding = ship(run, network, task, Path(config.weights), photo=photo)
            console.print(f"{run.task} with {run.loss}: half precision changes {rounding}", soft_wrap=True)


def write_texts(folder: Path, published: Path) -> None:
    """All texts of a study beside its records, of which they are made."""
    with TemporaryDirectory() as scratch:
        findings(unpack(folder / "records", Path(scratch)), folder, published=read_published(published))


if __name__ == "__main__":
    main()
