"""Scores trained runs again and writes their tables: make eval [TASK=sr] [LOSS=mix] [DATA=sample] [BUDGET=quick]"""

from pathlib import Path

import hydra
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import Progress

from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.scoring.baselines import baselines_for, score_baselines
from restoration.scoring.protocol import Protocol
from restoration.study.runs import Run, find_runs
from scripts.cli import chosen_device, clear_errors, explained, plain_console
from scripts.train import score_runs, scoring, show_tables
from scripts.trained import config_of, trained_network


@hydra.main(version_base="1.3", config_path="../configs", config_name="eval")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = plain_console()
        asked = {str(name): value for name, value in config.only.items()}
        runs = find_runs(Path(config.runs), **asked)
        if not runs:
            raise UserError(_nothing_found(Path(config.runs), asked))
        device, protocol = chosen_device(config.device), instantiate(config.protocol)
        failures = {}
        for alike in scored_together(runs):
            try:
                score_alike(alike, config, protocol, device, console)
            except (UserError, InstantiationException) as error:  # the other groups do not depend on it
                failures |= dict.fromkeys(alike, explained(error))
        show_tables(runs, config, console)
        if failures:
            raise UserError(
                f"{len(failures)} of {len(runs)} runs were not scored, or in part; the tables hold what there is:\n"
                + "\n".join(f"  {run.folder}: {why}" for run, why in failures.items())
            )


def score_alike(
    runs: list[Run], config: DictConfig, protocol: Protocol, device: torch.device, console: Console
) -> None:
    """Scores networks of the same task and data, and the baselines where `config` asks for them."""
    for run in runs:
        console.print(f"scoring {run.folder}", soft_wrap=True)
    trained = config_of(runs[0])
    photos, task = pack_set(instantiate(trained.data), Path(config.packs)), instantiate(trained.task)
    score_runs({run: trained_network(run, device) for run in runs}, task, photos, protocol, device)
    if not config.baselines:
        return
    steps = score_baselines(runs[0], task, photos, scoring(task, photos, protocol), protocol=protocol, device=device)
    total = len(baselines_for(task)) * sum(len(test) for test in photos.test.values())
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("baselines", total=total)
        for done in steps:
            progress.update(bar, advance=1, description=done)


def scored_together(runs: list[Run]) -> list[list[Run]]:
    """The runs in groups of the same task and data: their networks meet the same degraded photographs."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        trained = config_of(run)
        groups.setdefault(OmegaConf.to_yaml([trained.task, trained.data]), []).append(run)
    return list(groups.values())


def _nothing_found(root: Path, asked: dict[str, str | None]) -> str:
    wanted = ", ".join(f"{name}={value}" for name, value in asked.items() if value) or "any"
    there = "\n".join(f"  {run.folder}" for run in find_runs(root)) or "  none"
    return f"no trained run matches {wanted} in {root}; trained are:\n{there}\nTrain one: make train TASK=sr LOSS=mix"


if __name__ == "__main__":
    main()
