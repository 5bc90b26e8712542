"""The wheel: complete, small, and built without new files in the source folder."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not importlib.util.find_spec("hatchling"), reason="building a wheel offline needs hatchling")
def test_wheel(tmp_path):
    """Built offline from a copy; its command runs outside of the clone, with the networks inside the wheel."""
    source = tmp_path / "source"
    for name in ("restoration", "results/weights"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "docs/package.md", "LICENSE"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    before = sorted(source.rglob("*"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", tmp_path, source], check=True)
    assert sorted(source.rglob("*")) == before
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 8e6
    installed = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed, wheel],
        check=True,
        capture_output=True,
    )
    weights = {path.name for path in (ROOT / "results" / "weights").iterdir()}
    assert {path.name for path in (installed / "restoration" / "weights").iterdir()} == weights
    kept = [path for path in (ROOT / "restoration").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    missing = {path for path in kept if not (installed / path.relative_to(ROOT)).exists()}
    assert not missing
    (facts,) = installed.glob("*.dist-info/METADATA")
    assert "](docs" not in facts.read_text()  # no links into the repository

    done = subprocess.run(
        [installed / "bin" / "restoration", "pretrained"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "JPEG deblocking" in done.stdout
