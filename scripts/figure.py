"""Crops of one test photograph after every trained network: make figure [DATA=sample] [BUDGET=quick]

ARGS="drawn_on=sample" shows networks of another data set on the photographs that come with scikit-image.
"""

from pathlib import Path

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from restoration.datasets.pack import pack_set
from restoration.datasets.photos import PackedPhotos
from restoration.errors import UserError
from restoration.networks.inference import restore_image
from restoration.scoring.evaluate import degraded_photo
from restoration.study.columns import in_order, title_of
from restoration.study.figures import TRUTH, as_saved, hardest_window, save_crops
from restoration.study.runs import Run, find_runs, of_first_seed
from scripts.cli import clear_errors
from scripts.trained import config_of, trained_network


@hydra.main(version_base="1.3", config_path="../configs", config_name="figure")
def main(config: DictConfig) -> None:
    with clear_errors():
        asked = find_runs(Path(config.runs), **config.only)
        if not asked:
            raise UserError(f"no trained run to draw in {config.runs}; train them: make study")
        for data, variant in sorted({(run.data, run.variant) for run in asked}):
            path = Path(config.tables) / data / variant / "crops.png"
            runs = of_first_seed(run for run in asked if (run.data, run.variant) == (data, variant))
            draw(runs, Path(config.packs), path, drawn_on=config.drawn_on)
            print(f"written to {path}")


def draw(runs: list[Run], packs: Path, path: Path, *, drawn_on: str | None = None) -> None:
    """The same photograph for each task, cut where that task's input errs most.

    Args:
        drawn_on: the configuration of a data set; None: that of the runs.
    """
    cpu = torch.device("cpu")
    losses = in_order({run.loss for run in runs})
    rows = {}
    for task_name in dict.fromkeys(run.task for run in runs):
        its_runs = {run.loss: run for run in runs if run.task == task_name}
        trained = config_of(next(iter(its_runs.values())))
        task = instantiate(trained.task)
        photos = first_test_set(named_data(drawn_on) if drawn_on else trained.data, packs)
        degraded, target = degraded_photo(task, photos, len(photos) - 1, cpu)
        window = (..., *hardest_window(degraded, target))
        crops = {"input": as_saved(degraded)[window]}
        for loss, run in its_runs.items():
            crops[title_of(loss)] = as_saved(restore_image(trained_network(run, cpu), degraded))[window]
        rows[task_name] = {**crops, TRUTH: target[window]}
    save_crops(rows, ["input", *(title_of(loss) for loss in losses), TRUTH], path)


def named_data(name: str) -> DictConfig:
    """The data set of a configuration."""
    return hydra.compose("train", [f"data={name}"]).data


def first_test_set(data: DictConfig, packs: Path) -> PackedPhotos:
    """Its photographs."""
    return next(iter(pack_set(instantiate(data), packs).test.values()))


if __name__ == "__main__":
    main()
