"""Restores your own files by a shipped network: make restore TASK=jpeg [LOSS=mix] FILES="photo.jpg" [OUT=dir]"""

import argparse
import sys
import time
from pathlib import Path

import torch
from rich.console import Console

from restoration import load
from restoration.own_files import restore_file, restored_name
from scripts.cli import chosen_device, clear_errors, explained


def main() -> None:
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__, usage="see make help")
    parser.add_argument("--task", help="demosaic (raw files), sr or jpeg")
    parser.add_argument("--loss", default="mix", help="what the network was trained with")
    parser.add_argument("--out", type=Path, help="folder of the new files; else each is put beside its own")
    parser.add_argument("files", nargs="*", type=Path, help="they are not changed")
    asked = parser.parse_args()
    if not asked.task or not asked.files:
        parser.error('give a task, demosaic, sr or jpeg, and files: make restore TASK=jpeg FILES="photo.jpg"')
    with clear_errors():
        device = chosen_device("auto")
        network = load(asked.task, asked.loss).to(device).to(memory_format=torch.channels_last)
        failed = 0
        console = Console()
        for path in asked.files:
            target = restored_name(path, asked.task, asked.loss, asked.out)
            try:
                start = time.perf_counter()
                with console.status(f"restoring {path}"):
                    restore_file(path, asked.task, network, target, device=device)
                console.print(f"{target} ({time.perf_counter() - start:.1f} s)", highlight=False, soft_wrap=True)
            except Exception as error:  # the other files are still done
                print(f"error: {explained(error)}", file=sys.stderr, flush=True)
                failed += 1
        if failed:
            sys.exit(f"{failed} of {len(asked.files)} files were not restored")


if __name__ == "__main__":
    main()
