"""The identity of a training: configuration, photographs, and code from outside this package."""

import hashlib
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = (__name__.split(".")[0], "torch")
PACKAGES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))
STANDARD = Path(sysconfig.get_path("stdlib")).resolve()


def code_of(makers: Iterable[Callable]) -> dict[str, str]:
    """Hashes of the source files of classes and functions, by module; for a user's module, also of its imports.

    This package and PyTorch are left out: a run's provenance has their commit and version.

    Args:
        makers: the classes and functions that build the losses, networks and tasks of a training.
    """
    queue = [_module_of(base) for maker in makers for base in getattr(maker, "__mro__", [maker])]
    hashes: dict[str, str] = {}
    while queue:
        name = queue.pop()
        path = _source_of(name)
        if path and name not in hashes:
            hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            if not _is_installed(path):
                values = vars(sys.modules[name]).values()
                names = {value.__name__ if isinstance(value, ModuleType) else _module_of(value) for value in values}
                queue += [other for other in names if (file := _source_of(other)) and not _is_installed(file)]
    return hashes


def differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """The differences of two nested dictionaries: dotted key, and both values."""
    rows = []
    for key in sorted(one.keys() | other.keys()):
        first, second = one.get(key, "nothing"), other.get(key, "nothing")
        if isinstance(first, dict) and isinstance(second, dict):
            rows += differences(first, second, f"{prefix}{key}.")
        elif first != second:
            rows.append((prefix + key, first, second))
    return rows


def _module_of(value: object) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def _source_of(name: str) -> Path | None:
    """The file of an imported module; None for this package, PyTorch, the standard library and built-in modules."""
    file = getattr(sys.modules.get(name), "__file__", None)
    path = Path(file).resolve() if file and name.split(".")[0] not in OURS else None
    return None if path and path.is_relative_to(STANDARD) and not _is_installed(path) else path


def _is_installed(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in PACKAGES)
