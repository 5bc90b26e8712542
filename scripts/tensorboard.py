"""TensorBoard of the runs of one task: make tensorboard TASK=sr [LOSS= DATA= BUDGET= VARIANT= ARGS="--port 6007"]

TensorBoard names a run by its path below the folder that is read, and a chart shows all runs with the same tag. So this
script makes a folder of links for one task, with names of runs such as "mix / seed 0".
"""

import argparse
import glob
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in ("data", "variant", "task", "loss"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"))
    chosen, options = parser.parse_known_args(words)
    if wrong := [option for option in options if "=" in option and not option.startswith("-")]:
        sys.exit(f"error: {wrong[0]} is no option of TensorBoard, such as --port 6007; VARIANT= names a variant")
    folders = runs_with_events(chosen)
    links = linked(folders, chosen.runs / ".tensorboard")
    print(f"{len(folders)} runs; one that begins later appears when this command is started again", flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "tensorboard.main", "--logdir", str(links), *options])


def runs_with_events(chosen: argparse.Namespace) -> list[Path]:
    """The folders of the chosen runs, <runs>/<data>/<variant>/<task>/<loss>/seed<k>, of one task."""
    names = (chosen.data, chosen.variant, chosen.task, chosen.loss)
    pattern = "/".join(glob.escape(name) if name else "*" for name in names)
    folders = sorted({file.parent for file in chosen.runs.glob(f"{pattern}/seed*/events.out.*")})
    tasks = sorted({folder.parts[-3] for folder in folders})
    if not tasks:
        sys.exit(f"error: no run matches {pattern} in {chosen.runs}; train one: make train TASK=sr LOSS=mix")
    if len(tasks) > 1:
        sys.exit(f"error: TensorBoard would mix tasks in its charts; take one, of {', '.join(tasks)}: TASK={tasks[0]}")
    return folders


def linked(folders: Sequence[Path], root: Path) -> Path:
    """A new folder of links to runs; their names begin with data set and variant where there are several."""
    links = root / folders[0].parts[-3]
    shutil.rmtree(links, ignore_errors=True)
    several = len({folder.parts[-5:-3] for folder in folders}) > 1
    for folder in folders:
        data, variant, _, loss, seed = folder.parts[-5:]
        name = f"{data} {variant} {loss}" if several else loss
        link = links / f"{name} " / f" seed {seed.removeprefix('seed')}"  # the path reads "mix / seed 0"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder.absolute())
    return links


if __name__ == "__main__":
    main(sys.argv[1:])
