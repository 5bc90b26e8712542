"""Loss functions for image restoration with neural networks (Zhao et al., 2017), reproduced."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restoration.pretrained import load as load
    from restoration.pretrained import restore as restore

__all__ = ["load", "restore"]


def __getattr__(name: str) -> Any:
    """`load` and `restore`, imported when asked for: PyTorch takes two seconds, and not every module needs it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from restoration import pretrained

    return getattr(pretrained, name)
