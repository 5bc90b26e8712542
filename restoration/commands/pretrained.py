"""`restoration pretrained`: the shipped networks."""

import argparse
from collections import defaultdict

from safetensors import safe_open

from restoration.commands.terminal import print_table
from restoration.names import ordered_columns, ordered_tasks, task_title
from restoration.pretrained import FOLDER, shipped, weights_file

FACTS = ("degradation", "patches_seen", "data", "licence")  # metadata in the header of a weights file


def run(arguments: argparse.Namespace) -> int:
    names = shipped(FOLDER)
    rows = []
    for task in ordered_tasks(task for task, _ in names):
        losses = defaultdict(list)  # losses with equal facts share a row
        for loss in ordered_columns(loss for name, loss in names if name == task):
            path = weights_file(FOLDER, task, loss)
            with safe_open(path, "pt") as file:
                facts = file.metadata() or {}
            shown = tuple(
                facts.get(name, "").partition(",")[0] if name == "licence" else facts.get(name, "") for name in FACTS
            )
            losses[(*shown, f"{path.stat().st_size / 1e6:.2f}")].append(loss)
        for facts, names_of_losses in losses.items():
            rows.append([task, task_title(task), ", ".join(names_of_losses), *facts])
    head = ["--task", "", "--loss", "trained for", "patches", "photographs", "licence", "MB each"]
    print_table(head, rows, texts=(0, 1, 2, 3, 5, 6))
    print('\nIn Python: restoration.load("jpeg", "mix"), restoration.restore(image, task="jpeg", loss="mix")')
    return 0
