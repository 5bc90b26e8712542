"""Progress: bars in a terminal of 80 columns, plain lines without a terminal."""

import io
import re

import pytest
import rich

from restoration import progress
from restoration.progress import Bar, duration, tracked


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Replaces the clock; a test sets the seconds that have passed."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    return clock


def test_lines(capsys, clock):
    """Every line has rate and time left; a long work prints a line every half minute."""
    with Bar("training", 1000, "patches", done=200) as bar:
        clock[0] = 10
        bar.advance(100)
        bar.say("validation")
        clock[0] = 40
        bar.advance(300)
    lines = ["validation   30%  10 patches/s  1:10 left", "training   60%  10 patches/s  0:40 left"]
    assert capsys.readouterr().out.splitlines() == lines


def test_parts(capsys, clock):
    """A bar inside another bar prints nothing, and its progress counts for the outer bar."""
    with Bar("study", 1000, "patches") as study:
        with Bar("training", 500, "patches", done=100) as bar:
            clock[0] = 5
            bar.advance(200)
            bar.say("validation")
        assert list(tracked("ab", "scoring", 2)) == ["a", "b"]
        study.say("run 1")
    assert capsys.readouterr().out == "run 1   30%  40 patches/s  0:18 left\n"


def test_terminal(monkeypatch, clock):
    """A bar with a long title and large numbers fits into one line."""
    terminal = Terminal()
    console = rich.console.Console(file=terminal, width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr(progress, "get_console", lambda: console)
    monkeypatch.setattr(rich.progress, "get_console", lambda: console)
    with Bar("packing " + 3 * "a long name ", 30_000_000, "photographs") as bar:
        clock[0] = 2
        bar.advance(30_000)
        bar.say("a line")
        bar.display.refresh()
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[?\d;]*\w", "", terminal.getvalue()))
    assert "a line" in lines
    assert any("  0%  15,000 photographs/s  33:18 left" in line for line in lines)
    assert any("…" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_duration():
    assert [duration(seconds) for seconds in (3.6, 125, 7384)] == ["0:04", "2:05", "2:03:04"]
