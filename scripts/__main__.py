"""All commands: python -m scripts train task=sr loss=mix

The first word is a command of `make help`, the others are values of its configuration, as in ARGS of make.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from omegaconf import DictConfig

from restoration.errors import UserError
from scripts.configuration import composed

MODULES = {"data": "prepare_data", "bench": "bench.run"}  # of the other commands: as the command is called


def main() -> None:
    try:
        run(sys.argv[1], sys.argv[2:])
    except KeyboardInterrupt:
        sys.exit(130)


def run(name: str, words: Sequence[str]) -> None:
    """Runs a command."""
    if name == "restore":
        say_loading()
        import_module("scripts.restore").main(words)
        return
    try:
        config = composed("train" if name == "data" else name, words)
        several = processes(name, config)
    except UserError as error:
        sys.exit(f"error: {error}")
    if several:
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={several}", "-m", "scripts"]
        os.execv(sys.executable, [sys.executable, *launch, name, *words])
    say_loading()
    module = import_module(f"scripts.{MODULES.get(name, name)}")
    with import_module("scripts.cli").clear_errors():
        module.main(config)


def processes(name: str, config: DictConfig) -> int:
    """Number of processes that must be started; 0 if this process works alone.

    Raises:
        UserError: the batch cannot be shared equally, or the command trains in one process.
    """
    count = config.get("gpus", 1)
    if count == 1 or "WORLD_SIZE" in os.environ:
        return 0
    if name != "train":
        raise UserError(f"gpus={count}: only make train shares a training among several GPUs")
    batch = config.budget.batch
    if batch % count:
        whole = count * max(1, round(batch / count))
        possible = ", ".join(str(number) for number in range(1, batch + 1) if batch % number == 0)
        raise UserError(
            f"GPUS={count}: a batch of {batch} patches cannot be shared equally among {count} GPUs; "
            f'take {possible} GPUs, or ARGS="budget.batch={whole}"'
        )
    return count


def say_loading() -> None:
    if sys.stdout.isatty() and os.environ.get("RANK", "0") == "0":
        print("loading PyTorch ...", flush=True)


if __name__ == "__main__":
    main()
