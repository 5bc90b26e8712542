"""The photographs that a folder, list or pattern of the user selects."""

import os
import shutil
from pathlib import Path

import pytest

from restoration.datasets.folder import folder, photographs_in
from restoration.datasets.pack import pack_set
from restoration.errors import UserError


@pytest.fixture
def train(photo_folder) -> str:
    return str(photo_folder / "train")


@pytest.fixture
def test(photo_folder) -> str:
    return str(photo_folder / "test")


def names(source: Path | str) -> list[str]:
    return [path.name for path in photographs_in(str(source), "data.train")]


def test_splits(photo_folder, train, test):
    photos = folder(train, test)
    assert (photos.name, set(photos.test)) == (f"{photo_folder.name}-train", {"test"})
    assert (len(photos.train), len(photos.val)) == (4, 1)
    assert not set(photos.train) & set(photos.val)
    assert folder(train, test) == photos
    several = folder(train, {"cups": test, "more": test}, name="mine", val=test)
    assert (several.name, set(several.test), several.val) == ("mine", {"cups", "more"}, photos.test["test"])


def test_kinds_of_files(photo_folder, train, capsys):
    (photo_folder / "train" / "deep").mkdir()
    (photo_folder / "train" / "0.png").rename(photo_folder / "train" / "deep" / "0.PNG")
    (photo_folder / "train" / "1.png").rename(photo_folder / "train" / "1.jfif")
    (photo_folder / "train" / "notes.txt").write_text("where I was")
    (photo_folder / "train" / ".DS_Store").write_text("")
    assert names(train) == ["1.jfif", "2.png", "3.png", "4.png", "0.PNG"]
    printed = capsys.readouterr().out
    assert "not taken for photographs: notes.txt" in printed
    assert ".DS_Store" not in printed


@pytest.mark.parametrize(
    "system",
    [
        ".thumbnails",
        ".Trash-1000/files",
        "@eaDir",
        ".ipynb_checkpoints",
        "__MACOSX",
        "$RECYCLE.BIN",
        "$Recycle.Bin",
        "a/.b/c",
    ],
)
@pytest.mark.parametrize("pattern", ["", "**/*.png", "*/**/*", "**/*"])
def test_hidden_and_system_folders(photo_folder, train, test, system, pattern):
    """Thumbnails and deleted photographs are ignored; one of them is a test photograph."""
    hidden = photo_folder / "train" / "visible" / system
    hidden.mkdir(parents=True)
    shutil.copy(photo_folder / "test" / "cup.png", hidden)
    shutil.copy(photo_folder / "train" / "0.png", hidden.parent / "._0.png")
    shutil.move(photo_folder / "train" / "4.png", photo_folder / "train" / "visible")
    matching = names(f"{train}/{pattern}")
    assert "4.png" in matching
    assert not {"cup.png", "._0.png"} & set(matching)
    if not pattern:
        pack_set(folder(train, test), photo_folder / "cache")
    assert names(hidden) == ["cup.png"]  # hidden files can be named


def test_pipes_and_devices(photo_folder, train, test, capsys):
    """Neither the search nor the decoder waits for a pipe or a device."""
    os.mkfifo(photo_folder / "train" / "pipe.png")
    (photo_folder / "train" / "zero.jpg").symlink_to("/dev/zero")
    photos = folder(train, test)
    assert len(photos.train) + len(photos.val) == 5
    assert "not taken for photographs: pipe.png, zero.jpg" in capsys.readouterr().out
    assert len(names(f"{train}/*.*")) == 5
    (photo_folder / "list.txt").write_text("train/pipe.png\ntrain/2.png\n")
    with pytest.raises(UserError, match=r"pipe\.png: not a regular file"):
        pack_set(folder(str(photo_folder / "list.txt"), test), photo_folder / "cache")
    with pytest.raises(UserError, match=r"there is no .*pipe\.png"):
        names(photo_folder / "train" / "pipe.png")


def test_links(photo_folder, test):
    """Linked folders are searched once; a broken link is an error."""
    for name in ("again", "and_again"):
        (photo_folder / "train" / name).symlink_to(photo_folder / "train")
    (photo_folder / "all").mkdir()
    (photo_folder / "all" / "linked").symlink_to(photo_folder / "train")
    assert len(names(photo_folder / "all")) == len(names(f"{photo_folder}/train/**/*.png")) == 5
    (photo_folder / "train" / "gone.png").symlink_to(photo_folder / "nowhere.png")
    with pytest.raises(UserError, match=r"gone\.png: No such file"):
        pack_set(folder(str(photo_folder / "all"), test), photo_folder / "cache")


def test_patterns_and_single_files(photo_folder, train, test, capsys):
    (photo_folder / "train" / "deep").mkdir()
    (photo_folder / "train" / "0.png").rename(photo_folder / "train" / "deep" / "0.png")
    (photo_folder / "train" / "deep" / "notes.md").write_text("where I was")
    by_folder = folder(train, test)
    capsys.readouterr()
    by_pattern = folder(f"{train}/**/*", f"{test}/cup.png")
    assert (by_pattern.train, by_pattern.val, by_pattern.name) == (by_folder.train, by_folder.val, by_folder.name)
    assert by_pattern.test == {"cup": (photo_folder / "test" / "cup.png",)}
    assert "notes.md" in capsys.readouterr().out
    assert names(f"{train}/[12].*") == ["1.png", "2.png"]


def test_lists(photo_folder, test):
    (photo_folder / "lists").mkdir()
    listed = photo_folder / "lists" / "mine.txt"
    listed.write_text(f"# the good ones\n../train/3.png\n\n{photo_folder}/train/1.png  # twice\n../train/3.png\n")
    assert names(listed) == ["3.png", "1.png"]
    assert folder(str(listed), test).name == "lists-mine"
    (photo_folder / "train" / "0.png").rename(photo_folder / "train" / "x#1.png")
    listed.write_bytes("../train/x#1.png\r\n../train/2.png # sharp\r\n#../train/3.png\r\n".encode("utf-8-sig"))
    assert names(listed) == ["x#1.png", "2.png"]
    listed.write_text("../train/3.png\nnowhere.png\n")
    with pytest.raises(UserError, match=r"nowhere\.png: No such file"):
        pack_set(folder(str(listed), test, val=f"{photo_folder}/train/2.png"), photo_folder / "cache")


@pytest.mark.parametrize(
    "name", ["it's", 'say "hi"', "photos [2020]", "a*b", "$HOME", "-rf", "~root", "a b", "a#b", "{x}"]
)
def test_odd_names(photo_folder, name, monkeypatch):
    """Odd names of folders and files work as a folder, a file and a pattern."""
    odd = photo_folder / name
    shutil.copytree(photo_folder / "train", odd)
    (odd / "0.png").rename(odd / f"{name}.png")
    photos = folder(str(odd), f"{odd}/{name}.png", val=f"{odd}/*.png")
    assert (len(photos.train), len(photos.val)) == (5, 5)
    assert photos.test == {name: (odd / f"{name}.png",)}
    assert photos.name == f"{photo_folder.name}-{name}"
    monkeypatch.chdir(photo_folder)
    assert len(names(f"./{name}")) == 5


def test_names_that_are_not_utf8(photo_folder, test, capsys):
    """Names that are not UTF-8 are printed, hashed and kept; in text files, their bytes are escaped."""
    odd = os.fsdecode(os.fsencode(photo_folder) + b"/caf\xe9")
    shutil.copytree(photo_folder / "train", odd)
    os.rename(f"{odd}/0.png", os.fsencode(odd) + b"/\xff.png")
    (photo_folder / "train" / "b\nc.txt").touch()
    Path(os.fsdecode(os.fsencode(odd) + b"/\xfe.txt")).touch()
    photos = folder(odd, test, val=1)
    assert photos.name == rf"{photo_folder.name}-caf\udce9"
    packed = pack_set(photos, photo_folder / "cache")
    assert r"\udcff.png" in packed.train.names + packed.val.names
    printed = capsys.readouterr().out + photos.name + "".join(packed.train.names)
    assert r"\udcfe.txt" in printed
    printed.encode()
    Path(os.fsdecode(os.fsencode(odd) + b"/bad\xfd.png")).touch()
    with pytest.raises(UserError, match=r"bad\\udcfd\.png: empty file"):
        pack_set(folder(odd, test, val=1), photo_folder / "cache")


def test_home(photo_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(photo_folder))
    assert len(names("~/train")) == len(names("~/train/*.png")) == 5
    with pytest.raises(UserError, match="there is no ~nobody-here"):
        names("~nobody-here/photos")


def test_names_stay_inside_their_folder(train, test):
    with pytest.raises(UserError, match=r"'\.\./up' cannot name a data set"):
        folder(train, {"../up": test})
    with pytest.raises(UserError, match="'/mine' cannot name a data set"):
        folder(train, test, name="/mine")


def test_refused_values(photo_folder, train, test):
    empty = photo_folder / "empty"
    empty.mkdir()
    (photo_folder / "empty.txt").write_text("# nothing\n")
    (photo_folder / "a.cr2").write_bytes(bytes(range(256)))
    for source, reason in {
        empty: "no photographs in",
        photo_folder / "nowhere": "there is no .*nowhere; give a folder, a list of files, a pattern",
        f"{train}/nothing*.png": "no photographs in",
        photo_folder / "empty.txt": "names no photographs",
        photo_folder / "a.cr2": "neither a photograph of a known kind nor a list",
    }.items():
        with pytest.raises(UserError, match=reason):
            names(source)
    with pytest.raises(UserError, match=r"data.test=DIR"):
        folder(train, None)
    with pytest.raises(UserError, match="one photograph"):
        folder(test, train)
