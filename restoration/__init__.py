"""Loss functions for image restoration with neural networks (Zhao et al., 2017), reproduced."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restoration import losses as losses
    from restoration.exporting import export as export
    from restoration.pretrained import load as load
    from restoration.pretrained import restore as restore
    from restoration.pretrained import shipped as shipped
    from restoration.scoring.score import score as score

__all__ = ["__version__", "export", "load", "losses", "restore", "score", "shipped"]
__version__ = "0.1.0"

MODULES = {
    "export": "exporting",
    "load": "pretrained",
    "restore": "pretrained",
    "shipped": "pretrained",
    "score": "scoring.score",
}


def __getattr__(name: str) -> Any:
    """A public name, imported on first use: PyTorch takes two seconds, and not every module needs it."""
    if name == "losses":
        return import_module("restoration.losses")
    if name in MODULES:
        return getattr(import_module(f"restoration.{MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
