"""Downloads that survive bad connections.

A file is written under a hidden name and renamed when complete. A broken transfer is resumed, also by a later process,
if the server's ETag or date shows that the file is unchanged.
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
from restoration.errors import UserError
from restoration.files import NO_ROOM

CHUNK = 2**18
MAX_BYTES = 2**30  # limit for one file
LONGEST_PAUSE = 60.0
SHOWN = 20  # failures in one message
UNREACHABLE = 8  # after so many failures without any byte from a server, no further item is tried
SECONDS_BETWEEN_LINES = 30
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
TIFF, PNG, GZIP = (b"II*\0", b"MM\0*"), (b"\x89PNG",), (b"\x1f\x8b",)  # first bytes of such files

Item = TypeVar("Item")


class DownloadFailed(Exception):
    """A file could not be downloaded; the message says why."""


class _TryAgain(Exception):
    """A failure that may be temporary; `after` is the pause in seconds that the server asks for."""

    def __init__(self, reason: str, *, after: float = 0.0):
        super().__init__(reason)
        self.after = after


class Downloads:
    """Transfers, several at a time.

    Args:
        jobs: number of transfers at a time.
        attempts: a transfer fails after so many attempts in a row without progress.
        timeout: seconds without a byte after which a connection counts as broken.
        pause: seconds before the second attempt; doubled before each further one.
    """

    def __init__(self, *, jobs: int = 4, attempts: int = 6, timeout: float = 30.0, pause: float = 1.0):
        self.jobs = jobs
        self.attempts = attempts
        self.timeout = timeout
        self.pause = pause
        self.stopping = threading.Event()
        self.progress = _Progress("", 0)

    def each(self, work: Callable[[Item], None], items: Sequence[Item], *, title: str) -> None:
        """Calls `work` for every item and shows the progress; `work` may call `fetch`.

        Raises:
            UserError: some items failed with `DownloadFailed` or `BadPhoto`; the message names all of them, and all
                other items are done. Or the disk is full.
        """
        failures: list[str] = []
        self.progress = _Progress(title, len(items))
        with self.progress, ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(work, item): item for item in items}
            try:
                for future in as_completed(futures):
                    try:
                        future.result()
                        self.progress.add(items=1)
                    except (DownloadFailed, BadPhoto) as error:
                        failures.append(f"  {futures[future]}: {error}")
                    if len(failures) == UNREACHABLE and not self.progress.done and not self.progress.answered:
                        self._stop(pool)
                        break
            except OSError as error:
                self._stop(pool)
                if error.errno not in NO_ROOM:
                    raise
                raise UserError(
                    f"no room for {title}: {error.strerror}. Finished files are kept; the same command continues."
                ) from error
            except BaseException:
                print(f"stopping; a silent connection may take {self.timeout:.0f} s", file=sys.stderr, flush=True)
                self._stop(pool)
                raise
        if failures:
            raise UserError(_report(sorted(failures), self.progress.done, len(items), title))

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        """Ends all transfers; partial files are kept."""
        self.stopping.set()
        pool.shutdown(cancel_futures=True)

    def fetch(
        self, url: str, path: Path, *, begins: tuple[bytes, ...], objection: Callable[[Path], str] = lambda part: ""
    ) -> None:
        """Downloads `url` to `path`.

        Args:
            begins: possible first bytes of the file.
            objection: checks the complete file before the renaming; returns the error as text, or "".

        Raises:
            DownloadFailed: the server has no such file, sends another one or cannot be reached.
            OSError: the disk is full.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        furthest, attempt = 0, 0
        while True:
            try:
                self._transfer(url, part)
                _check_kind(url, part, begins)
                if reason := objection(part):
                    _discard(part)
                    raise _TryAgain(reason)
                part.replace(path)
                _version_file(part).unlink(missing_ok=True)
                return
            except _TryAgain as error:
                reached = part.stat().st_size if part.exists() else 0
                attempt = 1 if reached > furthest else attempt + 1
                furthest = max(furthest, reached)
                pause = min(max(error.after, self.pause * 2 ** (attempt - 1)), LONGEST_PAUSE)
                if attempt >= self.attempts or self.stopping.wait(pause):
                    raise DownloadFailed(f"{url}: {error}, {attempt} times") from error

    def _transfer(self, url: str, part: Path) -> None:
        """Completes `part`."""
        start = part.stat().st_size if part.exists() and _version_file(part).exists() else 0
        headers = {"Accept-Encoding": "identity", "User-Agent": "restoration-losses"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": _version_file(part).read_text()}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                self.progress.answered = True
                self._receive(url, response, part, start)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _TryAgain(f"the connection broke: {_cause(error)}") from error
        except requests.RequestException as error:
            raise DownloadFailed(f"{url}: {error}") from error

    def _receive(self, url: str, response: requests.Response, part: Path, start: int) -> None:
        """Writes the answer to `part`: after its `start` bytes where the server sends the rest, else from the start."""
        status = response.status_code
        if status == 416 and response.headers.get("Content-Range") == f"bytes */{start}":
            return  # complete, but not yet renamed
        if status == 416:
            _discard(part)
            raise _TryAgain("the file has changed on the server")
        if status not in (200, 206):
            answer = f"the server answers {status} {response.reason}"
            if status in TRANSIENT:
                after = response.headers.get("Retry-After", "")
                raise _TryAgain(answer, after=float(after) if after.isdecimal() else 0.0)
            raise DownloadFailed(f"{url}: {answer}")
        if status == 200:
            start = 0
        size = _announced_size(response, part, start)
        with open(part, "ab" if start else "wb") as file:
            if not start:
                _remember_version(response, part)
            while chunk := response.raw.read1(CHUNK):  # iter_content would lose the last bytes of a broken connection
                if self.stopping.is_set():
                    raise DownloadFailed("stopped")
                file.write(chunk)
                self.progress.add(received=len(chunk))
                if file.tell() > MAX_BYTES:
                    _discard(part)
                    raise DownloadFailed(f"{url}: more than {MAX_BYTES / 1e6:.0f} MB")
            file.flush()
            os.fsync(file.fileno())
            if size is not None and file.tell() != size:
                raise _TryAgain(f"the connection closed after {file.tell()} of {size} bytes")


class _Progress:
    """A bar on a terminal, elsewhere a line now and then; called from any thread."""

    def __init__(self, title: str, items: int):
        self.title = title
        self.items = items
        self.done = 0
        self.bytes = 0
        self.answered = False  # by any server
        self.lock = threading.Lock()
        self.started = self.shown = time.monotonic()
        self.bar = Progress(BarColumn(), TextColumn("{task.description}"), transient=True)
        self.task = self.bar.add_task(title, total=items)

    def __enter__(self) -> None:
        if sys.stdout.isatty():
            self.bar.start()

    def __exit__(self, *_: object) -> None:
        if sys.stdout.isatty():
            self.bar.stop()

    def add(self, *, items: int = 0, received: int = 0) -> None:
        with self.lock:
            self.done += items
            self.bytes += received
            seconds = max(time.monotonic() - self.started, 1e-9)
            left = timedelta(seconds=round(seconds / self.done * (self.items - self.done))) if self.done else "?"
            megabytes = self.bytes / 1e6
            speed = f"{megabytes:,.0f} MB, {megabytes / seconds:.1f} MB/s, {left} left"
            text = f"{self.title}: {self.done} of {self.items}, {speed}"
            self.bar.update(self.task, completed=self.done, description=text)
            if not sys.stdout.isatty() and time.monotonic() - self.shown > SECONDS_BETWEEN_LINES:
                self.shown = time.monotonic()
                print(text, flush=True)


def _announced_size(response: requests.Response, part: Path, start: int) -> int | None:
    """The size of the whole file; None where the server sends chunks, which mark their end."""
    headers = response.headers
    if response.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", ""))
        if not match or int(match[1]) != start:
            _discard(part)
            raise _TryAgain("the server sends another range than was requested")
        return int(match[3])
    if headers.get("Content-Length", "").isdecimal():
        return int(headers["Content-Length"])
    if headers.get("Transfer-Encoding") == "chunked":
        return None
    raise DownloadFailed(f"{response.url}: the server does not announce the file's length")


def _cause(error: Exception) -> str:
    """The innermost reason of a network error, without the addresses of Python objects."""
    inner = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    if isinstance(inner, Exception):
        return _cause(inner)
    return re.sub(r"^.*\): ", "", str(error)) or type(error).__name__


def _report(failures: list[str], done: int, items: int, title: str) -> str:
    shown = failures[:SHOWN] + [f"  and {len(failures) - SHOWN} more"] * (len(failures) > SHOWN)
    untried = items - done - len(failures)
    others = f"The other {untried} were not tried; " if untried else "The others are done; " if done else ""
    lines = [f"{len(failures)} of {items} {title} could not be downloaded:", *shown]
    return "\n".join([*lines, f"{others}the same command continues with what is missing."])


def _version_file(part: Path) -> Path:
    """Holds the server's version of a part; a part without it is downloaded from the start."""
    return part.with_suffix(".version")


def _remember_version(response: requests.Response, part: Path) -> None:
    etag = response.headers.get("ETag", "")
    version = etag if etag.startswith('"') else response.headers.get("Last-Modified")
    if version:
        _version_file(part).write_text(version)
    else:
        _version_file(part).unlink(missing_ok=True)


def _check_kind(url: str, part: Path, begins: tuple[bytes, ...]) -> None:
    """Discards a complete part that is another kind of file, such as a web page."""
    with open(part, "rb") as file:
        head = file.read(16)
    if not head.startswith(begins):
        _discard(part)
        raise DownloadFailed(f"{url}: another kind of file; it begins with {head!r}")


def _discard(part: Path) -> None:
    _version_file(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)
