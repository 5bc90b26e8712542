"""Scripts called in this process on five small photographs, and one tiny study that tests share."""

import io
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from scripts.__main__ import run
from tests.conftest import write_photographs

ROOT = Path(__file__).parents[2]
TINY = ("budget.patches=48", "budget.validations=2")


def call(command: str, *words: str) -> str:
    """Runs a command with these arguments; returns the printed text.

    Raises:
        SystemExit: with the message of an error.
    """
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.setattr("scripts.cli._keep_freed_memory", lambda: None)
        run(command, words)
    return printed.getvalue()


@pytest.fixture
def refused(capsys) -> Callable[..., str]:
    """Runs a script that must fail; its message holds all of `parts` and no traceback."""

    def refused(script: str, overrides: list[str], *parts: str) -> str:
        with pytest.raises(SystemExit) as caught:
            call(script, *overrides)
        message = f"{capsys.readouterr().err}{caught.value.code}"
        assert "Traceback" not in message
        for part in parts:
            assert part in message
        return message

    return refused


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """train/ with five photographs and test/ with one; tests must not change them."""
    return write_photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="session")
def data(photographs) -> list[str]:
    """Overrides that name these photographs, packed once for all tests."""
    folders = [f"data.{name}={photographs / name}" for name in ("train", "test")]
    return ["data=folder", *folders, "data.name=tiny", f"packs={photographs}/packs"]


def places(folder: Path) -> list[str]:
    """Overrides to write below `folder`."""
    return [f"{name}={folder / name}" for name in ("runs", "tables")]


@pytest.fixture
def tiny(data, tmp_path) -> list[str]:
    """Overrides of a training of six steps that writes below tmp_path."""
    return [*data, *places(tmp_path), *TINY]


@pytest.fixture
def with_losses(tiny, tmp_path) -> Callable[..., list[str]]:
    """Writes configurations of losses, YAML by name; returns overrides of a training that may use these losses."""

    def write(**losses: str) -> list[str]:
        folder = tmp_path / "configs/loss"
        folder.mkdir(parents=True, exist_ok=True)
        for name, yaml in losses.items():
            (folder / f"{name}.yaml").write_text(yaml)
        return [f"hydra.searchpath=[file://{tmp_path}/configs]", *tiny]

    return write


@pytest.fixture(scope="session")
def study(data, tmp_path_factory) -> Path:
    """The folder of a study of L1 and Mix in super-resolution: runs/ and tables/; tests must not change it."""
    folder = tmp_path_factory.mktemp("study")
    call("study", *data, *places(folder), *TINY, "tasks=[sr]", "losses=[l1,mix]")
    return folder


@pytest.fixture
def copied(study, tmp_path) -> Path:
    """A copy of the shared study, which a test may change."""
    return shutil.copytree(study, tmp_path / "study")
