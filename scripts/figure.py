"""Crops of one test photograph after every trained network: make figure [DATA=sample] [BUDGET=quick]"""

from pathlib import Path

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from restoration.checkpoint import load_weights
from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.evaluate import degraded_photo, restore
from restoration.figures import as_saved, hardest_window, save_crops
from restoration.runs import Run, find_runs
from restoration.tables import in_order, title_of
from scripts.cli import clear_errors


@hydra.main(version_base="1.3", config_path="../configs", config_name="eval")
def main(config: DictConfig) -> None:
    with clear_errors():
        asked = find_runs(Path(config.runs), data=config.only.data, variant=config.only.variant)
        if not asked:
            raise UserError(f"no trained run to draw in {config.runs}; train them: make study")
        for data, variant in sorted({(run.data, run.variant) for run in asked}):
            path = Path(config.tables) / data / variant / "crops.png"
            runs = [run for run in asked if (run.data, run.variant, run.seed) == (data, variant, 0)]
            draw(runs, Path(config.packs), path)
            print(f"written to {path}")


def draw(runs: list[Run], packs: Path, path: Path) -> None:
    """One row for each task: the same photograph, cut where that task's input errs most."""
    losses = in_order({run.loss for run in runs})
    rows = {}
    for task_name in dict.fromkeys(run.task for run in runs):
        its_runs = {run.loss: run for run in runs if run.task == task_name}
        trained = OmegaConf.load(next(iter(its_runs.values())).folder / "config.yaml")
        task = instantiate(trained.task)
        photos = next(iter(pack_set(instantiate(trained.data), packs).test.values()))
        degraded, target = degraded_photo(task, photos, len(photos) - 1, torch.device("cpu"))
        window = (..., *hardest_window(degraded, target))
        crops = {"input": as_saved(degraded)[window]}
        for loss, run in its_runs.items():
            model = instantiate(OmegaConf.load(run.folder / "config.yaml").model)
            load_weights(run.folder / "model.safetensors", model)
            crops[title_of(loss)] = as_saved(restore(model, degraded))[window]
        rows[task_name] = {**crops, "truth": target[window]}
    save_crops(rows, ["input", *(title_of(loss) for loss in losses), "truth"], path)


if __name__ == "__main__":
    main()
