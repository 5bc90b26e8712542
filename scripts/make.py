"""Turns the arguments of `make` into a command: refuses unknown names and values, then runs a script.

The Makefile calls `make.py check GOAL...` before anything is installed and `make.py run GOAL` to do it, both with its
variables in the environment. This file needs no package.
"""

import difflib
import glob
import os
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
GROUPS = {"TASK": "task", "LOSS": "loss", "DATA": "data", "BUDGET": "budget"}  # variables that name a file of configs/
GROUPS |= {"EXPERIMENT": "experiment", "LAUNCHER": "launcher"}
LISTS = {"TASK": "tasks", "LOSS": "losses", "SEED": "seeds"}  # of a study
COMPOSED = (*GROUPS, "VARIANT", "SEED", "TRAIN", "TEST", "ARGS")  # for commands that train
STORED = ["DATA", "BUDGET", "VARIANT", "ARGS"]  # for commands that read runs
SELECTED = {"TASK": "only.task", "LOSS": "only.loss", "DATA": "only.data", "BUDGET": "only.variant"}  # that read runs
SELECTED |= {"VARIANT": "only.variant", "STUDY": "study", "RAW": "raw"}
BENCHES = ("step", "losses", "pipeline", "evaluation")
LARGEST_SEED = 2**63 - 1
TAKES = {
    "train": [name for name in COMPOSED if name not in ("EXPERIMENT", "LAUNCHER")] + ["GPUS"],
    "study": list(COMPOSED),
    "calibrate": ["LOSS", "TASK", "DATA", "TRAIN", "TEST", "SEED", "ARGS"],
    "recipe": [name for name in COMPOSED if name != "EXPERIMENT"],
    "data": ["DATA", "TRAIN", "TEST", "ARGS"],
    "eval": ["TASK", "LOSS", *STORED],
    "figure": ["TASK", "LOSS", *STORED],
    "report": ["STUDY", *STORED],
    "publish": STORED,
    "raw": ["RAW", *STORED],
    "restore": ["TASK", "LOSS", "NETWORK", "OUT", "FILES", "ARGS"],
    "tensorboard": ["TASK", "LOSS", *STORED],
    "bench": ["BENCH", "TASK", "LOSS", "DATA", "TRAIN", "TEST", "BUDGET", "ARGS"],
    "test": ["ARGS"],
    **{goal: [] for goal in ("lint", "setup", "help")},
}


class Refused(Exception):
    """Wrong arguments; the message says what to type instead."""


def check(goals: list[str], typed: list[str], values: dict[str, str]) -> None:
    """Refuses goals, names of variables and values that no command understands.

    Args:
        typed: the names before each `=` on the command line.
        values: of all variables that are given.
    """
    for goal in goals:
        if goal not in TAKES:
            raise Refused(f"make knows no target {goal}{nearest(goal, TAKES)}; make help lists the targets")
    taken = sorted({name for goal in goals for name in TAKES[goal]})
    target = f"make {' '.join(goals)}"
    for name in typed:
        if name.upper() in taken and name not in taken:
            raise Refused(f"{target} does not know {name}=: write {name.upper()}=")
        if name.islower() and name not in taken:
            raise Refused(f'{target} does not know {name}=: put the whole configuration into quotes: ARGS="{name}=..."')
        if name not in (*taken, "PYTHON"):
            known = ", ".join(taken) or "no variable"
            raise Refused(f"{target} does not take {name}={nearest(name, taken)}; it takes {known}")
    for goal in goals:
        command(goal, {name: value for name, value in values.items() if name in TAKES[goal]})


def command(goal: str, given: dict[str, str]) -> list[str]:
    """The arguments of Python for a goal.

    Raises:
        Refused: a value is unknown or impossible.
    """
    for name, value in given.items():
        if goal != "restore" and ("${" in value or re.search("[\ud800-\udfff]", value)):
            raise Refused(f"{name}={value!a}: a configuration cannot hold '${{' or bytes that are not UTF-8")
    args = words("ARGS", given.get("ARGS", ""))
    if goal == "recipe":
        goal, given = "study", {"EXPERIMENT": "recipe", **given}
    if goal == "restore":
        return ["-m", "scripts", "restore", *restore_arguments(given, args)]
    if goal == "tensorboard":
        chosen = [f"--{key[5:]}={given[name]}" for name, key in SELECTED.items() if name in given]
        return ["-m", "scripts.tensorboard", *chosen, *args]
    if goal == "test":
        return ["-m", "pytest", "-n", "auto", "--maxprocesses", "8", "--dist", "worksteal", *args]
    if goal == "bench":
        parts = given.get("BENCH", ",".join(BENCHES)).split(",")
        for part in parts:
            one_of("BENCH", part, BENCHES)
        return ["-m", "scripts", "bench", f"parts=[{','.join(parts)}]", *composed(goal, given, args)]
    if goal == "calibrate":
        given = dict(given)
        return ["-m", "scripts", goal, f"terms={{{shares(given.pop('LOSS', ''))}}}", *composed(goal, given, args)]
    if goal in ("train", "study", "data"):
        return ["-m", "scripts", goal, *composed(goal, given, args)]
    chosen = [f"{key}={quoted(path(given[name]))}" for name, key in SELECTED.items() if name in given]
    return ["-m", "scripts", goal, *chosen, *args]


def composed(goal: str, given: dict[str, str], args: list[str]) -> list[str]:
    """Overrides of a command that trains."""
    overrides = []
    searched = any("hydra.searchpath" in arg for arg in args)  # for configurations outside configs/
    for name in [name for name in (*GROUPS, "SEED") if name in given]:
        listed = goal == "study" and name in LISTS
        for value in given[name].split(",") if listed else [given[name]]:
            if name == "SEED":
                check_seed(value)
            elif not searched:
                check_group(goal, name, value)
        overrides.append(f"{LISTS[name]}=[{given[name]}]" if listed else f"{name.lower()}={given[name]}")
    if "GPUS" in given:
        check_gpus(given["GPUS"])
        overrides.append(f"gpus={given['GPUS']}")
    if "VARIANT" in given:
        overrides.append(f"variant={quoted(given['VARIANT'])}")
    for name in [name for name in ("TRAIN", "TEST") if name in given]:
        if given.get("DATA") != "folder":
            raise Refused(f"{name}= names photographs of your own: it goes with DATA=folder")
        overrides.append(f"data.{name.lower()}={quoted(path(given[name]))}")
    return overrides + args


def shares(text: str) -> str:
    """The terms of a sum and their shares of the gradient, checked."""
    for term in text.split(","):
        name, _, share = term.partition(":")
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", share):
            raise Refused(
                f'LOSS={text}: each loss needs its share of the gradient, as in LOSS="l1:50,lpips:30,edge:20"'
            )
        check_group("calibrate", "LOSS", name)
    return text


def check_seed(value: str) -> None:
    if not re.fullmatch("[0-9]{1,19}", value) or int(value) > LARGEST_SEED:
        raise Refused(f"SEED={value}: a seed is a whole number from 0 to {LARGEST_SEED}")


def check_group(goal: str, name: str, value: str) -> None:
    """Refuses a value that is not the name of a file in a group of configs/."""
    if name in LISTS and "," in value:
        raise Refused(f"{name}={value}: make {goal} takes one {GROUPS[name]}; make study {name}={value} trains several")
    if name == "DATA" and ("/" in value or os.path.isdir(value)):
        raise Refused(f"DATA={value}: DATA is a name; for photographs of your own: DATA=folder TRAIN={value} TEST=...")
    one_of(name, value, sorted(file.stem for file in (CONFIGS / GROUPS[name]).glob("*.yaml")))


def one_of(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise Refused(f"{name}={value} is unknown{nearest(value, known)}; there are {', '.join(known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A question with the most similar name; empty if no name is similar."""
    names = {each.upper(): each for each in known}
    similar = difflib.get_close_matches(name.upper(), names, 1)
    return f" (did you mean {names[similar[0]]}?)" if similar else ""


def check_gpus(value: str) -> None:
    if not re.fullmatch("[1-9][0-9]{0,3}", value):
        raise Refused(f"GPUS={value}: GPUS is the number of GPUs that train one network together")


def restore_arguments(given: dict[str, str], args: list[str]) -> list[str]:
    chosen = [f"--{name.lower()}={path(given[name])}" for name in ("NETWORK", "TASK", "LOSS", "OUT") if name in given]
    text = given.get("FILES", "")
    files = [text] if os.path.exists(path(text)) else words("FILES", text)
    return [*chosen, *args, "--", *(each for file in map(path, files) for each in sorted(glob.glob(file)) or [file])]


def words(name: str, text: str) -> list[str]:
    """The words of a text, divided as a shell does."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Refused(f"{name}={text}: {error}; put a name with a quote into quotes of the other kind") from error


def path(text: str) -> str:
    """A path with ~ replaced by the home folder."""
    return os.path.expanduser(text)


def quoted(text: str) -> str:
    """Any text as one value of Hydra; only a backslash before a quote must be doubled."""
    return "'" + re.sub(r"(\\*)('|$)", lambda match: 2 * match[1] + ("\\'" if match[2] else ""), text) + "'"


def main() -> None:
    mode, *goals = sys.argv[1:]
    values = {name: os.environ[name] for names in TAKES.values() for name in names if os.environ.get(name)}
    try:
        if mode == "check":
            check(goals or ["help"], os.environ.get("TYPED", "").split(), values)
        else:
            if goals[0] == "test":
                os.environ.setdefault("OMP_NUM_THREADS", "1")  # each process of pytest computes on one core
            given = {name: value for name, value in values.items() if name in TAKES[goals[0]]}
            os.execv(sys.executable, [sys.executable, *command(goals[0], given)])
    except Refused as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
