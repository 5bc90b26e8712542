"""The committed golden vectors equal the losses, and brute-force formulas without common code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.golden import FILE, LOSSES, golden
from tests.losses.test_paper import reference

COMMITTED = Path(__file__).parents[2] / FILE


@pytest.fixture(scope="module")
def committed() -> dict[str, np.ndarray]:
    assert COMMITTED.stat().st_size < 300_000
    with np.load(COMMITTED) as file:
        return dict(file)


def test_file_follows_from_the_command(committed):
    computed = golden()
    assert list(committed) == list(computed)
    for name, array in computed.items():
        assert committed[name].dtype == array.dtype
        if array.dtype.kind == "f":
            np.testing.assert_allclose(committed[name], array, rtol=1e-6, atol=1e-12)
        else:
            assert np.array_equal(committed[name], array)


@pytest.mark.parametrize("name", LOSSES)
def test_brute_force(committed, name):
    x, y = (torch.from_numpy(committed[image] / 255.0) for image in ("restored", "target"))
    value, gradient = reference(name, x, y)
    assert committed[f"value/{name}"] == pytest.approx(value, rel=1e-10)
    difference = torch.from_numpy(committed[f"gradient/{name}"]).double() - gradient
    assert difference.norm() < 1e-6 * gradient.norm()
