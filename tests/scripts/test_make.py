"""Arguments of `make` become a command, or are refused with a message."""

import os
import re
import shutil
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from scripts.make import TAKES, Refused, check, command
from tests.scripts.conftest import ROOT


@pytest.mark.parametrize(
    ("goal", "typed", "answer"),
    [
        ("train", "task=sr", "write TASK="),
        ("train", "LOS=l1", "did you mean LOSS?"),
        ("study", "BUGDET=quick", "did you mean BUDGET?"),
        ("train", "budget.batch=32", 'ARGS="budget.batch=..."'),
        ("report", "LOSS=l1", "it takes ARGS, BUDGET, DATA, STUDY"),
        ("study", "GPUS=2", "does not take GPUS="),
        ("trian", "", "did you mean train?"),
        ("train", "LOSS=L1", "did you mean l1?"),
        ("train", "TASK=denoise", "there are demosaic, jpeg, sr"),
        ("train", "LOSS=l1,mix", "make study LOSS=l1,mix trains several"),
        ("train", "DATA=/tmp", "DATA=folder TRAIN=/tmp TEST=..."),
        ("train", "TRAIN=/tmp", "goes with DATA=folder"),
        ("train", "SEED=abc", "a whole number from 0"),
        ("train", "SEED=-1", "a whole number from 0"),
        ("train", "SEED=1e20", "a whole number from 0"),
        ("study", "SEED=9223372036854775808", "a whole number from 0 to 9223372036854775807"),
        ("train", "GPUS=0", "the number of GPUs"),
        ("study", "LAUNCHER=slrum", "did you mean slurm?"),
        ("bench", "BENCH=loss", "did you mean losses?"),
        ("restore", "FILES=it's.jpg", "No closing quotation"),
        ("train", "TRAIN=\udcff", "not UTF-8"),
        ("train", "ARGS=variant=${x", "cannot hold"),
    ],
)
def test_refused(goal, typed, answer):
    name, _, value = typed.partition("=")
    with pytest.raises(Refused) as caught:
        check([goal], [name] if name else [], {name: value} if name else {})
    assert answer in str(caught.value)


def test_commands(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command("study", {"TASK": "sr", "LOSS": "l1,mix", "SEED": "0,3", "ARGS": "a=1 'b=2 3'"}) == [
        *("-m", "scripts", "study", "tasks=[sr]", "losses=[l1,mix]", "seeds=[0,3]", "a=1", "b=2 3")
    ]
    assert command("recipe", {"TASK": "sr"}) == ["-m", "scripts", "study", "tasks=[sr]", "experiment=recipe"]
    named = {"GPUS": "2", "LOSS": "mix", "VARIANT": "mine"}
    assert command("train", named) == ["-m", "scripts", "train", "loss=mix", "gpus=2", "variant='mine'"]
    assert command("eval", {"VARIANT": "mine", "TASK": "sr"}) == [
        "-m",
        "scripts",
        "eval",
        "only.task='sr'",
        "only.variant='mine'",
    ]
    assert command("train", {"LOSS": "mine", "ARGS": "hydra.searchpath=[file://x]"})[3] == "loss=mine"
    (tmp_path / "a b'.jpg").touch()
    assert command("restore", {"OUT": "~/$x", "FILES": "~/a b'.jpg"}) == [
        *("-m", "scripts", "restore", f"--out={tmp_path}/$x", "--", f"{tmp_path}/a b'.jpg")
    ]
    assert command("restore", {"NETWORK": "-x", "FILES": "-a.jpg '~/a*.jpg'"})[3:] == [
        *("--network=-x", "--", "-a.jpg", f"{tmp_path}/a b'.jpg")
    ]


@pytest.mark.parametrize("name", ["it's", "[a]", "$HOME", "-a", "a,b", "a\\", "\\'", "a=b", "{a: b}", 'a"b', "ü"])
def test_names_of_folders(name):
    """Hydra reads the name that was typed."""
    *_, override = command("train", {"DATA": "folder", "TRAIN": f"/x/{name}"})
    assert OverridesParser.create().parse_override(override).value() == f"/x/{name}"


def test_makefile(tmp_path):
    """Names are checked before anything is installed; values reach the script as they were typed."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/make.py", tmp_path / "scripts")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(["make", *words], cwd=tmp_path, capture_output=True, text=True, check=False, env=outside)

    refused = make("train", "task=sr")
    assert refused.returncode != 0
    assert "write TASK=" in refused.stderr
    assert not (tmp_path / ".venv").exists()
    assert "no target nothing" in make("train", "nothing").stderr

    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nif [ "$2" = check ]; then exec python3 "$@"; fi\necho "$OUT|$FILES"\n')
    python.chmod(0o755)
    (tmp_path / ".venv/bin/.ready").touch()
    assert make("restore", "OUT=a $b 'c'", 'FILES=x [y] "z"').stdout == "a $b 'c'|x [y] \"z\"\n"
    lines = re.findall(r"(?m)^  make (\w+) +(.*)$", make("help").stdout)
    assert {target for target, _ in lines} == set(TAKES)
    for target, text in lines:
        assert set(re.findall("([A-Z]+)=", text)) <= set(TAKES[target])
