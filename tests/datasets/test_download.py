"""Transfers over bad connections: no partial file is in place, and no byte is fetched twice."""

import errno
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from restoration.datasets import download
from restoration.datasets.download import TIFF, Downloads
from restoration.datasets.seen import SeenFiles
from restoration.errors import UserError
from tests.server import Fault, Server

SIZE = 3_000_000


@pytest.fixture
def content() -> bytes:
    return b"II*\0" + np.random.default_rng(0).bytes(SIZE - 4)


@pytest.fixture
def file(server: Server, content: bytes) -> str:
    server.files["/a.tif"] = content
    return "/a.tif"


def quick(**options) -> Downloads:
    return Downloads(**{"pause": 0.01, "timeout": 0.5, "attempts": 3, **options})


def fetched(server: Server, folder: Path, **options) -> bytes:
    """Fetches /a.tif the way the data sets do."""
    seen, path, downloads = SeenFiles(folder / "seen.csv"), folder / "a.tif", quick()

    def fetch(name: str) -> None:
        if not path.exists() or seen.objection(path, path):
            objection = partial(seen.objection, path)
            downloads.fetch(f"{server.url}/{name}", path, begins=TIFF, **{"objection": objection, **options})

    downloads.each(fetch, ["a.tif"], title="files")
    seen.add(path)
    return path.read_bytes()


def test_fetched_once(server, file, content, tmp_path):
    assert fetched(server, tmp_path) == content
    assert fetched(server, tmp_path) == content
    assert server.ranges[file] == [None]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "seen.csv"]


@pytest.mark.parametrize("position", [0, 1, 3, 4, 5, 65_536, 1_234_567, SIZE - 1])
def test_resume(server, file, content, tmp_path, position):
    server.faults[file] = [Fault(dropped_after=position)]
    assert fetched(server, tmp_path) == content
    assert server.ranges[file] == [None, f"bytes={position}-" if position else None]
    assert server.sent[file] == SIZE  # no byte twice


def test_progress_resets_the_attempts(server, file, content, tmp_path):
    server.faults[file] = [Fault(dropped_after=300_000)] * 9  # more than the attempts
    assert fetched(server, tmp_path) == content
    assert server.sent[file] == SIZE


def test_no_progress(server, file, tmp_path):
    server.faults[file] = [Fault(dropped_after=0)] * 20
    with pytest.raises(UserError, match=r"1 of 1 files could not be downloaded:\n.*a\.tif: .*connection.*, 3 times"):
        fetched(server, tmp_path)
    assert len(server.ranges[file]) == 3
    assert not (tmp_path / "a.tif").exists()


def test_no_version(server, file, content, tmp_path):
    server.faults[file] = [Fault(dropped_after=10_000, no_version=True), Fault(no_version=True)]
    assert fetched(server, tmp_path) == content
    assert server.ranges[file] == [None, None]


def test_another_version(server, file, content, tmp_path):
    server.faults[file] = [Fault(dropped_after=10_000, body=b"II*\0" + bytes(SIZE))]
    assert fetched(server, tmp_path) == content
    assert server.ranges[file] == [None, "bytes=10000-"]


def test_slow_and_silent_servers(server, file, content, tmp_path):
    server.faults[file] = [Fault(slow=0.01)]  # a second in all, longer than the timeout
    assert fetched(server, tmp_path) == content
    assert server.ranges[file] == [None]
    server.faults[file] = [Fault(stalled_after=100_000, seconds=2)]
    (tmp_path / "a.tif").unlink()
    assert fetched(server, tmp_path) == content
    assert server.ranges[file] == [None, None, "bytes=100000-"]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_transient_errors(server, file, content, tmp_path, status):
    server.faults[file] = [Fault(status=status), Fault(status=status)]
    assert fetched(server, tmp_path) == content
    assert len(server.ranges[file]) == 3


@pytest.mark.parametrize("status", [403, 404, 410])
def test_missing_files(server, file, tmp_path, status):
    server.faults[file] = [Fault(status=status)]
    with pytest.raises(UserError, match=f"a.tif: the server answers {status}"):
        fetched(server, tmp_path)
    assert len(server.ranges[file]) == 1


def test_wrong_length(server, file, content, tmp_path):
    server.faults[file] = [Fault(too_long=100, no_version=True)] * 3
    with pytest.raises(UserError, match="3 times"):
        fetched(server, tmp_path)
    assert not (tmp_path / "a.tif").exists()
    server.faults[file] = [Fault(too_long=100)]
    assert fetched(server, tmp_path) == content  # asked for the rest, the server says that there is none


@pytest.mark.parametrize("fault", [Fault(html=True), Fault(body=b"<!doctype html><title>log in</title>")])
def test_web_pages(server, file, content, tmp_path, fault):
    server.faults[file] = [Fault(dropped_after=10_000), fault]
    with pytest.raises(UserError, match="begins with b'<!doctype"):
        fetched(server, tmp_path)
    assert not (tmp_path / "a.tif").exists()
    assert fetched(server, tmp_path) == content  # the next time


def test_other_bytes_than_at_first(server, file, content, tmp_path):
    fetched(server, tmp_path)
    changed = bytearray(content)
    changed[SIZE // 2] ^= 1
    server.files[file] = bytes(changed)
    (tmp_path / "a.tif").unlink()
    with pytest.raises(UserError, match=r"size or sha256 differ from those in .*seen\.csv, 3 times"):
        fetched(server, tmp_path)
    assert not (tmp_path / "a.tif").exists()
    server.files[file] = content
    assert fetched(server, tmp_path) == content


def test_damaged_on_the_disk(server, file, content, tmp_path):
    fetched(server, tmp_path)
    (tmp_path / "a.tif").write_bytes(content[:-1] + b"\0")
    assert fetched(server, tmp_path) == content


def test_complete_part_of_a_killed_process(server, file, content, tmp_path):
    server.faults[file] = [Fault(dropped_after=SIZE - 1), Fault(status=404)]
    with pytest.raises(UserError):
        fetched(server, tmp_path)
    with open(tmp_path / ".a.tif.part", "ab") as part:
        part.write(content[-1:])  # killed after the last byte, before the file had its name
    assert fetched(server, tmp_path) == content
    assert server.sent[file] == SIZE - 1 + len(b"<!doctype html><title>sorry</title>")


def test_objections(server, file, content, tmp_path):
    with pytest.raises(UserError, match="shows a cat, 3 times"):
        fetched(server, tmp_path, objection=lambda part: "shows a cat")
    assert list(tmp_path.iterdir()) == []
    assert fetched(server, tmp_path) == content


@pytest.mark.parametrize("jobs", [1, 7])
def test_failures(server, content, tmp_path, jobs):
    """All are named, and though they come first the others are done."""
    names = [f"{number:02}.tif" for number in range(30)]
    server.files = {f"/{name}": content[:1000] for name in names[25:]}
    downloads = quick(jobs=jobs)

    def fetch(name: str) -> None:
        downloads.fetch(f"{server.url}/{name}", tmp_path / name, begins=TIFF)

    with pytest.raises(UserError, match=r"(?s)25 of 30 files could not be downloaded.*00\.tif.*and 5 more"):
        downloads.each(fetch, names, title="files")
    assert sorted(path.name for path in tmp_path.glob("*.tif")) == names[25:]


@pytest.mark.parametrize(
    "fault", [Fault(range_from=0), Fault(range_from=9), Fault(range_until=20_000), Fault(status_206_without_range=True)]
)
def test_wrong_ranges(server, file, content, tmp_path, fault):
    server.faults[file] = [Fault(dropped_after=10_000), fault]
    assert fetched(server, tmp_path) == content


def test_unknown_length(server, file, content, tmp_path):
    server.faults[file] = [Fault(no_length=True)]
    with pytest.raises(UserError, match="does not announce the file's length"):
        fetched(server, tmp_path)
    server.faults[file] = [Fault(chunked=True)]
    assert fetched(server, tmp_path) == content


def test_retry_after(server, file, content, tmp_path):
    server.faults[file] = [Fault(status=503, retry_after=1)]
    start = time.monotonic()
    assert fetched(server, tmp_path) == content
    assert time.monotonic() - start > 1


def test_endless_files(server, file, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 500_000)
    with pytest.raises(UserError, match=r"a\.tif: more than"):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network(tmp_path):
    tried = []

    def fetch(name: str) -> None:
        tried.append(name)
        quick().fetch(f"http://127.0.0.1:9/{name}", tmp_path / name, begins=TIFF)

    with pytest.raises(
        UserError, match=r"(?s)8 of 700 files could not be downloaded:.*connection.*The other 692 were not"
    ):
        quick().each(fetch, [f"{number}.tif" for number in range(700)], title="files")
    assert len(tried) < 20


def test_jobs(server, tmp_path):
    running, most, lock = [0], [0], threading.Lock()

    def work(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.05)
        with lock:
            running[0] -= 1

    for jobs in (1, 3):
        most[0] = 0
        quick(jobs=jobs).each(work, range(9), title="things")
        assert most[0] == jobs


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
