"""From what is typed after `make` to a command: refuses unknown names and values, then runs the script.

The Makefile calls `make.py check GOAL...` before anything is installed and `make.py run GOAL` to do it, both with its
variables in the environment. This file needs no package.
"""

import difflib
import glob
import os
import re
import shlex
import sys
from pathlib import Path

COMPOSED = ("DATA", "TRAIN", "TEST", "BUDGET", "ARGS")  # of commands that train
STUDIED = ("DATA", "BUDGET", "ARGS")  # names as in the folders of runs, for commands that read them
TAKES = {
    "train": ("TASK", "LOSS", "SEED", "GPUS", *COMPOSED),
    "study": ("TASK", "LOSS", "SEED", "EXPERIMENT", "LAUNCHER", *COMPOSED),
    "data": ("DATA", "TRAIN", "TEST", "ARGS"),
    "eval": ("TASK", "LOSS", *STUDIED),
    "figure": ("TASK", "LOSS", *STUDIED),
    "report": ("STUDY", *STUDIED),
    "publish": STUDIED,
    "raw": ("RAW", *STUDIED),
    "restore": ("TASK", "LOSS", "NETWORK", "FILES", "OUT"),
    "tensorboard": ("TASK", "LOSS", "DATA", "BUDGET", "ARGS"),
    "bench": ("BENCH", "TASK", "LOSS", *COMPOSED),
    "test": ("ARGS",),
    "lint": (),
    "setup": (),
    "help": (),
}
BENCHES = ("step", "losses", "pipeline", "evaluation")
GROUPS = {"TASK": "task", "LOSS": "loss", "DATA": "data", "BUDGET": "budget", "EXPERIMENT": "experiment"}
GROUPS["LAUNCHER"] = "launcher"
CONFIGS = Path(__file__).parents[1] / "configs"
LARGEST_SEED = 2**63 - 1


class Refused(Exception):
    """What is typed cannot be meant; the message says what to type."""


def check(goals: list[str], typed: list[str], values: dict[str, str]) -> None:
    """Refuses goals, names of variables and values that no command understands.

    Args:
        typed: the names before each `=` on the command line.
        values: of the variables that are given.
    """
    for goal in goals:
        if goal not in TAKES:
            raise Refused(f"make knows no target {goal}{nearest(goal, TAKES)}; make help lists the targets")
    taken = {"PYTHON", *(name for goal in goals for name in TAKES[goal])}
    for name in typed:
        if name not in taken:
            raise Refused(unknown(name, goals, taken))
    for goal in goals:
        command(goal, {name: value for name, value in values.items() if name in TAKES[goal]})


def unknown(name: str, goals: list[str], taken: set[str]) -> str:
    """Why a variable is refused."""
    target = f"make {' '.join(goals)}"
    if name.upper() in taken:
        return f"{target} does not know {name}=: write {name.upper()}="
    if "." in name or name.islower():
        return (
            f'{target} does not know {name}=: values of the configuration go into one pair of quotes: ARGS="{name}=..."'
        )
    known = ", ".join(sorted(taken - {"PYTHON"})) or "no variable"
    return f"{target} does not take {name}={nearest(name, taken)}; it takes {known}"


def nearest(name: str, known: "dict[str, tuple[str, ...]] | set[str] | list[str]") -> str:
    """A question about the most similar name; empty where none is similar."""
    similar = difflib.get_close_matches(name.upper(), [each.upper() for each in known], 1)
    return f" (did you mean {next(each for each in known if each.upper() == similar[0])}?)" if similar else ""


def command(goal: str, given: dict[str, str]) -> list[str]:
    """The arguments of Python for a goal.

    Raises:
        Refused: a value is unknown or cannot be meant.
    """
    for name, value in given.items():
        if "${" in value or any("\udc80" <= sign <= "\udcff" for sign in value):
            raise Refused(f"{name}={value!r}: names with '${{' or with bytes that are not UTF-8 cannot be used; rename")
    args = words("ARGS", given.get("ARGS", ""))
    if goal == "restore":
        return ["-m", "scripts.restore", *restore_arguments(given)]
    if goal == "tensorboard":
        return ["-m", "tensorboard.main", *boards(given), *args]
    if goal == "test":
        return ["-m", "pytest", *args]
    if goal == "bench":
        parts = given.get("BENCH", ",".join(BENCHES)).split(",")
        for part in parts:
            one_of("BENCH", part, list(BENCHES))
        return ["-m", "scripts.bench", f"parts=[{','.join(parts)}]", *composed(goal, given, args)]
    if goal in ("train", "study", "data"):
        script = {"data": "prepare_data"}.get(goal, goal)
        return [*launched(given), "-m", f"scripts.{script}", *composed(goal, given, args)]
    if goal in TAKES and "DATA" in TAKES[goal]:
        names = {"TASK": "only.task", "LOSS": "only.loss", "DATA": "only.data", "BUDGET": "only.variant"}
        names |= {"STUDY": "study", "RAW": "raw"}
        chosen = [f"{key}={quoted(path(given[name]))}" for name, key in names.items() if name in given]
        return ["-m", f"scripts.{goal}", *chosen, *args]
    return []


def composed(goal: str, given: dict[str, str], args: list[str]) -> list[str]:
    """Overrides of a command that trains: names of files of configs/, and photographs."""
    several = goal == "study"
    overrides = []
    for name, group in GROUPS.items():
        if name not in given:
            continue
        values = given[name].split(",") if several and name in ("TASK", "LOSS") else [given[name]]
        for value in values:
            if not any("hydra.searchpath" in arg for arg in args):
                known_file(goal, name, value)
        if name in ("TASK", "LOSS") and several:
            overrides.append(f"{ {'TASK': 'tasks', 'LOSS': 'losses'}[name] }=[{','.join(values)}]")
        else:
            overrides.append(f"{group}={given[name]}")
    if "SEED" in given:
        seeds = given["SEED"].split(",") if several else [given["SEED"]]
        for seed in seeds:
            if not re.fullmatch("[0-9]{1,19}", seed) or int(seed) > LARGEST_SEED:
                raise Refused(f"SEED={seed}: a seed is a whole number from 0 to {LARGEST_SEED}")
        overrides.append(f"seeds=[{','.join(seeds)}]" if several else f"seed={seeds[0]}")
    for name in ("TRAIN", "TEST"):
        if name in given:
            if given.get("DATA") != "folder":
                raise Refused(f"{name}= names photographs of your own: it goes with DATA=folder")
            overrides.append(f"data.{name.lower()}={quoted(path(given[name]))}")
    return overrides + args


def known_file(goal: str, name: str, value: str) -> None:
    """Refuses what is no file of a group of configs/."""
    names = sorted(file.stem for file in (CONFIGS / GROUPS[name]).glob("*.yaml"))
    if value in names:
        return
    if name in ("TASK", "LOSS") and "," in value:
        raise Refused(f"{name}={value}: make {goal} takes one {GROUPS[name]}; make study {name}={value} trains several")
    if name == "DATA" and (os.path.exists(os.path.expanduser(value)) or "/" in value):
        raise Refused(f"DATA={value}: DATA is a name; for photographs of your own: DATA=folder TRAIN={value} TEST=...")
    one_of(name, value, names)


def one_of(name: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise Refused(f"{name}={value} is unknown{nearest(value, known)}; there are {', '.join(known)}")


def launched(given: dict[str, str]) -> list[str]:
    """By torchrun where several GPUs train one network."""
    if "GPUS" not in given:
        return []
    if not re.fullmatch("[1-9][0-9]{0,3}", given["GPUS"]):
        raise Refused(f"GPUS={given['GPUS']}: the number of GPUs that train one network together")
    return ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={given['GPUS']}"]


def restore_arguments(given: dict[str, str]) -> list[str]:
    options = {"NETWORK": "--network", "TASK": "--task", "LOSS": "--loss", "OUT": "--out"}
    chosen = [f"{option}={path(given[name])}" for name, option in options.items() if name in given]
    text = given.get("FILES", "")
    files = [text] if os.path.exists(path(text)) else words("FILES", text)
    found = [each for file in map(path, files) for each in sorted(glob.glob(file)) or [file]]
    return [*chosen, "--", *found]


def boards(given: dict[str, str]) -> list[str]:
    """Arguments of TensorBoard: all runs, or those of the names given."""
    names = ("DATA", "BUDGET", "TASK", "LOSS")
    if not any(name in given for name in names):
        return ["--logdir", "results/runs"]
    pattern = "/".join(glob.escape(given[name]) if name in given else "*" for name in names)
    folders = sorted(glob.glob(f"results/runs/{pattern}/seed*"))
    if not folders:
        raise Refused(f"no run matches {pattern} in results/runs")
    return ["--logdir_spec", ",".join(f"{folder[len('results/runs/') :]}:{folder}" for folder in folders)]


def words(name: str, text: str) -> list[str]:
    """The words of a text as a shell divides it."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Refused(
            f"{name}={text}: {error}; put names with quotes or spaces into quotes of the other kind"
        ) from error


def path(text: str) -> str:
    """With ~ replaced by the home folder."""
    return os.path.expanduser(text)


def quoted(text: str) -> str:
    """A text as one value of Hydra's, whatever signs it has."""
    return "'" + re.sub(r"(\\*)(')", r"\1\1\\\2", re.sub(r"(\\+)$", r"\1\1", text)) + "'"


def main() -> None:
    mode, *goals = sys.argv[1:]
    values = {name: os.environ[name] for names in TAKES.values() for name in names if os.environ.get(name)}
    try:
        if mode == "check":
            check(goals or ["help"], os.environ.get("TYPED", "").split(), values)
        else:
            given = {name: value for name, value in values.items() if name in TAKES[goals[0]]}
            os.execv(sys.executable, [sys.executable, *command(goals[0], given)])
    except Refused as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
