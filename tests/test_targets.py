"""The files that a user names, and the paths of restored versions."""

import os
from pathlib import Path

import pytest

from restoration.errors import UserError
from restoration.targets import targets, user_files

MARK = "-jpeg-mix"


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """The working folder of a test."""
    for name in ("one/x.jpg", "two/x.jpg", "two/deep/y.PNG", "two/.hidden.jpg", "two/x-jpeg-mix.jpg", "two/out/z.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("a.jpg", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


def placed(*words: str, kind: str | None = None, out: str | None = None) -> dict[str, str]:
    folder = Path(out) if out else None
    files = user_files(words, raw=False, mark=MARK, out=folder)
    return {str(old): str(new) for old, new in targets(files, mark=MARK, kind=kind, out=folder).items()}


def test_same_folder():
    assert placed("a.jpg", "a.png", "a.jpg") == {"a.jpg": "a-jpeg-mix.jpg", "a.png": "a-jpeg-mix.png"}
    assert placed("two") == {
        "two/deep/y.PNG": "two/deep/y-jpeg-mix.PNG",
        "two/out/z.jpg": "two/out/z-jpeg-mix.jpg",
        "two/x.jpg": "two/x-jpeg-mix.jpg",
    }


def test_subfolders():
    assert placed("two", out="two/out") == {"two/deep/y.PNG": "two/out/deep/y.PNG", "two/x.jpg": "two/out/x.jpg"}
    assert placed("one", "two", out="new") == {
        "one/x.jpg": "new/one/x.jpg",
        "two/deep/y.PNG": "new/two/deep/y.PNG",
        "two/out/z.jpg": "new/two/out/z.jpg",
        "two/x.jpg": "new/two/x.jpg",
    }


def test_paths_are_unique():
    assert placed("a.jpg", "a.png", kind="png", out="new") == {"a.png": "new/a.png", "a.jpg": "new/a.jpg.png"}
    assert placed("a.jpg", "a.png", kind="webp") == {"a.jpg": "a-jpeg-mix.webp", "a.png": "a.png-jpeg-mix.webp"}
    assert placed("one/x.jpg", "two/x.jpg", out="new") == {"one/x.jpg": "new/x.jpg", "two/x.jpg": "new/x-2.jpg"}


def test_patterns_and_names_with_brackets():
    assert list(placed("*/x.jpg")) == ["one/x.jpg", "two/x.jpg"]
    assert list(placed("**/y.*")) == ["two/deep/y.PNG"]
    Path("[1] a.jpg").touch()
    assert list(placed("[1] a.jpg")) == ["[1] a.jpg"]
    assert list(placed("absent.jpg")) == ["absent.jpg"]  # reported when it is read


def test_nothing_to_restore():
    os.mkdir("empty")
    with pytest.raises(UserError, match=r"empty has no files of this task's kinds: \.bmp"):
        placed("empty")
    with pytest.raises(UserError, match=r"no file matches \*\.tif"):
        placed("*.tif")
