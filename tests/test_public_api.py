"""`import restoration`: public names, and no heavy import before the first use."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import restoration


def test_names():
    assert all(hasattr(restoration, name) for name in restoration.__all__)
    assert restoration.__version__ == version("restoration-losses")
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        restoration.train  # noqa: B018


def test_import_is_light():
    code = "import sys, restoration; print(sorted({'torch', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
