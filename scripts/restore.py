"""Restores your own files by a shipped network: make restore TASK=jpeg [LOSS=mix] FILES="photo.jpg" [OUT=dir]"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from restoration import load
from restoration.own_files import restore_file, restored_name
from scripts.cli import chosen_device, clear_errors, explained


def main() -> None:
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__, usage='TASK= [LOSS=] FILES="..." [OUT=]')
    parser.add_argument("--task", metavar="TASK=", required=True, help="demosaic (raw files), sr or jpeg")
    parser.add_argument("--loss", metavar="LOSS=", default="mix", help="what the network was trained with")
    parser.add_argument("--out", metavar="OUT=", type=Path, help="folder of the new files; else each beside its own")
    parser.add_argument("files", metavar="FILES=", nargs="+", type=Path, help="never changed")
    asked = parser.parse_args()
    with clear_errors():
        device = chosen_device("auto")
        network = load(asked.task, asked.loss).to(device)
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
