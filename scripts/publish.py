"""Writes a study into results/, to be committed: make publish [DATA=photos] [BUDGET=long]

results/studies/<data>-<variant>/ gets the records of the study, all texts and figures that follow from them, and crops
of photographs that may be published; results/weights/ gets the networks of the main part's first seed. All checks run
before anything is written.
"""

from pathlib import Path

import pandas as pd
import torch
from omegaconf import DictConfig

from restoration.errors import UserError
from restoration.study.records import Study
from restoration.study.report import sections, write_texts
from restoration.study.runs import of_first_seed
from restoration.study.shipping import half_weights, ship
from scripts.cli import plain_console, say_next
from scripts.figure import draw
from scripts.trained import main_runs, named_data, packed_tests, task_of, trained_network


def main(config: DictConfig) -> None:
    console, packs = plain_console(), Path(config.packs)
    study, before = Study.collect(Path(config.runs), **config.only), Study.load_published(config.before)
    folder = Path(config.studies) / study.name
    if not config.drop and (lost := study.lost_from(folder / "records")):
        lines = "\n".join(f"  {name}" for name in lost)
        raise UserError(
            f"{folder} has more than {config.runs}: publish all runs together, or drop these, ARGS=drop=true:\n{lines}"
        )
    runs = of_first_seed(main_runs(study, Path(config.runs)))
    photo = next(iter(packed_tests(named_data(config.shown), packs).values())).image(0)
    shipped = runs if config.weights else []
    networks = [(run, trained_network(run, torch.device("cpu")), task_of(run)) for run in shipped]
    for run, network, task in networks:
        half_weights(run, network, task, Path(config.weights))  # checks before anything is written
    study.save(folder / "records")
    write_texts(folder, sections(study, pd.read_csv(config.published), before=before))
    draw(runs, packs, folder / "crops.png", drawn_on=config.shown)
    console.print(f"written to {folder}", soft_wrap=True)
    for run, network, task in networks:
        rounding = ship(run, network, task, Path(config.weights), photo=photo)
        console.print(f"{run.task} with {run.loss}: half precision changes {rounding}", soft_wrap=True)
    say_next(f"make report STUDY={folder}")
