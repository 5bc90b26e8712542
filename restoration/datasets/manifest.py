"""What downloaded files were when they first proved usable."""

import csv
import hashlib
import threading
from io import StringIO
from pathlib import Path

from restoration.files import write_text


class Manifest:
    """Size and sha256 of files, by their path below the folder in which this CSV file lies."""

    def __init__(self, path: Path):
        self.path = path
        self.lock = threading.Lock()
        self.files: dict[str, tuple[int, str]] = {}
        if path.exists():
            with open(path, newline="") as file:
                self.files = {row["file"]: (int(row["bytes"]), row["sha256"]) for row in csv.DictReader(file)}

    def knows(self, path: Path) -> bool:
        return self._name(path) in self.files

    def objection(self, path: Path, content: Path) -> str:
        """What is wrong with the file `content`, if something else was first seen at `path`."""
        if self.knows(path) and self.files[self._name(path)] != _size_and_sha256(content):
            return f"size or sha256 differ from those in {self.path}"
        return ""

    def record(self, path: Path) -> None:
        """Remembers the file at `path`."""
        with self.lock:
            self.files[self._name(path)] = _size_and_sha256(path)
            text = StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(["file", "bytes", "sha256"])
            rows.writerows([name, *seen] for name, seen in sorted(self.files.items()))
            write_text(self.path, text.getvalue())

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path.parent).as_posix()


def _size_and_sha256(path: Path) -> tuple[int, str]:
    with open(path, "rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
