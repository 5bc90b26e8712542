"""The code of the user's losses, networks and tasks is part of a training's identity."""

import functools
import importlib
import sys

import piq
import pytest
from torch import nn

from restoration.losses import Clamped, MixLoss
from restoration.networks import RestorationCNN
from restoration.training.identity import code_of, differences

LOSS = """
import helpers
from restoration.losses import L1Loss
class MyLoss(L1Loss):
    def forward(self, restored, target):
        return helpers.SCALE * super().forward(restored, target)
def made():
    return L1Loss()
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes modules into one folder and imports the first module again."""
    monkeypatch.syspath_prepend(tmp_path)

    def imported(**sources: str):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(next(iter(sources)))

    yield imported
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_code_of_own_parts(modules):
    """Changes in the module of a class, and in the modules that it imports, change the hashes."""
    module = modules(myloss=LOSS, helpers="SCALE = 2\n")
    first = code_of([Clamped, module.MyLoss, RestorationCNN])
    assert first.keys() == {"myloss", "helpers"}
    assert first == code_of([module.made])
    module = modules(myloss=LOSS, helpers="SCALE = 3\n")
    assert differences(first, code_of([module.MyLoss])) == [
        ("helpers", first["helpers"], code_of([module.made])["helpers"])
    ]
    module = modules(myloss=LOSS + "# a remark\n", helpers="SCALE = 2\n")
    assert [key for key, _, _ in differences(first, code_of([module.MyLoss]))] == ["myloss"]


def test_code_of_installed_parts():
    assert code_of([Clamped, MixLoss, RestorationCNN, nn.L1Loss, functools.partial, dict, code_of]) == {}
    assert code_of([piq.HaarPSILoss]).keys() == {"piq.haarpsi"}


def test_differences():
    assert differences({"a": {"b": 1, "c": [1]}, "d": 0}, {"a": {"b": 1, "c": [2]}, "e": 0}) == [
        ("a.c", [1], [2]),
        ("d", 0, "nothing"),
        ("e", "nothing", 0),
    ]
