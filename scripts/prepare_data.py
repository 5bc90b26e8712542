"""Prepares a data set, prints its facts and draws a contact sheet: make data DATA=fivek [ARGS="data.n=20"]"""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.table import Table

from restoration.datasets.pack import pack_set
from restoration.names import task_title
from restoration.pretrained import TASKS
from restoration.study.report.data_page import facts_table, write_page
from scripts.cli import plain_console, say_next


def main(config: DictConfig) -> None:
    photos = instantiate(config.data)
    packed = pack_set(photos, Path(config.packs))
    parts = {"train": packed.train, "val": packed.val}
    parts |= {f"test {name}": part for name, part in packed.test.items()}
    rows = facts_table(parts)
    table = Table(*rows[0], title=f"data set {photos.name}")
    for row in rows[1:]:
        table.add_row(*row)
    console = plain_console()
    console.print(table)
    folder = Path(config.pages) / photos.name
    tasks = {task_title(task): degradation for task, degradation in TASKS.items()}
    write_page(f"data set {photos.name}", parts, rows, tasks, folder)
    console.print(f"to look at: {folder}/index.html and contact_sheet.png", soft_wrap=True)
    say_next("make train TASK=sr LOSS=mix, with the same DATA=")
