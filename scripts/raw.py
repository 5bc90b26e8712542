"""The demosaicking networks beside BM3D on real raw files: make raw RAW=DIR_or_FILE [DATA=photos] [BUDGET=long]

<runs>/<data>/raw-<variant>/ gets records.csv (a row for each version, tile and metric), a table for each kind of noise,
differences.md, and crops of each file, all in the place of an earlier command's; bm3d/ beside them keeps what BM3D
made, so that it is not made twice.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import hydra
import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from restoration.errors import UserError
from restoration.files import write_text
from restoration.sensor import estimated_noise, read_sensor
from restoration.study.columns import in_order, title_of
from restoration.study.comparisons import compare_all, comparison_tables
from restoration.study.figures import save_crops
from restoration.study.raw_study import (
    as_it_is,
    bm3d_once,
    crops,
    pictures,
    reference_floor,
    restorations,
    tile_records,
    with_reference,
)
from restoration.study.raw_tables import RawStudy, raw_folder, write_raw
from restoration.study.rendering import markdown, show
from restoration.study.runs import Run, find_runs, read_provenance
from restoration.study.scores import Scores
from restoration.study.tables import table_of, write_tables
from restoration.tasks import Demosaic
from scripts.cli import chosen_device, clear_errors, plain_console
from scripts.trained import config_of, trained_network

RAW = (".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".pef", ".raf", ".rw2")


@hydra.main(version_base="1.3", config_path="../configs", config_name="raw")
def main(config: DictConfig) -> None:
    with clear_errors():
        console = plain_console()
        files = raw_files(config.raw)
        runs = demosaicking_runs(Path(config.runs), config.only.data, config.only.variant)
        folder = raw_folder(runs[0].root, runs[0].data, runs[0].variant)
        restorers = Restorers(runs, folder, config)
        frames, notes = [], [networks_note(runs)]
        for path in files:
            try:
                records, note = restorers.of(path, console)
            except UserError as error:
                if len(files) == 1:
                    raise
                console.print(f"left out: {error}")
                continue
            frames.append(records)
            notes.append(note)
        if not frames:
            raise UserError(f"none of the {len(files)} files in {config.raw} can be used; give raw files of a camera")
        drawn = [restorers.crops_of(path) for path in files]
        write_results(RawStudy(pd.concat(frames, ignore_index=True), tuple(notes)), folder, drawn, console)


class Restorers:
    """The networks, BM3D and levels with which every file is looked at."""

    def __init__(self, runs: Sequence[Run], folder: Path, config: DictConfig):
        self.device = chosen_device(config.device)
        self.networks = {(run.loss, run.seed): trained_network(run, self.device) for run in runs}
        self.trained = noise_of(runs)
        self.denoise = bm3d_once(folder / "bm3d") if config.baselines else None
        self.levels = [tuple(level) for level in config.levels]
        self.names = {"data": runs[0].data, "variant": runs[0].variant}
        self.folder = folder

    def crops_of(self, path: Path) -> Path:
        return self.folder / f"{path.name}.png"

    def of(self, path: Path, console: Console) -> tuple[pd.DataFrame, str]:
        """Writes a file's crops; gives its records and a line about it."""
        sensor = read_sensor(path)
        seen = [as_it_is(sensor), *with_reference(sensor, path.stem, levels=self.levels, trained=self.trained)]
        frames, rows, columns = [], {}, []
        with Progress(console=console, transient=True) as progress:
            versions = 1 + len(self.networks) + (3 if self.denoise else 0)
            bar = progress.add_task(escape(path.name), total=len(seen) * versions)
            for observation in seen:
                made = {}
                for key, image in restorations(
                    observation, self.networks, trained=self.trained, denoise=self.denoise, device=self.device
                ):
                    made[key] = image
                    doing = escape(f"{path.name}, {observation.name}: {key[0]}")
                    progress.update(bar, advance=1, description=doing)
                if observation.reference is not None:
                    frames.append(tile_records(made, observation.reference, path.name, observation.name, **self.names))
                images = pictures(made, observation, sensor)
                for number, crop in enumerate(crops(images, count=2), start=1):
                    rows[observation.label(number)] = crop
                columns = list(map(title_of, images))  # the last has a reference
        save_crops(rows, columns, self.crops_of(path))
        a, b = estimated_noise(sensor.light)
        note = (
            f"{path.name}: its own noise, estimated, has a={a:.2g}, b={b:.2g}; as much again in the reference would "
            f"leave {reference_floor(sensor):.1f} dB"
        )
        return pd.concat(frames, ignore_index=True), note


def raw_files(place: str | None) -> list[Path]:
    if place is None:
        raise UserError("no raw file is named: make raw RAW=FILE, or a folder of them")
    path = Path(place).expanduser()
    if path.is_file():
        return [path]
    files = sorted(file for file in path.glob("*") if file.suffix.lower() in RAW)
    if not files:
        raise UserError(f"{path} is neither a file nor a folder with files named {' '.join(RAW)}; RAW= names one")
    return files


def demosaicking_runs(root: Path, data: str | None, variant: str | None) -> list[Run]:
    """The trained demosaicking networks of one data set and variant: those named, or the only ones; in table order."""
    runs = find_runs(root, data=data, variant=variant, task="demosaic")
    if len({(run.data, run.variant) for run in runs}) != 1:
        places = sorted({(run.data, run.variant) for run in find_runs(root, task="demosaic")})
        there = "\n".join(f"  DATA='{data}' BUDGET='{variant}'" for data, variant in places) or (
            "  none; train them: make study TASK=demosaic"
        )
        raise UserError(f"one data set and one budget are looked at; networks trained to demosaic in {root}:\n{there}")
    order = in_order({run.loss for run in runs})
    return sorted(runs, key=lambda run: (order.index(run.loss), run.seed))


def noise_of(runs: Sequence[Run]) -> Demosaic:
    """The noise that all of them learnt."""
    tasks = {instantiate(config_of(run).task) for run in runs}
    if len(tasks) > 1:
        raise UserError(f"{runs[0].folder.parents[1]} holds networks of different tasks: {sorted(map(str, tasks))}")
    return tasks.pop()


def networks_note(runs: Sequence[Run]) -> str:
    patches = sorted({read_provenance(run)["patches_seen"] for run in runs})
    return f"networks: {runs[0].data}, {runs[0].variant}, {', '.join(f'{count:,}' for count in patches)} patches seen"


def write_results(study: RawStudy, folder: Path, drawn: Collection[Path], console: Console) -> None:
    """In the place of an earlier command's, but for the crops that this one has `drawn`."""
    for old in (*folder.glob("demosaic-*"), *(path for path in folder.glob("*.png") if path not in drawn)):
        old.unlink()
    write_raw(study, folder)
    for table in study.tables():
        show(table_of(table), console)
    write_tables(study.tables(), folder)
    (variant,) = study.records["variant"].unique()
    differences = compare_all(Scores(study.records), variant, references=("input", "bm3d", "bm3d_blind"))
    write_text(folder / "differences.md", "\n".join(map(markdown, comparison_tables(differences))))
    console.print(f"written to {folder}: records, tables, differences, crops")


if __name__ == "__main__":
    main()
