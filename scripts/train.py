"""Trains one network and scores it: make train TASK=sr LOSS=mix [GPUS=8]

On several machines, on each of them: torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d
--rdzv-endpoint HOST:29500 -m scripts.train task=sr loss=mix
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.pack import pack_set, pack_stored
from restoration.datasets.photos import PackedSet
from restoration.errors import UserError
from restoration.files import write_text
from restoration.names import INPUT
from restoration.scoring.evaluate import Validation, evaluate
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS
from restoration.study.records import Study
from restoration.study.rendering import latex, markdown, show
from restoration.study.runs import Run, read_provenance, read_scoring, write_provenance, write_scores
from restoration.study.statistics import Comparisons
from restoration.study.tables import main_table
from restoration.tasks import Task
from restoration.training.checkpoint import save_weights
from restoration.training.distributed import ALONE, World, joined
from restoration.training.identity import code_of
from restoration.training.patches import PatchSampler
from restoration.training.train import train
from restoration.training.trial import try_parts
from scripts.cli import chosen_bf16, chosen_device, chosen_seed, clear_errors, end_at_once, plain_console
from scripts.trained import built_loss, config_of

IDENTITY = ("task", "loss", "model", "optimizer", "budget")  # with the seed, what makes two trainings the same one


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def main(config: DictConfig) -> None:
    with clear_errors(), joined() as world:
        console = plain_console(quiet=not world.first)
        run = train_and_score(config, console, world)
        if world.first:
            show_tables([run], config, console)
            console.print(f"curves: make tensorboard   weights: {run.folder}/model.safetensors", soft_wrap=True)
    if world.size > 1:
        end_at_once(0)


def train_and_score(config: DictConfig, console: Console, world: World = ALONE) -> Run:
    """Trains the network that `config` composes, or goes on with it, and leaves a complete run folder."""
    with world.in_turn():  # files are packed once, and what is wrong with the configuration is said once
        device, seed = chosen_device(config.device), chosen_seed(config.seed)
        bf16 = chosen_bf16(config.precision, device)
        task, loss, budget = instantiate(config.task), built_loss(config), instantiate(config.budget)
        for warning in try_parts(instantiate(config.model), built_loss(config), task, device, bf16=bf16):
            console.print(f"warning: {warning}", soft_wrap=True)
        photo_set = instantiate(config.data)
        photos = pack_set(photo_set, Path(config.packs))
        sampler = training_sampler(config, photos, device, world)
    run = run_of(config, photo_set.name)
    console.print(f"{run.task} with {run.loss}, seed {run.seed}: {run.folder}", soft_wrap=True)

    if run.is_complete() and not (run.folder / "checkpoint.pt").exists():
        raise UserError(
            f"{run.folder} is complete but has no checkpoint to tell where it comes from; move the folder away"
        )

    torch.manual_seed(seed)
    protocol = instantiate(config.protocol)
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    seconds = train(
        model,
        loss.to(device),
        instantiate(config.optimizer)(model.parameters()),
        sampler,
        Validation(task, photos.val, protocol=protocol, device=device),
        budget,
        folder=run.folder,
        identity={**_identity(config), "device": device.type, "bf16": bf16, "photographs": photos.train.key},
        bf16=bf16,
        tracked=_tracked(photos, task, protocol, device) if config.track and world.first else {},
        world=world,
        checkpoint_seconds=config.checkpoint_seconds,
        compiled=config.compile,
    )
    if not world.first:
        return run
    resolved = OmegaConf.to_yaml(config, resolve=True)
    if run.is_complete() and read_scoring(run) == scoring(task, photos, protocol):
        return run  # nothing that its scores depend on has changed
    if not run.is_complete():
        write_provenance(
            run,
            photos,
            budget,
            seconds=seconds,
            device=device,
            bf16=bf16,
            processes=world.size,
            study=study_facts(config),
        )
    score_runs({run: model}, task, photos, protocol, device)
    save_weights(run.folder / "model.safetensors", model)
    write_text(run.folder / "config.yaml", resolved)
    return run


def run_of(config: DictConfig, data: str) -> Run:
    """The run that `config` composes, on a data set of this name."""
    names = config.names
    return Run(
        Path(config.runs),
        str(data),
        str(config.variant),
        names.task,
        names.loss,
        config.seed,
        study=str(config.study),
        part=config.part,
    )


def study_facts(config: DictConfig) -> dict[str, Any]:
    """Title and family of the loss, and what varies between the runs of a study."""
    loss, names = config.loss, config.names
    about = loss.get("about", {})
    return {
        "title": about.get("title", names.loss),
        "family": about.get("family", names.loss),
        **{name: loss.get(name) for name in ("alpha", "l1_scale", "sigma")},
        "learning_rate": config.budget.learning_rate,
        "model": names.model,
        "optimizer": names.optimizer,
    }


def is_done(run: Run, config: DictConfig, photos: PackedSet) -> bool:
    """Whether `train_and_score` of the resolved `config` would find nothing to do: a quick look."""
    if not run.is_complete():
        return False
    trained = config_of(run)
    return (
        all(OmegaConf.select(trained, name) == config[name] for name in (*IDENTITY, "seed", "precision"))
        and read_provenance(run)["training_photographs_hash"] == photos.train.key
        and read_scoring(run) == scoring(instantiate(config.task), photos, instantiate(config.protocol))
    )


def training_sampler(config: DictConfig, photos: PackedSet, device: torch.device, world: World = ALONE) -> PatchSampler:
    """This process's share of the batches of a run, from photographs in the memory of `device`."""
    task = instantiate(config.task)
    clean = photos.train.to(device)
    stored = clean
    if task.stores:
        title = "degraded photographs"
        recipe = f"{task!r} {code_of([task])}"
        stored = pack_stored(photos.train, task.store, recipe, Path(config.packs), title=title).to(device)
    generator = torch.Generator(device).manual_seed(config.seed)
    return PatchSampler(task, clean, stored, world.share(config.budget.batch), generator)


def score_runs(
    models: Mapping[Run, torch.nn.Module], task: Task, photos: PackedSet, protocol: Protocol, device: torch.device
) -> None:
    """Scores networks and the degraded input that they share on every test set; each run gets both records."""
    by_name = {str(run.folder): model for run, model in models.items()}
    scores = {
        name: list(chain.from_iterable(evaluate(by_name, task, test, protocol=protocol, device=device)))
        for name, test in photos.test.items()
    }
    for run in models:
        names = {INPUT: INPUT, str(run.folder): run.loss}
        own = {
            test: [replace(score, loss=names[score.loss]) for score in records if score.loss in names]
            for test, records in scores.items()
        }
        write_scores(run, own, scoring(task, photos, protocol))


def scoring(task: Task, photos: PackedSet, protocol: Protocol) -> dict[str, Any]:
    """All that the scores of a network depend on, but for the network."""
    tests = {name: test.key for name, test in photos.test.items()}
    return {"protocol": str(protocol), "metrics": list(ALL_METRICS), "degradation": repr(task), "test sets": tests}


def show_tables(runs: list[Run], config: DictConfig, console: Console) -> None:
    """Writes and prints every table in which one of these runs stands, with all its columns."""
    for root, data, name in dict.fromkeys((run.root, run.data, run.study) for run in runs):
        comparisons = Comparisons(Study.collect(root, data=data, variant=name))
        own = [run for run in runs if (run.data, run.study) == (data, name)]
        for variant, part, task in dict.fromkeys((run.variant, run.part, run.task) for run in own):
            for test_set in comparisons.study.test_sets:
                if table := main_table(comparisons, part, task, test_set):
                    path = Path(config.tables) / data / variant / f"{task}-{test_set}.md"
                    write_text(path, markdown(table))
                    write_text(path.with_suffix(".tex"), latex(table))
                    show(table, console)
                    console.print(f"written to {path} and .tex\n", soft_wrap=True)


def _tracked(photos: PackedSet, task: Task, protocol: Protocol, device: torch.device) -> dict[str, Validation]:
    return {name: Validation(task, test, protocol=protocol, device=device) for name, test in photos.test.items()}


def _identity(config: DictConfig) -> dict[str, Any]:
    groups: Any = {name: OmegaConf.to_container(config[name], resolve=True) for name in IDENTITY}
    groups["loss"].pop("about", None)
    return {**groups, "seed": config.seed}


if __name__ == "__main__":
    main()
