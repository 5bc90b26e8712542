"""The section about the search of learning rates, from a synthetic search."""

from dataclasses import replace
from itertools import product

import pandas as pd

from restoration.names import DECIDING, RATES
from restoration.study.curves import CURVE
from restoration.study.records import Study
from restoration.study.rendering import Table
from restoration.study.report.searched import searched
from restoration.study.statistics import Comparisons
from tests.studies import SETTINGS, whole_study

PSNR = {"l1": [29.0, 30.0, 30.5, 30.2, 9.0], "mix": [29.0, 30.0, 30.49, 30.5, 12.0], "own": [28.0] * 5}
RATE = [0.0003, 0.0009, 0.003, 0.009, 0.03]


def searched_study() -> Study:
    """A whole study with a search for two of its losses, and for one that is not in the main part."""
    study = whole_study()
    runs, curves = [], []
    for task, loss, (number, rate) in product(("demosaic", "sr"), PSNR, enumerate(RATE)):
        names = {"part": RATES, "task": task, "loss": f"{loss}_{number}", "seed": 0}
        runs.append(
            {**SETTINGS, **names, "title": loss.upper(), "family": "any", "learning_rate": rate, "patches": 10_000}
        )
        for name, value in zip(DECIDING, (PSNR[loss][number], PSNR[loss][number] / 100), strict=True):
            curves += [(*names.values(), f"val/{name}", patches, value) for patches in (0, 10_000)]
    every = pd.concat([study.runs, pd.DataFrame(runs)], ignore_index=True)
    return replace(study, runs=every, read_curves=lambda: pd.DataFrame(curves, columns=CURVE))


def test_search():
    """A table for each task with the chosen rates; a line for each loss of the main part."""
    section = searched(Comparisons(searched_study()))
    assert section is not None
    assert section.folded
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [table.title.partition(":")[0] for table in tables] == ["Demosaicking + denoising", "Super-resolution ×2"]
    chosen = {name: [cell.best for cell in cells].index(True) for name, cells in tables[0].rows}
    assert chosen == {"L1": 2, "MIX": 2, "OWN": 0}  # a smaller rate within 0.02 dB comes first
    assert (">L1<" in section.files["rates.svg"], ">OWN<" in section.files["rates.svg"]) == (True, False)
    assert "**30.50**" in section.files["rates.md"]


def test_no_search():
    assert searched(Comparisons(whole_study())) is None
