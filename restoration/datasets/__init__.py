"""Where photographs come from: each module makes a `PhotoSet`, `pack` decodes its files once."""

from dataclasses import dataclass, field
from pathlib import Path

from restoration.errors import UserError


@dataclass(frozen=True)
class PhotoSet:
    """The files of a study, split by role.

    Attributes:
        name: stands in run folders and tables.
        train: photographs that patches are drawn from.
        val: whole photographs scored during training; never among `train` or `test`.
        test: named sets of whole photographs, scored and reported apart.
        skip_bad: leave out files that cannot be used instead of stopping.
    """

    name: str
    train: tuple[Path, ...]
    val: tuple[Path, ...]
    test: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    skip_bad: bool = False

    def __post_init__(self) -> None:
        for name in (self.name, *self.test):
            if "/" in name or name in ("", ".", ".."):
                raise UserError(
                    f"{name!r} cannot name a data set or a test set: it would stand in the names of folders"
                )
