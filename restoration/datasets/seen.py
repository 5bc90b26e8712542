"""Size and hash of downloads are kept, so that a changed file under the same name is noticed."""

import csv
import hashlib
import threading
from pathlib import Path

from restoration.files import replacing


class SeenFiles:
    """A CSV file with size and sha256 of the first usable download of each path, relative to the CSV file."""

    def __init__(self, path: Path):
        self.path = path
        self.lock = threading.Lock()
        self.files: dict[str, tuple[int, str]] = {}
        if path.exists():
            with open(path, newline="") as file:
                self.files = {row["file"]: (int(row["bytes"]), row["sha256"]) for row in csv.DictReader(file)}

    def __contains__(self, path: Path) -> bool:
        return self._name(path) in self.files

    def objection(self, path: Path, content: Path) -> str:
        """An error as text if the first download of `path` had other bytes than `content`; else ""."""
        if path in self and self.files[self._name(path)] != _size_and_sha256(content):
            return f"size or sha256 differ from those in {self.path}"
        return ""

    def add(self, path: Path) -> None:
        """Remembers the file at `path`."""
        with self.lock:
            self.files[self._name(path)] = _size_and_sha256(path)
            with replacing(self.path) as temporary, open(temporary, "w", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(["file", "bytes", "sha256"])
                rows.writerows([name, *seen] for name, seen in sorted(self.files.items()))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path.parent).as_posix()


def _size_and_sha256(path: Path) -> tuple[int, str]:
    with open(path, "rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
