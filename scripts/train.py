"""Trains one network and scores it: make train TASK=sr LOSS=mix [GPUS=8]

On several machines, on each of them: torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d
--rdzv-endpoint HOST:29500 -m scripts.train task=sr loss=mix
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.pack import key_of, pack_set, pack_stored
from restoration.datasets.photos import PackedPhotos, PackedSet, PhotoSet
from restoration.errors import UserError
from restoration.files import alone_in, write_text
from restoration.names import INPUT
from restoration.scoring.evaluate import Validation, evaluate
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS
from restoration.study.records import Study
from restoration.study.rendering import latex, markdown, show
from restoration.study.runs import Run, find_runs, read_provenance, read_scoring, write_provenance, write_scores
from restoration.study.statistics import Comparisons
from restoration.study.tables import main_table
from restoration.tasks import Task
from restoration.training.checkpoint import load_checkpoint, save_weights
from restoration.training.distributed import ALONE, World, joined
from restoration.training.identity import code_of
from restoration.training.memory import check_memory
from restoration.training.patches import PatchSampler
from restoration.training.train import train
from restoration.training.trial import try_parts
from scripts.cli import chosen_bf16, chosen_device, chosen_seed, clear_errors, end_at_once, plain_console
from scripts.trained import built_loss, config_of, trained_network

IDENTITY = ("task", "loss", "model", "optimizer", "budget")


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
    """Trains the network of a configuration, or continues, and leaves a complete run folder.

    Raises:
        UserError: another process works on this run, its folder holds another training, or a part is wrong.
    """
    with world.in_turn():  # photographs are downloaded once, and an error of the configuration is reported once
        device, _ = chosen_device(config.device), chosen_seed(config.seed)
        chosen_bf16(config.precision, device)
        photo_set = instantiate(config.data)
    run = run_of(config, photo_set.name)
    with alone_in(run.folder, wait=False) if world.first else nullcontext():
        if world.from_first(lambda: is_complete(run, config, photo_set, device, console)):
            return run
        with world.in_turn():
            if world.first:
                try_run(config, device, console)
            photos = pack_set(photo_set, Path(config.packs))
            check_memory(device, memory_needed(config, photos))
            sampler = training_sampler(config, photos, device, world)
        _train(run, config, photos, sampler, device, world)
    return run


def try_run(config: DictConfig, device: torch.device, console: Console) -> None:
    """Calls loss, network and task once; prints warnings.

    Raises:
        UserError: one of them cannot be trained with.
    """
    parts = (instantiate(config.model), built_loss(config), instantiate(config.task))
    for warning in try_parts(*parts, device, bf16=chosen_bf16(config.precision, device)):
        console.print(f"warning: {warning}", soft_wrap=True)


def memory_needed(config: DictConfig, photos: PackedSet) -> dict[str, int]:
    """Bytes of the photographs on the training device; those that are scored are there twice, in float32."""
    needed = {"training": photos.train.pixels.nbytes * (2 if instantiate(config.task).stores else 1)}
    scored = {"validation": photos.val} | (photos.test if config.track else {})
    return needed | {name: 2 * 4 * part.pixels.nbytes for name, part in scored.items()}


def is_complete(run: Run, config: DictConfig, photo_set: PhotoSet, device: torch.device, console: Console) -> bool:
    """Says what is left to do for a run; scores a complete run again if its scores were measured otherwise.

    Raises:
        UserError: the folder holds another training, or the study has another degradation.
    """
    title = f"{run.task} with {run.loss}, seed {run.seed}"
    task, protocol = instantiate(config.task), instantiate(config.protocol)
    checkpoint = run.folder / "checkpoint.pt"
    if not checkpoint.exists():
        _refuse_other_degradation(run, repr(task))
        if run.is_complete():
            raise UserError(f"{run.folder} is complete, but lacks the checkpoint that tells what it is; move it away")
        console.print(f"{title}: trains in {run.folder}", soft_wrap=True)
        return False
    key = key_of(photo_set.train, skip_bad=photo_set.skip_bad)
    state = load_checkpoint(checkpoint, identity_of(config, key))
    if not run.is_complete():
        patches = state["step"] * config.budget.batch if state else 0
        console.print(
            f"{title}: continues after {patches:,} of {config.budget.patches:,} patches in {run.folder}", soft_wrap=True
        )
        return False
    finished = f"{title}: complete, trained on {read_provenance(run)['finished']}, not trained again ({run.folder})"
    tests = pack_set(photo_set, Path(config.packs)).test
    remember_data(run, config.data)
    if read_scoring(run) == scoring(task, tests, protocol):
        console.print(finished, soft_wrap=True)
    else:
        console.print(f"{finished}, but scored again: test photographs or protocol have changed", soft_wrap=True)
        score_runs({run: trained_network(run, device)}, task, tests, protocol, device)
    return True


def _train(
    run: Run,
    config: DictConfig,
    photos: PackedSet,
    sampler: PatchSampler,
    device: torch.device,
    world: World,
) -> None:
    """Trains the network, and scores and keeps it in the run's folder."""
    bf16 = chosen_bf16(config.precision, device)
    torch.manual_seed(config.seed)
    task, budget, protocol = instantiate(config.task), instantiate(config.budget), instantiate(config.protocol)
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    seconds = train(
        model,
        built_loss(config).to(device),
        instantiate(config.optimizer)(model.parameters()),
        sampler,
        Validation(task, photos.val, protocol=protocol, device=device),
        budget,
        folder=run.folder,
        identity=identity_of(config, photos.train.key) | {"hardware": {"device": device.type, "bf16": bf16}},
        bf16=bf16,
        tracked=_tracked(photos, task, protocol, device) if config.track and world.first else {},
        world=world,
        checkpoint_seconds=config.checkpoint_seconds,
        compiled=config.compile,
    )
    if not world.first:
        return
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
    score_runs({run: model}, task, photos.test, protocol, device)
    save_weights(run.folder / "model.safetensors", model)
    write_text(run.folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))


def identity_of(config: DictConfig, photographs: str) -> dict[str, Any]:
    """What makes two trainings the same one, on any hardware.

    Args:
        photographs: key of the training photographs.
    """
    groups: Any = {name: OmegaConf.to_container(config[name], resolve=True) for name in IDENTITY}
    groups["loss"].pop("about", None)
    code = code_of(get_object(target) for target in targets_in(groups))
    return {**groups, "seed": config.seed, "precision": config.precision, "photographs": photographs, "code": code}


def targets_in(config: Any) -> Iterator[str]:
    """The names of all classes and functions that a configuration calls."""
    if isinstance(config, dict):
        yield from [config["_target_"]] if "_target_" in config else []
        config = list(config.values())
    if isinstance(config, list):
        yield from chain.from_iterable(map(targets_in, config))


def _refuse_other_degradation(run: Run, degradation: str) -> None:
    """Refuses a training whose scores no table could show beside those of its study."""
    for other in find_runs(run.root, data=run.data, task=run.task):
        scored = read_scoring(other)["degradation"]
        if other.study == run.study and scored != degradation:
            raise UserError(
                f"{other.folder} was trained for {scored}, and this training is for {degradation}: "
                f"no table of {run.study} could hold both.\nGive this training its own name with variant=NAME."
            )


def remember_data(run: Run, data: DictConfig) -> None:
    """Notes in a complete run's config.yaml where its photographs are now."""
    trained = config_of(run)
    if trained.data != data:
        trained.data = data
        write_text(run.folder / "config.yaml", OmegaConf.to_yaml(trained, resolve=True))


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
    """Whether `train_and_score` would find nothing to do for the resolved `config`: a quick look."""
    checkpoint = run.folder / "checkpoint.pt"
    if not run.is_complete() or not checkpoint.exists():
        return False
    try:
        load_checkpoint(checkpoint, identity_of(config, photos.train.key))
    except UserError:
        return False
    return read_scoring(run) == scoring(instantiate(config.task), photos.test, instantiate(config.protocol))


def training_sampler(config: DictConfig, photos: PackedSet, device: torch.device, world: World = ALONE) -> PatchSampler:
    """This process's share of the batches of a run, from photographs in the memory of `device`."""
    task = instantiate(config.task)
    clean = photos.train.to(device)
    stored = clean
    if task.stores:
        title = "degraded photographs"
        recipe = f"{task!r} {code_of([type(task)])}"
        stored = pack_stored(photos.train, task.store, recipe, Path(config.packs), title=title).to(device)
    generator = torch.Generator(device).manual_seed(config.seed)
    return PatchSampler(task, clean, stored, world.share(config.budget.batch), generator)


def score_runs(
    models: Mapping[Run, torch.nn.Module],
    task: Task,
    tests: Mapping[str, PackedPhotos],
    protocol: Protocol,
    device: torch.device,
) -> None:
    """Scores networks and the degraded input that they share on every test set; each run gets both records."""
    by_name = {str(run.folder): model for run, model in models.items()}
    scores = {
        name: list(chain.from_iterable(evaluate(by_name, task, test, protocol=protocol, device=device)))
        for name, test in tests.items()
    }
    for run in models:
        names = {INPUT: INPUT, str(run.folder): run.loss}
        own = {
            test: [replace(score, loss=names[score.loss]) for score in records if score.loss in names]
            for test, records in scores.items()
        }
        write_scores(run, own, scoring(task, tests, protocol))


def scoring(task: Task, tests: Mapping[str, PackedPhotos], protocol: Protocol) -> dict[str, Any]:
    """How scores are measured: everything that they depend on, except for the network."""
    keys = {name: test.key for name, test in tests.items()}
    return {"protocol": str(protocol), "metrics": list(ALL_METRICS), "degradation": repr(task), "test sets": keys}


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


if __name__ == "__main__":
    main()
