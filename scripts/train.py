"""Trains one network and scores it: make train TASK=sr LOSS=mix"""

from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.checkpoint import save_weights
from restoration.datasets.pack import PackedSet, pack_recorded, pack_set
from restoration.evaluate import Score, Validation, evaluate
from restoration.files import write_text
from restoration.patches import PatchSampler
from restoration.runs import Run, find_runs, write_provenance, write_scores
from restoration.tables import build_tables, write_tables
from restoration.tasks import Task
from restoration.train import train
from scripts.cli import chosen_bf16, chosen_device, clear_errors

IDENTITY = ("task", "loss", "model", "optimizer", "budget")  # with the seed, what makes two trainings the same one


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = Console()
        run = train_and_score(config, console)
        show_tables(find_runs(run.root, data=run.data, variant=run.variant, task=run.task), config, console)
        console.print(f"curves: make tensorboard   weights: {run.folder}/model.safetensors", highlight=False)


def train_and_score(config: DictConfig, console: Console) -> Run:
    """Trains the network that `config` composes, or goes on with it, and leaves a complete run folder."""
    device = chosen_device(config.device)
    bf16 = chosen_bf16(config.precision, device)
    task, loss, budget = instantiate(config.task), instantiate(config.loss), instantiate(config.budget)
    photo_set = instantiate(config.data)
    photos = pack_set(photo_set, Path(config.packs))
    run = Run(Path(config.runs), photo_set.name, config.variant, config.names.task, config.names.loss, config.seed)
    console.print(f"{run.task} with {run.loss}, seed {run.seed}: {run.folder}", highlight=False)

    torch.manual_seed(config.seed)
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    seconds = train(
        model,
        loss.to(device),
        instantiate(config.optimizer)(model.parameters()),
        training_sampler(config, photos, device),
        Validation(task, photos.val, protocol=instantiate(config.protocol), device=device),
        budget,
        folder=run.folder,
        identity={**_identity(config), "bf16": bf16, "photographs": photos.train.key},
        bf16=bf16,
        checkpoint_seconds=config.checkpoint_seconds,
        check_steps=1 if device.type == "cpu" else 50,
    )
    write_text(run.folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    write_provenance(run, photos, budget, seconds=seconds, device=device, bf16=bf16)
    save_weights(run.folder / "model.safetensors", model)
    write_scores(run, scored(model, run, task, photos, config, device))
    return run


def training_sampler(config: DictConfig, photos: PackedSet, device: torch.device) -> PatchSampler:
    """The batches of a run, from photographs in the memory of `device`."""
    task = instantiate(config.task)
    recorded = photos.train
    if task.records:
        recorded = pack_recorded(
            photos.train, task.record, repr(task), Path(config.packs), title="degraded photographs"
        )
    generator = torch.Generator(device).manual_seed(config.seed)
    return PatchSampler(task, photos.train.to(device), recorded.to(device), config.budget.batch, generator)


def scored(
    model: torch.nn.Module, run: Run, task: Task, photos: PackedSet, config: DictConfig, device: torch.device
) -> dict[str, list[Score]]:
    """The scores of the network and of its degraded input on every test set."""
    protocol = instantiate(config.protocol)
    return {
        name: [
            score
            for scores in evaluate({run.loss: model}, task, test, protocol=protocol, device=device)
            for score in scores
        ]
        for name, test in photos.test.items()
    }


def show_tables(runs: list[Run], config: DictConfig, console: Console) -> None:
    """Writes and prints the tables of complete runs."""
    input_titles = {run.task: instantiate(OmegaConf.load(run.folder / "config.yaml").task).input_name for run in runs}
    tables = build_tables(runs, input_titles=input_titles, protocol=str(instantiate(config.protocol)))
    write_tables(tables, Path(config.tables))
    for table in tables:
        table.show(console)
        console.print(f"written to {config.tables}/{table.name}.md, .csv and .tex\n", highlight=False)


def _identity(config: DictConfig) -> dict[str, Any]:
    groups = {name: OmegaConf.to_container(config[name], resolve=True) for name in IDENTITY}
    return {**groups, "seed": config.seed}


if __name__ == "__main__":
    main()
