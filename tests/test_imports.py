"""Imports point one way: a package imports from its own layer and from those below."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "restoration"
LAYERS = (
    {"errors", "files", "images", "names", "progress"},
    {"datasets", "losses", "networks", "tasks"},
    {"check", "exporting", "pictures", "pretrained", "restoring", "saving", "scoring", "sensor", "targets", "training"},
    {"study"},
    {"__init__", "cli", "commands"},
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}


def imports() -> dict[str, set[str]]:
    """For each package or module of `restoration`: the packages and modules that it imports."""
    imported: dict[str, set[str]] = {}
    for path in LIBRARY.rglob("*.py"):
        package = path.relative_to(LIBRARY).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            assert not any(name.split(".")[0] in ("scripts", "tests") for name in names), path
            ours = {name.split(".")[1] for name in names if name.startswith("restoration.")}
            imported.setdefault(package, set()).update(ours & set(LAYER))
    return imported


IMPORTS = imports()


@pytest.mark.parametrize("package", sorted(IMPORTS))
def test_layers(package):
    assert not {name for name in IMPORTS[package] if LAYER[name] > LAYER[package]}


def test_losses_and_metrics_share_no_code():
    """Losses and metrics are written independently, so that a wrong loss cannot have a good score."""
    assert IMPORTS["losses"] <= {"losses"}
    reached, queue = set(), ["scoring"]
    while queue:
        package = queue.pop()
        if package not in reached:
            reached.add(package)
            queue += IMPORTS[package]
    assert "datasets" in reached
    assert "losses" not in reached
