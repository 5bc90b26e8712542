"""Every part of the bench measures and writes its tables."""

import pytest

from scripts.bench import measure
from scripts.bench.measure import in_turn, ratio
from tests.scripts.conftest import call


@pytest.mark.parametrize(
    ("part", "tables"),
    [
        ("step", {"steps": "| batch 8, eager |", "training": "| the training loop |"}),
        ("losses", {"losses-mix-on-patches": "| ours, of the centres |", "losses-ssim-on-images": "| piq SSIMLoss, "}),
        ("pipeline", {"pipeline": "| usual, with our loss |"}),
        ("evaluation", {"evaluation": "| all metrics and artefacts |"}),
    ],
)
def test_parts(part, tables, data, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "LEAST_ROUNDS", 2 if part == "losses" else 1)
    small = ["seconds=0", "turn=0", "batches=[8]", "steps=2", "patches=[2,31]", "images=[2,48]"]
    call("bench", f"parts=[{part}]", *data, *small, f"report={tmp_path}", "task=sr")
    for name, row in tables.items():
        text = (tmp_path / f"{name}.md").read_text()
        assert row in text
        assert f"make bench BENCH={part}" in text
        assert "torch" in text


def test_in_turn():
    calls = []
    works = {name: lambda name=name: calls.append(name) or float(len(calls)) for name in "ab"}
    times = in_turn(works, 0)
    assert calls == ["a", "b"] * 4
    assert times == {"a": [3, 5, 7], "b": [4, 6, 8]}
    assert ratio(times, "b", "a") == "1.2"
