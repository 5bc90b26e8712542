"""The command `restoration`: fast help, exit codes, lists."""

import subprocess
import sys

import pytest

from restoration import losses
from restoration.cli import main
from restoration.commands import score


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys; from restoration.cli import main\n"
        "heavy = {'torch', 'numpy', 'pandas', 'rich', 'PIL'}\n"
        f"try: main({arguments})\n"
        "except SystemExit as end: print(end.code, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("0 []\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["scor"],
        ["score", "a.png"],
        ["score", "a.png", "b.png", "--metrics", "lpips"],
        ["score", "a.png", "b.png", "--border", "-1"],
        ["score", "a.png", "b.png", "--csv", "--json"],
        ["score", "a.png", "b.png", "--explain", "--border", "2"],
    ],
)
def test_wrong_usage(arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_unforeseen_errors(monkeypatch, capsys):
    """One line, and the traceback on request."""

    def fail(arguments: object) -> int:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(score, "run", fail)
    monkeypatch.delenv("TRACEBACK", raising=False)
    assert main(["score", "a", "b"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == "error: RuntimeError: out of luck"
    monkeypatch.setenv("TRACEBACK", "1")
    assert main(["score", "a", "b"]) == 1
    assert "in fail" in capsys.readouterr().err


def test_interrupted(monkeypatch):
    monkeypatch.setattr(score, "run", lambda arguments: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["score", "a", "b"]) == 130


def test_lists(capsys):
    assert main(["losses"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in losses.__all__)
    assert main(["pretrained"]) == 0
    text = capsys.readouterr().out
    assert "JPEG(quality=25" in text
    assert "ms_ssim_l2" in text
