"""The table of the field: its rows, and the lines that show a fault."""

import pytest
import torch
from torch import nn

from restoration.check.probe import PROBES
from scripts.field import CASES, HEAD, REPRODUCTIONS, Case, row_of, table


def test_table():
    rows = [row_of(Case("torch", "nn.L1Loss()")), row_of(Case("torch", "nn.L1Loss(reduction='sum')"))]
    text = table([row for row in rows if row])
    assert f"2 losses of 1 libraries: torch {torch.__version__.partition('+')[0]}" in text
    assert "| torch | `nn.L1Loss()` | – | – | – |" in text
    assert "| torch | `nn.L1Loss(reduction='sum')` | mean over batch, mean over pixels" in text
    assert row_of(Case("no_such_library", "Loss()")) is None


def test_cases():
    assert len(CASES) == len({(case.library, case.made) for case in CASES})
    known = {probe.name for probe in PROBES}
    assert all(known >= set(case.declares) for case in CASES)


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_reproductions(name):
    """They run, and are those of a probe."""
    assert name in {probe.name for probe in PROBES}
    head = HEAD.strip("`").removeprefix("python").replace("LIBRARY", "torch").replace("LOSS", "library.nn.L1Loss()")
    names: dict[str, object] = {}
    exec(head, names)
    assert isinstance(names["loss"], nn.L1Loss)
    before = torch.is_autocast_enabled("cpu")
    try:
        exec(REPRODUCTIONS[name], names)
    finally:
        torch.set_autocast_enabled("cpu", before)
