"""Files from the network, fetched in parts if need be.

A file is written under a hidden name and takes its own when it is whole. A broken transfer goes on where it ended, in a
later process too, as long as the server says that the file is still the same one (by its ETag or date).
"""

import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from restoration.datasets.decode import BadPhoto
from restoration.datasets.meter import Meter
from restoration.errors import UserError
from restoration.files import NO_ROOM

CHUNK = 2**18
MAX_BYTES = 2**30  # of one file
LONGEST_PAUSE = 60.0
SHOWN = 20  # failures in one message
HOPELESS = 8  # so many items without an answer to any, and the others are not tried
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
TIFF, PNG, GZIP = (b"II*\0", b"MM\0*"), (b"\x89PNG",), (b"\x1f\x8b",)  # how such files begin

Item = TypeVar("Item")


class DownloadFailed(Exception):
    """A file could not be had; the message says why."""


class _Unreachable(DownloadFailed):
    """No answer came."""


class _TryAgain(Exception):
    """What a later attempt may mend, after so many seconds."""

    def __init__(self, reason: str, *, after: float = 0.0, unreachable: bool = False):
        super().__init__(reason)
        self.after = after
        self.unreachable = unreachable


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
        self.meter = Meter("", 0)

    def each(self, work: Callable[[Item], None], items: Sequence[Item], *, title: str) -> None:
        """Does `work`, which may `fetch`, for every item, and shows how far it is; one that fails stops no other.

        Raises:
            UserError: some failed with `DownloadFailed` or `BadPhoto`, all are named; or the disk is full.
        """
        failures: list[str] = []
        succeeded = 0
        hopeless = True  # nothing was ever answered
        with Meter(title, len(items)) as self.meter, ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(work, item): item for item in items}
            try:
                for future in as_completed(futures):
                    try:
                        future.result()
                        succeeded += 1
                    except (DownloadFailed, BadPhoto) as error:
                        failures.append(f"  {futures[future]}: {error}")
                        hopeless &= isinstance(error, _Unreachable)
                    self.meter.finished()
                    if hopeless and len(failures) == HOPELESS and not succeeded and not self.meter.bytes:
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
                print(f"stopping; a silent connection may take {self.timeout:.0f} s", file=sys.stderr, flush=True)
                self._end(pool)
                raise
        if failures:
            raise UserError(_report(sorted(failures), succeeded, len(items), title))

    def _end(self, pool: ThreadPoolExecutor) -> None:
        """Ends the transfers under way; what they have stays."""
        self.stopping.set()
        pool.shutdown(cancel_futures=True)

    def fetch(
        self, url: str, path: Path, *, begins: tuple[bytes, ...], objection: Callable[[Path], str] = lambda part: ""
    ) -> None:
        """Puts the file at `url` in place of `path`.

        Args:
            begins: the first bytes of such a file, any of them.
            objection: looks at the whole file before it is put in place, and says what is wrong with it, or nothing.

        Raises:
            DownloadFailed: the server has no such file, or sends another one, or cannot be reached.
            OSError: the disk is full.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        furthest, attempt = 0, 0
        while True:
            try:
                self._transfer(url, part)
                _check(url, part, begins)
                if reason := objection(part):
                    _discard(part)
                    raise _TryAgain(reason)
                part.replace(path)
                _mark(part).unlink(missing_ok=True)
                return
            except _TryAgain as error:
                reached = part.stat().st_size if part.exists() else 0
                attempt = 1 if reached > furthest else attempt + 1
                furthest = max(furthest, reached)
                pause = min(max(error.after, self.pause * 2 ** (attempt - 1)), LONGEST_PAUSE)
                if attempt >= self.attempts or self.stopping.wait(pause):
                    failed = _Unreachable if error.unreachable else DownloadFailed
                    raise failed(f"{url}: {error}, {attempt} times") from error

    def _transfer(self, url: str, part: Path) -> None:
        """Completes `part`."""
        start = part.stat().st_size if part.exists() and _mark(part).exists() else 0
        headers = {"Accept-Encoding": "identity", "User-Agent": "restoration-losses"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": _mark(part).read_text()}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                self._receive(url, response, part, start)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            unreachable = not isinstance(error, urllib3.exceptions.HTTPError)  # those come with the body
            raise _TryAgain(f"the connection broke: {_cause(error)}", unreachable=unreachable) from error
        except requests.RequestException as error:
            raise DownloadFailed(f"{url}: {error}") from error

    def _receive(self, url: str, response: requests.Response, part: Path, start: int) -> None:
        """Writes an answer into `part`: behind its `start` bytes, if that is what the server sends, else anew."""
        status = response.status_code
        if status == 416 and response.headers.get("Content-Range") == f"bytes */{start}":
            return  # it was complete, only not yet in place
        if status == 416:
            _discard(part)
            raise _TryAgain("the file has changed on the server")
        if status not in (200, 206):
            answer = f"the server answers {status} {response.reason}"
            if status in TRANSIENT:
                after = response.headers.get("Retry-After", "")
                raise _TryAgain(answer, after=float(after) if after.isdecimal() else 0.0)
            raise DownloadFailed(f"{url}: {answer}")
        if "html" in response.headers.get("Content-Type", ""):
            raise DownloadFailed(f"{url}: the server answers with a web page, not with the file")
        if status == 200:
            start = 0
        size = _announced_size(response, part, start)
        with open(part, "ab" if start else "wb") as file:
            if not start:
                _remember_version(response, part)
            while chunk := response.raw.read1(CHUNK):  # what there is: iter_content would lose the last of a broken one
                if self.stopping.is_set():
                    raise DownloadFailed("stopped")
                file.write(chunk)
                self.meter.received(url, len(chunk), file.tell(), size)
                if file.tell() > MAX_BYTES:
                    _discard(part)
                    raise DownloadFailed(f"{url}: more than {MAX_BYTES / 1e6:.0f} MB")
            file.flush()
            os.fsync(file.fileno())
            if size is not None and file.tell() != size:
                raise _TryAgain(f"the connection closed after {file.tell()} of {size} bytes")


def _announced_size(response: requests.Response, part: Path, start: int) -> int | None:
    """The size that the whole file will have; None where it comes in pieces that tell their end."""
    headers = response.headers
    if response.status_code == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", ""))
        if not found or int(found[1]) != start:
            _discard(part)
            raise _TryAgain("the server sends another part of the file than it was asked for")
        return int(found[3])
    if headers.get("Content-Length", "").isdecimal():
        return int(headers["Content-Length"])
    if headers.get("Transfer-Encoding") == "chunked":
        return None
    raise DownloadFailed(f"{response.url}: the server does not say how long the file is")


def _cause(error: Exception) -> str:
    """What a network error comes down to, without the addresses of objects that wrap it."""
    inner = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    if isinstance(inner, Exception):
        return _cause(inner)
    return re.sub(r"^.*\): ", "", str(error)) or type(error).__name__


def _report(failures: list[str], succeeded: int, items: int, title: str) -> str:
    shown = failures[:SHOWN] + [f"  and {len(failures) - SHOWN} more"] * (len(failures) > SHOWN)
    untried = items - succeeded - len(failures)
    others = "The others are in place; " if succeeded else ""
    if untried:
        others = f"The other {untried} were not tried; "
    return (
        f"{len(failures)} of {items} {title} could not be had:\n"
        + "\n".join(shown)
        + f"\n{others}the same command goes on with what is missing."
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


def _check(url: str, part: Path, begins: tuple[bytes, ...]) -> None:
    """Discards a complete part that is another kind of file, and says so."""
    with open(part, "rb") as file:
        head = file.read(16)
    if not head.startswith(begins):
        _discard(part)
        raise DownloadFailed(f"{url}: not such a file; it begins with {head!r}")


def _discard(part: Path) -> None:
    _mark(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)
