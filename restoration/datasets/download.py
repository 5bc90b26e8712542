"""Downloads, several at a time. Only complete files appear under their names; broken transfers are tried again."""

import re
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

import requests

from restoration.datasets.decode import BadPhoto
from restoration.errors import UserError
from restoration.files import NO_ROOM, replacing
from restoration.progress import tracked

CHUNK = 2**18
MAX_BYTES = 2**30  # limit for one file
LONGEST_PAUSE = 60.0
SHOWN = 20  # failures in one message
UNREACHABLE = 8  # after so many failures without an answer from any server, no further item is tried
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "restoration-losses"}

Item = TypeVar("Item")


class DownloadFailed(Exception):
    """A file was not downloaded; the message says why."""


class _TryAgain(Exception):
    """A failure that may be temporary; `after` is the pause in seconds that the server asks for."""

    def __init__(self, reason: str, *, after: float = 0.0):
        super().__init__(reason)
        self.after = after


class Downloads:
    """Transfers, several at a time.

    Args:
        jobs: number of transfers at a time.
        attempts: number of attempts before a transfer fails.
        timeout: seconds without a byte after which a connection counts as broken.
        pause: seconds before the second attempt; doubled before each further one.
    """

    def __init__(self, *, jobs: int = 4, attempts: int = 6, timeout: float = 30.0, pause: float = 1.0):
        self.jobs = jobs
        self.attempts = attempts
        self.timeout = timeout
        self.pause = pause
        self.answered = False  # by any server
        self.stopping = threading.Event()

    def each(self, work: Callable[[Item], None], items: Sequence[Item], *, title: str) -> None:
        """Calls `work` for every item and shows the progress; `work` may call `fetch`.

        Raises:
            UserError: some items failed with `DownloadFailed` or `BadPhoto`; the message names them, and all other
                items are done. Or the disk is full.
        """
        failures: list[str] = []
        done = 0
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(work, item): item for item in items}
            try:
                for future in tracked(as_completed(futures), title, len(items), "files"):
                    try:
                        future.result()
                        done += 1
                    except (DownloadFailed, BadPhoto) as error:
                        failures.append(f"  {futures[future]}: {error}")
                    if len(failures) == UNREACHABLE and not done and not self.answered:
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
            raise UserError(_report(sorted(failures), done, len(items), title))

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        self.stopping.set()
        pool.shutdown(cancel_futures=True)

    def fetch(self, url: str, path: Path) -> None:
        """Downloads `url` to `path`.

        Raises:
            DownloadFailed: the server has no such file or cannot be reached.
            OSError: the disk is full.
        """
        attempt = 0
        while True:
            try:
                with replacing(path) as temporary:
                    self._transfer(url, temporary)
                return
            except _TryAgain as error:
                attempt += 1
                pause = min(max(error.after, self.pause * 2 ** (attempt - 1)), LONGEST_PAUSE)
                if attempt == self.attempts or self.stopping.wait(pause):
                    raise DownloadFailed(f"{url}: {error}, {attempt} times") from error

    def _transfer(self, url: str, path: Path) -> None:
        try:
            with requests.get(url, headers=HEADERS, stream=True, timeout=self.timeout) as response:
                self.answered = True
                if response.status_code != 200:
                    answer = f"the server answers {response.status_code} {response.reason}"
                    if response.status_code in TRANSIENT:
                        after = response.headers.get("Retry-After", "")
                        raise _TryAgain(answer, after=float(after) if after.isdecimal() else 0.0)
                    raise DownloadFailed(f"{url}: {answer}")
                with open(path, "wb") as file:
                    for chunk in response.iter_content(CHUNK):  # raises if the announced length does not come
                        if self.stopping.is_set():
                            raise DownloadFailed(f"{url}: stopped")
                        if file.tell() + len(chunk) > MAX_BYTES:
                            raise DownloadFailed(f"{url}: more than {MAX_BYTES / 1e6:.0f} MB")
                        file.write(chunk)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise _TryAgain(f"the connection broke: {_cause(error)}") from error
        except requests.RequestException as error:
            raise DownloadFailed(f"{url}: {error}") from error


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
    lines = [f"{len(failures)} of {items} {title} are missing:", *shown]
    return "\n".join([*lines, f"{others}the same command continues with what is missing."])
