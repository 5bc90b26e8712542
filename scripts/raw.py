"""The demosaicking networks and BM3D on real raw files: make raw RAW=DIR_or_FILE [DATA=photos] [BUDGET=long]

<runs>/<data>/raw-<variant>/ gets what `make report` reads (records.csv, test_sets.json, notes.txt) and crops of each
file; files of an earlier command are replaced. The subfolder bm3d/ keeps results of BM3D for later commands.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from restoration.errors import UserError
from restoration.names import BASELINES, INPUT, input_title, ordered_columns
from restoration.sensor import RAW_SUFFIXES
from restoration.study.observations import bm3d_once
from restoration.study.raw import REFERENCE, TASK, RawFile, score_file, write_raw
from restoration.study.records import Study
from restoration.study.report.crops import save_crops
from restoration.study.runs import Run, read_provenance
from restoration.tasks import Demosaic
from scripts.cli import chosen_device, plain_console, say_next
from scripts.trained import config_of, main_runs, trained_network


def main(config: DictConfig) -> None:
    console, paths = plain_console(), raw_files(config.raw)
    study = Study.collect(Path(config.runs), **config.only)
    runs = demosaicking_runs(Path(config.runs), study)
    folder = Path(config.runs) / study.data / f"raw-{study.variant}"
    files = {path: file for path in paths if (file := scored(path, runs, folder, config, console))}
    if not files:
        raise UserError(f"none of the {len(paths)} files in {config.raw} can be used; give raw files of a camera")
    for old in folder.glob("*.png"):
        old.unlink()
    for path, file in files.items():
        save_file_crops(file, study, folder / f"{path.name}.png")
    patches = ", ".join(f"{count:,}" for count in sorted({read_provenance(run)["patches_seen"] for run in runs}))
    write_raw(folder, list(files.values()), [f"networks: {study.data}, {study.variant}, {patches} patches seen"])
    console.print(f"written to {folder}: scores and crops", soft_wrap=True)
    say_next("make report")


def scored(path: Path, runs: Sequence[Run], folder: Path, config: DictConfig, console: Console) -> RawFile | None:
    """The results of one file; prints a message and returns None if the file cannot be used."""
    device = chosen_device(config.device)
    networks = {(run.loss, run.seed): trained_network(run, device) for run in runs}
    try:
        with console.status(Text(path.name)) as status:
            return score_file(
                path,
                networks,
                trained=learnt_noise(runs),
                levels=[tuple(level) for level in config.levels],
                denoise=bm3d_once(folder / "bm3d") if config.baselines else None,
                device=device,
                announce=lambda doing: status.update(Text(f"{path.name}, {doing}")),
            )
    except UserError as error:
        console.print(f"left out: {error}")
        return None


def save_file_crops(file: RawFile, study: Study, path: Path) -> None:
    """The crops of a file as a PNG, under the titles of the versions."""
    versions = ordered_columns({name for row in file.crops.values() for name in row} - {REFERENCE})
    titles = {name: {INPUT: input_title(TASK), **BASELINES}.get(name, study.title(name)) for name in versions}
    titles[REFERENCE] = REFERENCE
    rows = {label: {titles[name]: crop for name, crop in row.items()} for label, row in file.crops.items()}
    save_crops(rows, path)


def raw_files(place: str | None) -> list[Path]:
    if place is None:
        raise UserError("no raw file is named: make raw RAW=FILE, or a folder of them")
    path = Path(place).expanduser()
    if path.is_file():
        return [path]
    files = sorted(file for file in path.glob("*") if file.suffix.lower() in RAW_SUFFIXES)
    if not files:
        kinds = " ".join(sorted(RAW_SUFFIXES))
        raise UserError(f"{path} is neither a file nor a folder with files named {kinds}; RAW= names one")
    return files


def demosaicking_runs(root: Path, study: Study) -> list[Run]:
    """The main trainings of the study that demosaick, in the order of the tables."""
    runs = [run for run in main_runs(study, root) if run.task == TASK]
    if not runs:
        raise UserError(f"{root} has no network for demosaicking in {study.name}; train some: make study TASK=demosaic")
    order = ordered_columns(run.loss for run in runs)
    return sorted(runs, key=lambda run: (order.index(run.loss), run.seed))


def learnt_noise(runs: Sequence[Run]) -> Demosaic:
    """The noise that all networks learnt; `Study.collect` refuses networks that learnt different ones."""
    return instantiate(config_of(runs[0]).task)
