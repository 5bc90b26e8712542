"""Transfers over bad connections: a file with its final name is complete."""

import errno
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from restoration.datasets import download
from restoration.datasets.download import Downloads
from restoration.errors import UserError
from tests.server import Fault, Server

CONTENT = np.random.default_rng(0).bytes(1_000_000)


def quick(**options) -> Downloads:
    return Downloads(**{"pause": 0.01, "timeout": 0.5, "attempts": 3, **options})


def fetched(server: Server, folder: Path) -> bytes:
    """Fetches a.tif like the data sets; no other file remains in the folder."""
    path, downloads = folder / "a.tif", quick()
    try:
        downloads.each(lambda name: downloads.fetch(f"{server.url}/{name}", path), ["a.tif"], title="files")
        return path.read_bytes()
    finally:
        assert {name.name for name in folder.iterdir()} <= {"a.tif"}


@pytest.mark.parametrize(
    ("requests", "faults"),
    [
        (1, [Fault(chunked=True)]),
        (1, [Fault(slow=0.01)]),  # a second in all, longer than the timeout
        (2, [Fault(stalled_after=100_000, seconds=2)]),
        (2, [Fault(too_long=100)]),
        (3, [Fault(dropped_after=0), Fault(dropped_after=len(CONTENT) - 1)]),
        (3, [Fault(status=500), Fault(status=429)]),
        (3, [Fault(status=502), Fault(status=503)]),
    ],
)
def test_temporary_faults(server, tmp_path, faults, requests):
    server.files["/a.tif"] = CONTENT
    server.faults["/a.tif"] = list(faults)
    assert fetched(server, tmp_path) == CONTENT
    assert server.requests["/a.tif"] == requests


@pytest.mark.parametrize(
    ("fault", "requests", "message"),
    [
        (Fault(dropped_after=0), 3, r"1 of 1 files are missing:\n  a\.tif: .*connection broke.*, 3 times"),
        (Fault(too_long=100), 3, "connection broke.*, 3 times"),
        (Fault(status=503), 3, "answers 503 .*, 3 times"),
        (Fault(status=403), 1, "answers 403"),
        (Fault(status=404), 1, "answers 404"),
    ],
)
def test_permanent_faults(server, tmp_path, fault, requests, message):
    server.files["/a.tif"] = CONTENT
    server.faults["/a.tif"] = [fault] * 3
    with pytest.raises(UserError, match=message):
        fetched(server, tmp_path)
    assert server.requests["/a.tif"] == requests
    server.faults.clear()
    assert fetched(server, tmp_path) == CONTENT  # the next time


def test_retry_after(server, tmp_path):
    server.files["/a.tif"] = CONTENT
    server.faults["/a.tif"] = [Fault(status=503, retry_after=1)]
    start = time.monotonic()
    assert fetched(server, tmp_path) == CONTENT
    assert time.monotonic() - start > 1


def test_endless_files(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 500_000)
    server.files["/a.tif"] = CONTENT
    with pytest.raises(UserError, match=r"a\.tif: more than"):
        fetched(server, tmp_path)


@pytest.mark.parametrize("jobs", [1, 7])
def test_failures(server, tmp_path, jobs):
    """All failures are counted, the first 20 are named, and the good files after them are fetched."""
    names = [f"{number:02}.tif" for number in range(30)]
    server.files = {f"/{name}": CONTENT[:1000] for name in names[25:]}
    downloads = quick(jobs=jobs)
    with pytest.raises(UserError, match=r"(?s)25 of 30 files are missing.*00\.tif.*and 5 more"):
        downloads.each(lambda name: downloads.fetch(f"{server.url}/{name}", tmp_path / name), names, title="files")
    assert sorted(path.name for path in tmp_path.iterdir()) == names[25:]


def test_no_network(tmp_path):
    tried = []

    def fetch(name: str) -> None:
        tried.append(name)
        quick().fetch(f"http://127.0.0.1:9/{name}", tmp_path / name)

    message = r"(?s)8 of 700 files are missing:.*connection.*The other 692 were not"
    with pytest.raises(UserError, match=message):
        quick().each(fetch, [f"{number}.tif" for number in range(700)], title="files")
    assert len(tried) < 20


@pytest.mark.parametrize("jobs", [1, 3])
def test_jobs(jobs):
    running, largest, lock = [0], [0], threading.Lock()

    def work(_: int) -> None:
        with lock:
            running[0] += 1
            largest[0] = max(largest[0], running[0])
        threading.Event().wait(0.05)
        with lock:
            running[0] -= 1

    quick(jobs=jobs).each(work, range(9), title="things")
    assert largest[0] == jobs


def test_full_disk():
    done = []

    def work(number: int) -> None:
        if number == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(number)
        threading.Event().wait(0.02)

    with pytest.raises(UserError, match="no room for things: No space left on device"):
        quick(jobs=1).each(work, range(100), title="things")
    assert done[:3] == [0, 1, 2]
    assert len(done) < 10


def test_lines_of_progress(monkeypatch, capsys):
    """Without a terminal, lines show the progress."""
    monkeypatch.setattr("restoration.progress.SECONDS_BETWEEN_LINES", -1)
    quick().each(lambda number: None, range(3), title="things")
    assert capsys.readouterr().out.startswith("things   33%  ")
