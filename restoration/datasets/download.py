"""Files from the network, fetched in parts if need be.

A file is written under a hidden name and takes its own when it is whole. A broken transfer goes on where it ended, in a
later process too, as long as the server says that the file is still the same one (by its ETag or date).
"""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import requests
import urllib3
from rich.progress import BarColumn, Progress, TextColumn

from restoration.datasets.decode import BadPhoto
from restoration.datasets.manifest import Manifest
from restoration.errors import UserError
from restoration.files import NO_ROOM

CHUNK = 2**18
MAX_BYTES = 2**30  # of one file
LONGEST_PAUSE = 60.0
SHOWN = 20  # failures in one message
HOPELESS = 8  # so many failures before the first success, and the others are not tried
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
TIFF, PNG, GZIP = (b"II*\0", b"MM\0*"), (b"\x89PNG",), (b"\x1f\x8b",)  # how such files begin

Item = TypeVar("Item")


class DownloadFailed(Exception):
    """A file could not be had; the message says why."""


class _TryAgain(Exception):
    """What a later attempt may mend."""


class Downloads:
    """Transfers, some at a time.

    Args:
        jobs: how many at a time.
        attempts: how often a transfer is begun that gets no further.
        timeout: seconds without a byte after which a connection counts as broken.
        pause: seconds before the second attempt; twice as many before each further one.
    """

    def __init__(self, *, jobs: int = 4, attempts: int = 6, timeout: float = 30.0, pause: float = 1.0):
        self.jobs = jobs
        self.attempts = attempts
        self.timeout = timeout
        self.pause = pause
        self.stopping = threading.Event()
        self.meter = _Meter("", 0)

    def each(self, work: Callable[[Item], None], items: Sequence[Item], *, title: str) -> None:
        """Does `work`, which may `fetch`, for every item, and shows how far it is; one that fails stops no other.

        Raises:
            UserError: some failed with `DownloadFailed` or `BadPhoto`, all are named; or the disk is full.
        """
        failures: list[str] = []
        succeeded = 0
        with _Meter(title, len(items)) as self.meter, ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(work, item): item for item in items}
            try:
                for future in as_completed(futures):
                    try:
                        future.result()
                        succeeded += 1
                    except (DownloadFailed, BadPhoto) as error:
                        failures.append(f"  {futures[future]}: {error}")
                    self.meter.finished()
                    if not succeeded and len(failures) == HOPELESS:
                        self._end(pool)
                        break
            except OSError as error:
                self._end(pool)
                if error.errno not in NO_ROOM:
                    raise
                raise UserError(
                    f"no room for {title}: {error.strerror}. What came so far stays; the same command goes on."
                ) from error
            except BaseException:
                self._end(pool)
                raise
        if failures:
            raise UserError(_report(sorted(failures), succeeded, len(items), title))

    def _end(self, pool: ThreadPoolExecutor) -> None:
        """Ends the transfers under way; what they have stays."""
        self.stopping.set()
        pool.shutdown(cancel_futures=True)

    def fetch(
        self,
        url: str,
        path: Path,
        manifest: Manifest,
        *,
        begins: tuple[bytes, ...],
        check: Callable[[Path], None] = lambda part: None,
    ) -> None:
        """Puts the file at `url` in place, unless it is there already and as it was first seen.

        Args:
            begins: the first bytes of such a file, any of them.
            check: looks at the whole file before it is put in place, and raises `DownloadFailed` or `BadPhoto`.

        Raises:
            DownloadFailed: the server has no such file, or another than was first seen, or cannot be reached.
            OSError: the disk is full.
        """
        if path.exists() and manifest.accepts(path, path):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        furthest, attempt = 0, 0
        while True:
            try:
                self._transfer(url, part)
                _check(url, part, path, manifest, begins)
                check(part)
                part.replace(path)
                _mark(part).unlink(missing_ok=True)
                return
            except _TryAgain as error:
                reached = part.stat().st_size if part.exists() else 0
                attempt = 1 if reached > furthest else attempt + 1
                furthest = max(furthest, reached)
                if attempt >= self.attempts or self.stopping.is_set():
                    raise DownloadFailed(f"{url}: {error}, {attempt} times") from error
                self.stopping.wait(min(self.pause * 2 ** (attempt - 1), LONGEST_PAUSE))
            except BadPhoto:
                _discard(part)
                raise

    def _transfer(self, url: str, part: Path) -> None:
        """Completes `part`."""
        start = part.stat().st_size if part.exists() and _mark(part).exists() else 0
        headers = {"Accept-Encoding": "identity", "User-Agent": "restoration-losses"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": _mark(part).read_text()}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                if response.status_code == requests.codes.requested_range_not_satisfiable:
                    if response.headers.get("Content-Range") == f"bytes */{start}":
                        return  # it was complete, only not yet in place
                    _discard(part)
                    raise _TryAgain("the file has changed on the server")
                if response.status_code in TRANSIENT:
                    raise _TryAgain(f"the server answers {response.status_code} {response.reason}")
                if response.status_code not in (200, 206):
                    raise DownloadFailed(f"{url}: the server answers {response.status_code} {response.reason}")
                if "html" in response.headers.get("Content-Type", ""):
                    raise DownloadFailed(f"{url}: the server answers with a web page, not with the file")
                self._receive(response, part, start if response.status_code == 206 else 0)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _TryAgain(f"the connection broke: {_cause(error)}") from error
        except requests.RequestException as error:
            raise DownloadFailed(f"{url}: {error}") from error

    def _receive(self, response: requests.Response, part: Path, start: int) -> None:
        """Appends an answer to `part`, from byte `start` on."""
        length = response.headers.get("Content-Length")
        size = start + int(length) if length else None
        with open(part, "ab" if start else "wb") as file:
            if not start:
                _remember_version(response, part)
            while chunk := response.raw.read1(CHUNK):  # what there is: iter_content would lose the last of a broken one
                if self.stopping.is_set():
                    raise DownloadFailed("stopped")
                file.write(chunk)
                self.meter.received(response.url, len(chunk), file.tell(), size)
                if file.tell() > MAX_BYTES:
                    raise DownloadFailed(f"{response.url}: more than {MAX_BYTES / 1e6:.0f} MB")
            file.flush()
            os.fsync(file.fileno())
            if size is not None and file.tell() != size:
                raise _TryAgain(f"the connection closed after {file.tell()} of {size} bytes")


def _cause(error: Exception) -> str:
    """What a network error comes down to, without the addresses of objects that wrap it."""
    inner = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    if isinstance(inner, Exception):
        return _cause(inner)
    return re.sub(r"^.*\): ", "", str(error)) or type(error).__name__


def _report(failures: list[str], succeeded: int, items: int, title: str) -> str:
    more = [f"  and {len(failures) - SHOWN} more"] if len(failures) > SHOWN else []
    untried = items - succeeded - len(failures)
    rest = f"The other {untried} were not tried" if untried else "The others are in place"
    return (
        f"{len(failures)} of {items} {title} could not be had:\n"
        + "\n".join(failures[:SHOWN] + more)
        + f"\n{rest}; the same command goes on with what is missing."
    )


def _mark(part: Path) -> Path:
    """Where the version of a part lies: without it, or if the server has another one, the file is begun anew."""
    return part.with_suffix(".version")


def _remember_version(response: requests.Response, part: Path) -> None:
    etag = response.headers.get("ETag", "")
    version = etag if etag.startswith('"') else response.headers.get("Last-Modified")
    if version:
        _mark(part).write_text(version)
    else:
        _mark(part).unlink(missing_ok=True)


def _check(url: str, part: Path, path: Path, manifest: Manifest, begins: tuple[bytes, ...]) -> None:
    """Discards a complete part that is not the file, and says so."""
    with open(part, "rb") as file:
        head = file.read(16)
    if not head.startswith(begins):
        _discard(part)
        raise DownloadFailed(f"{url}: not such a file; it begins with {head!r}")
    if not manifest.accepts(path, part):
        _discard(part)
        raise _TryAgain(f"size or sha256 differ from those in {manifest.path}")


def _discard(part: Path) -> None:
    _mark(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


class _Meter:
    """How many items are done, how many bytes came and how much time is left: a bar, or a line now and then."""

    SECONDS_BETWEEN_LINES = 30

    def __init__(self, title: str, items: int):
        self.title = title
        self.items = items
        self.done = 0
        self.bytes = 0
        self.shares: dict[str, float] = {}  # of the files under way
        self.lock = threading.Lock()
        self.started = self.shown = time.monotonic()
        self.bar = Progress(BarColumn(), TextColumn("{task.description}"), transient=True)
        self.task = self.bar.add_task(title, total=items)

    def __enter__(self) -> "_Meter":
        if sys.stdout.isatty():
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if sys.stdout.isatty():
            self.bar.stop()

    def received(self, url: str, count: int, position: int, size: int | None) -> None:
        with self.lock:
            self.bytes += count
            self.shares[url] = position / size if size else 0.0
            if self.shares[url] == 1:  # what is left to do with it counts as nothing
                del self.shares[url]
            self._show()

    def finished(self) -> None:
        with self.lock:
            self.done += 1
            self._show()

    def _show(self) -> None:
        seconds = time.monotonic() - self.started
        progress = min(self.done + sum(self.shares.values()), self.items)
        left = timedelta(seconds=round(seconds / progress * (self.items - progress))) if progress else "?"
        text = (
            f"{self.title}: {self.done} of {self.items}, {self.bytes / 1e6:,.0f} MB, "
            f"{self.bytes / 1e6 / max(seconds, 1e-9):.1f} MB/s, {left} left"
        )
        self.bar.update(self.task, completed=progress, description=text)
        if not sys.stdout.isatty() and time.monotonic() - self.shown > self.SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            print(text, flush=True)
