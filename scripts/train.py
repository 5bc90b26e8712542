"""Trains one network and scores it: make train TASK=sr LOSS=mix [GPUS=8]

On several machines, on each of them: torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d
--rdzv-endpoint HOST:29500 -m scripts train task=sr loss=mix
"""

from contextlib import nullcontext
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.pack import key_of, pack_set, pack_stored
from restoration.datasets.photos import PackedPhotos, PackedSet, PhotoSet
from restoration.errors import UserError
from restoration.files import alone_in, write_text
from restoration.names import METRICS
from restoration.scoring.evaluate import Validation
from restoration.study.curves import write_curves
from restoration.study.provenance import write_provenance
from restoration.study.runs import Run, read_provenance, read_scoring
from restoration.training.board import log_result
from restoration.training.checkpoint import load_checkpoint, save_weights
from restoration.training.distributed import ALONE, World, joined
from restoration.training.identity import code_of
from restoration.training.memory import check_memory
from restoration.training.patches import PatchSampler
from restoration.training.train import train
from restoration.training.trial import try_parts
from scripts.cli import chosen_bf16, chosen_device, chosen_seed, end_at_once, plain_console, say_next
from scripts.identity import identity_of, refuse_other_degradation, remember_data, run_of, study_facts
from scripts.scores import score_runs, scoring, show_tables, test_means
from scripts.trained import built_loss, built_optimizer, trained_network


def main(config: DictConfig) -> None:
    with joined() as world:
        console = plain_console(quiet=not world.first)
        run = train_and_score(config, console, world)
        if world.first:
            console.print("\ntest scores, of photographs that the training never uses:")
            show_tables([run], config, console)
            console.print(f"the network: {run.folder}/model.safetensors", soft_wrap=True)
            say_next(f"make tensorboard TASK={run.task}", "make report")
    if world.size > 1:
        end_at_once(0)


def train_and_score(config: DictConfig, console: Console, world: World = ALONE, *, brief: bool = False) -> Run:
    """Trains the network of a configuration, or continues, and leaves a complete run folder.

    Args:
        brief: leave out the messages about the beginning, which the caller prints.

    Raises:
        UserError: another process works on this run, its folder holds another training, or a part is wrong.
    """
    with world.in_turn():  # photographs are downloaded once, and an error of the configuration is reported once
        device, _ = chosen_device(config.device), chosen_seed(config.seed)
        chosen_bf16(config.precision, device)
        photo_set = instantiate(config.data)
    run = run_of(config, photo_set.name)
    with alone_in(run.folder, wait=False) if world.first else nullcontext():
        if world.from_first(lambda: is_complete(run, config, photo_set, device, console, brief=brief)):
            return run
        with world.in_turn():
            if world.first and config.trial:
                for warning in try_run(config, device):
                    console.print(f"warning: {warning}", soft_wrap=True)
            photos = pack_set(photo_set, Path(config.packs))
            check_memory(device, memory_needed(config, photos))
            sampler = training_sampler(config, photos, device, world)
        _train(run, config, photos, sampler, device, world)
    return run


def try_run(config: DictConfig, device: torch.device) -> list[str]:
    """Calls network, loss and task once; returns warnings.

    Raises:
        UserError: one of them cannot be used in a training.
    """
    parts = (instantiate(config.model), built_loss(config), instantiate(config.task))
    return try_parts(*parts, device, bf16=chosen_bf16(config.precision, device))


def memory_needed(config: DictConfig, photos: PackedSet) -> dict[str, int]:
    """Bytes of the photographs on the training device; scored ones count twice (degraded, clean), in float32."""
    needed = {"training": photos.train.pixels.nbytes * (2 if instantiate(config.task).stores else 1)}
    scored = {"validation": photos.val} | (photos.test if config.track else {})
    return needed | {name: 2 * 4 * part.pixels.nbytes for name, part in scored.items()}


def is_complete(
    run: Run, config: DictConfig, photo_set: PhotoSet, device: torch.device, console: Console, *, brief: bool
) -> bool:
    """Prints what is left to do for a run; scores a complete run again if test photographs or protocol have changed.

    Raises:
        UserError: the folder holds another training, or the study has another degradation.
    """
    title = f"{run.task} with {run.loss}, seed {run.seed}"
    task, protocol = instantiate(config.task), instantiate(config.protocol)
    checkpoint = run.folder / "checkpoint.pt"
    if not checkpoint.exists():
        refuse_other_degradation(run, repr(task))
        if run.is_complete():
            raise UserError(f"{run.folder} is complete, but has no checkpoint to compare with; move the folder away")
        if not brief:
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
    tests = scored_tests(config, pack_set(photo_set, Path(config.packs)))
    remember_data(run, config.data)
    if read_scoring(run) == scoring(task, tests, protocol):
        console.print(finished, soft_wrap=True)
    else:
        console.print(f"{finished}, but scored again: test photographs or protocol have changed", soft_wrap=True)
        score_runs({run: trained_network(run, device)}, task, tests, protocol, device)
    return True


def _train(
    run: Run, config: DictConfig, photos: PackedSet, sampler: PatchSampler, device: torch.device, world: World
) -> None:
    """Trains the network, scores it on the test sets, and saves weights, scores and curves in the run's folder."""
    bf16 = chosen_bf16(config.precision, device)
    torch.manual_seed(config.seed)
    task, budget, protocol = instantiate(config.task), instantiate(config.budget), instantiate(config.protocol)
    model = instantiate(config.model).to(device, memory_format=torch.channels_last)
    validation, *tests = (
        Validation(task, part, protocol=protocol, device=device)
        for part in (photos.val, *(photos.test.values() if config.track and world.first else ()))
    )
    seconds = train(
        model,
        built_loss(config).to(device),
        built_optimizer(config, model),
        sampler,
        validation,
        budget,
        folder=run.folder,
        identity=identity_of(config, photos.train.key) | {"hardware": {"device": device.type, "bf16": bf16}},
        bf16=bf16,
        tracked=dict(zip(photos.test, tests, strict=False)),
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
    score_runs({run: model}, task, scored_tests(config, photos), protocol, device)
    write_curves(run)
    log_result(
        run.folder,
        settings_of(run, config),
        {f"{METRICS[metric].label}, {test}": value for (test, metric), value in test_means(run).items()},
    )
    save_weights(run.folder / "model.safetensors", model)
    write_text(run.folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))


def settings_of(run: Run, config: DictConfig) -> dict[str, str | float]:
    """Settings that vary between runs, for TensorBoard's table of settings."""
    names = {"loss": run.loss, "seed": run.seed, "model": config.names.model, "optimizer": config.names.optimizer}
    return names | {name: config.budget[name] for name in ("learning_rate", "batch", "patches")}


def is_done(run: Run, config: DictConfig, photos: PackedSet) -> bool:
    """Whether the run of the resolved `config` is trained and scored; a quick check."""
    checkpoint = run.folder / "checkpoint.pt"
    if not run.is_complete() or not checkpoint.exists():
        return False
    try:
        load_checkpoint(checkpoint, identity_of(config, photos.train.key))
    except UserError:
        return False
    return read_scoring(run) == scoring(
        instantiate(config.task), scored_tests(config, photos), instantiate(config.protocol)
    )


def scored_tests(config: DictConfig, photos: PackedSet) -> dict[str, PackedPhotos]:
    """The test sets that the trained network is scored on."""
    return dict(photos.test) if config.scored else {}


def training_sampler(config: DictConfig, photos: PackedSet, device: torch.device, world: World = ALONE) -> PatchSampler:
    """The sampler that draws this process's share of each batch, from photographs in the memory of `device`."""
    task = instantiate(config.task)
    clean = photos.train.to(device)
    stored = clean
    if task.stores:
        title = "degraded photographs"
        recipe = f"{task!r} {code_of([type(task)])}"
        stored = pack_stored(photos.train, task.store, recipe, Path(config.packs), title=title).to(device)
    generator = torch.Generator(device).manual_seed(config.seed)
    return PatchSampler(task, clean, stored, world.share(config.budget.batch), generator)
