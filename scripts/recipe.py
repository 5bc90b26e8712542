"""How optimiser, batch, schedule and start were chosen: trains the candidates of a configuration side by side.

make recipe TASK=demosaic LOSS=l1 DATA=folder TRAIN=DIR TEST=DIR ARGS="budget.patches=24576"
"""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from restoration.files import write_text
from restoration.names import METRICS, QUICK
from restoration.study.rendering import Cell, Table, markdown, show
from restoration.study.runs import Run, read_provenance
from restoration.study.scalars import curve, read_scalars
from scripts.cli import clear_errors, plain_console
from scripts.experiment import composed
from scripts.train import train_and_score


@hydra.main(version_base="1.3", config_path="../configs", config_name="recipe")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = plain_console()
        asked = HydraConfig.get()  # each run takes its place
        shared = list(asked.overrides.task)
        runs = {}
        for name, overrides in config.candidates.items():
            variant = "recipe-" + "".join(sign if sign.isalnum() else "-" for sign in str(name))
            runs[name] = train_and_score(composed([*shared, *overrides, f"variant={variant}"]), console)
        first, table = runs["chosen"], candidates_table(runs)
        path = Path(config.runs, str(asked.job.config_name)) / f"{first.data}-{first.task}-{first.loss}.md"
        write_text(path, markdown(table))
        show(table, console)
        console.print(f"written to {path}", soft_wrap=True)


def candidates_table(runs: dict[str, Run]) -> Table:
    """The last validation scores of every candidate."""
    first = runs["chosen"]
    facts = read_provenance(first)
    title = (
        f"{first.task} with {first.loss}, {facts['patches_seen']:,} patches from {facts['photographs']['train']} "
        f"photographs of {first.data}, mean over {facts['photographs']['val']} validation photographs, "
        f"seed {first.seed}; {facts['hardware']}, {facts['precision']}; commit {facts['commit']}"
    )
    rows = [(str(name), last_validation(run)) for name, run in runs.items()]
    return Table(title, [METRICS[name].label for name in QUICK], rows)


def last_validation(run: Run) -> list[Cell]:
    scalars = read_scalars(run)
    return [Cell(METRICS[name].shown(curve(scalars, f"val/{name}")[1][-1])) for name in QUICK]


if __name__ == "__main__":
    main()
