"""The colour photographs that scikit-image ships in its wheel: real ones, with no download."""

import csv
import hashlib
from importlib.metadata import version
from pathlib import Path

import skimage

from restoration.datasets import PhotoSet
from restoration.errors import UserError


def sample(manifest: Path) -> PhotoSet:
    """The bundled photographs that `manifest` lists.

    Args:
        manifest: CSV with the columns file, split (train, val or test) and sha256.

    Raises:
        UserError: the installed scikit-image has no such file, or another one under its name.
    """
    folder = Path(skimage.__file__).parent / "data"
    splits: dict[str, list[Path]] = {"train": [], "val": [], "test": []}
    with open(manifest, newline="") as file:
        for row in csv.DictReader(file):
            path = folder / row["file"]
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
                raise UserError(
                    f"{path} is missing or differs from {manifest}; install the scikit-image of constraints.txt "
                    f"({version('scikit-image')} is installed)"
                )
            splits[row["split"]].append(path)
    return PhotoSet("sample", tuple(splits["train"]), tuple(splits["val"]), {"sample": tuple(splits["test"])})
