"""Trains every run of an experiment that is not trained yet, then writes the tables: make study BUDGET=quick

An experiment is a file of configs/experiment/. Its runs are trained one after the other in this process, or as jobs of
a cluster (LAUNCHER=slurm). A run that fails does not stop the others; it is named at the end.

Hydra's multirun would do less: it takes one grid, not the several parts of an experiment, sends complete runs to the
queue again, and with its submitit launcher stops waiting at the first job that crashes.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from restoration.datasets.pack import pack_set
from restoration.datasets.photos import PackedSet
from restoration.errors import UserError
from restoration.files import write_text
from restoration.names import DECIDING, METRICS, QUICK, RATES
from restoration.progress import Bar, duration
from restoration.study.curves import curve, read_curves
from restoration.study.rendering import Cell, Table, markdown, show
from restoration.study.runs import Run, read_provenance
from restoration.training.train import Interrupted
from scripts.cli import explained, plain_console, say_next
from scripts.identity import run_of
from scripts.make import quoted
from scripts.rates import chosen_factors, is_rated, rate_key, search_grids
from scripts.scores import listed, show_tables, test_means
from scripts.train import is_done, train_and_score, training_sampler, try_run

MAIN = "main"  # the part whose runs lie in the folder of the budget itself


def main(config: DictConfig) -> None:
    console = plain_console()
    photo_set = instantiate(config.data)
    photos = pack_set(photo_set, Path(config.packs))  # names bad photographs before the first run
    overrides = HydraConfig.get().overrides
    typed = [*overrides.hydra, *overrides.task]
    parts: Any = OmegaConf.to_container(config.parts, resolve=True)
    runs = composed_runs(config.study, parts, typed, photo_set.name)
    wrong = tried({run: each for run, each in runs.items() if not run.is_complete()}, console)
    right = {run: each for run, each in runs.items() if run not in wrong}
    if config.rates is not None and config.rates.patches >= config.rates.least:
        searches = composed_runs(config.study, {RATES: search_grids(right, config.rates)}, typed, photo_set.name)
        train_missing(searches, photos, config.launcher, console)  # too high a rate may fail
        factors = chosen_factors(searches, console)
        for each in (each for each in right.values() if not is_rated(each)):
            each.budget.loss_factor = factors.get(rate_key(each), each.budget.loss_factor)
    failures = wrong | train_missing(right, photos, config.launcher, console)
    complete = [run for run in runs if run.is_complete()]
    if config.compared_on == "validation":
        show_validation(complete, Path(config.tables), console)
    else:
        show_tables(complete, config, console)
    say_next(f"make report DATA={photo_set.name} VARIANT={config.study}")
    if failures:
        raise UserError(
            f"{len(failures)} of {len(runs)} runs failed or are missing:\n{listed(failures)}"
            "The tables hold the complete runs; the same command trains the others."
        )


def train_missing(
    runs: Mapping[Run, DictConfig], photos: PackedSet, launcher: DictConfig | None, console: Console
) -> dict[Run, str]:
    """Trains all runs that are not complete; returns failed runs with reasons."""
    missing = {run: each for run, each in runs.items() if not is_done(run, each, photos)}
    if runs:
        console.print(f"{len(runs) - len(missing)} of {len(runs)} runs are complete")
    if launcher is None:
        return train_here(missing, console)
    for each in {run.task: each for run, each in missing.items()}.values():
        training_sampler(each, photos, torch.device("cpu"))  # packs the degraded photographs once for all jobs
    return train_as_jobs(missing, launcher, console)


def composed_runs(study: str, parts: Mapping[str, Any], typed: Sequence[str], data: str) -> dict[Run, DictConfig]:
    """The runs of parts of an experiment and their resolved configurations, in order.

    Args:
        study: its name.
        parts: the grids of each part.
        typed: the overrides of the study; those of a part come after them.
        data: name of the data set.

    Raises:
        UserError: a run cannot be composed, or two runs have the same names.
    """
    names = set(hydra.compose("train"))
    runs: dict[Run, DictConfig] = {}
    for part, grids in parts.items():
        names_of_part = {"part": part, "study": study, "variant": f"{study}-{part}"} if part != MAIN else {}
        shared = [*typed, *(f"{name}={quoted(str(value))}" for name, value in names_of_part.items())]
        for values in points(grids):
            try:
                composed = hydra.compose("study", [*shared, *values], return_hydra_config=True)
                HydraConfig.instance().set_config(composed)
                resolved = OmegaConf.masked_copy(composed, [str(name) for name in composed if name in names])
                OmegaConf.resolve(resolved)  # before HydraConfig is set to the next run
            except HydraException as error:
                raise UserError(f"part {part} of the experiment, {' '.join(values)}: {error}") from error
            run = run_of(resolved, data)
            if run in runs:
                raise UserError(
                    f"part {part} of the experiment has two runs in {run.folder}, one of them: {' '.join(values)}\n"
                    "Give one of them a name of its own: names.loss."
                )
            runs[run] = resolved
    return runs


def points(grids: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """The points of a grid, or of several, as overrides: values of lists are multiplied, the last one fastest."""
    for grid in [grids] if isinstance(grids, Mapping) else grids:
        axes = [value if isinstance(value, list) else [value] for value in grid.values()]
        for point in product(*axes):
            yield [
                f"{key}={value if isinstance(value, str) else json.dumps(value)}"
                for key, value in zip(grid, point, strict=True)
            ]


def tried(runs: Mapping[Run, DictConfig], console: Console) -> dict[Run, str]:
    """Calls the parts of every run once, before hours of training; returns runs that fail, with reasons."""
    wrong = {}
    for run, config in runs.items():
        if not config.trial:
            continue
        try:
            try_run(config, torch.device("cpu"))  # on the device when the run's turn comes
        except (UserError, InstantiationException) as error:
            wrong[run] = explained(error)
            console.print(f"{run.folder} is not trained: {wrong[run]}", soft_wrap=True)
    return wrong


def train_here(runs: Mapping[Run, DictConfig], console: Console) -> dict[Run, str]:
    """Trains one run after the other; returns failed runs with reasons."""
    failures = {}
    with Bar("study", sum(config.budget.patches for config in runs.values()), "patches") as bar:
        for number, (run, config) in enumerate(runs.items(), start=1):
            bar.title = f"run {number} of {len(runs)}"
            start, patches = time.perf_counter(), bar.done
            try:
                train_and_score(config, console, brief=True)
                scores = islice(test_means(run).items(), len(DECIDING))  # of the first test set
                words = ", ".join(METRICS[name].named(value) for (_, name), value in scores)
                outcome = f"test {words}" if words else "trained"
            except Interrupted:
                raise
            except Exception as error:  # continue with the other runs after any error
                outcome = failures[run] = explained(error)
            bar.advance(config.budget.patches - (bar.done - patches))  # of a failed run
            took = duration(time.perf_counter() - start)
            bar.say(f"{number}/{len(runs)} {run.part}: {run.task}, {run.loss}, seed {run.seed}: {outcome} ({took})")
    return failures


@dataclass(frozen=True)
class Job:
    """One run as a job of submitit."""

    config: Any

    def __call__(self) -> str:
        """Trains or continues the run; returns the reason of a failure, else ""."""
        try:
            train_and_score(DictConfig(self.config), plain_console())
        except Interrupted as error:
            raise SystemExit(f"{error}: stopped with a checkpoint") from error  # no result: the cluster may requeue
        except Exception as error:
            return explained(error)
        return ""

    def checkpoint(self) -> Any:
        """What submitit queues when the time of the job is up: the same job, which goes on from its checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def train_as_jobs(runs: Mapping[Run, DictConfig], launcher: DictConfig, console: Console) -> dict[Run, str]:
    """Sends every run to the queue of a cluster and waits for all; returns failed runs with reasons."""
    import submitit
    from submitit.core.utils import FailedJobError, UncompletedJobError

    if not runs:
        return {}
    folder = next(iter(runs)).root / ".submitit"
    executor = submitit.AutoExecutor(folder / "%j", cluster=launcher.cluster, **launcher.executor)
    executor.update_parameters(**launcher.job)
    with executor.batch():
        jobs = {run: executor.submit(Job(OmegaConf.to_container(config))) for run, config in runs.items()}
    console.print(
        f"{len(jobs)} jobs, which log to {folder}. This command waits for them. The jobs go on if you interrupt it: "
        "cancel them before you start it again.",
        soft_wrap=True,
    )
    failures = {}
    for run, job in jobs.items():
        try:
            failures[run] = job.result()
        except (UncompletedJobError, FailedJobError):
            failures[run] = f"its job ended without a result; see {job.paths.stderr}"
    return {run: why for run, why in failures.items() if why}


def show_validation(runs: Sequence[Run], folder: Path, console: Console) -> None:
    """Prints and writes the last validation scores of every run, a table for each task."""
    for task in dict.fromkeys(run.task for run in runs):
        of_task = [run for run in runs if run.task == task]
        facts = read_provenance(of_task[0])
        rows = [(f"{run.part}: {run.loss}, seed {run.seed}", validation_cells(run)) for run in of_task]
        table = Table(
            f"{task}, {facts['photographs']['val']} validation photographs of {of_task[0].data}",
            [*(METRICS[name].label for name in QUICK), "Patches", "Patches/s"],
            rows,
            [f"{facts['hardware']}; commit {facts['commit']}"],
        )
        path = folder / of_task[0].data / of_task[0].study / f"{task}-validation.md"
        write_text(path, markdown(table))
        show(table, console)
        console.print(f"written to {path}", soft_wrap=True)


def validation_cells(run: Run) -> list[Cell]:
    """The last value of each validation metric, and the speed of the training."""
    curves, facts = read_curves(run), read_provenance(run)
    scores = [METRICS[name].shown(curve(curves, f"val/{name}")[1][-1]) for name in QUICK]
    patches = facts["patches_seen"]
    return [Cell(text) for text in (*scores, f"{patches:,}", f"{patches / facts['seconds']:,.0f}")]
