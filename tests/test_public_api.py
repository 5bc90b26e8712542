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


@pytest.mark.parametrize("module", ["losses", "commands.restore", "commands.score"])
def test_commands_load_no_more_than_torch_and_image_files(module):
    code = f"""if True:
        import sys, restoration.{module}
        slow = {{"pandas", "scipy", "skimage", "matplotlib", "hydra", "piq", "torchvision", "tensorboard", "rawpy"}}
        print(sorted(slow & set(sys.modules)))"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
