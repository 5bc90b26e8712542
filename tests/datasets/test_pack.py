"""Photographs are decoded once, exactly, and no photograph has two roles."""

import hashlib
import io
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from restoration.datasets.open_sets import sample
from restoration.datasets.pack import in_parallel, pack, pack_set, pack_stored
from restoration.datasets.photos import PackedPhotos, PhotoSet, look_alikes
from restoration.errors import UserError
from restoration.tasks import JPEG
from tests.conftest import packed

MANIFEST = Path(__file__).parents[2] / "data" / "sample" / "manifest.csv"
PROGRAM = (  # packs the photographs of a folder, prints their number and the peak of memory in kB
    "import resource, sys; from pathlib import Path; from restoration.datasets.pack import pack\n"
    "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    "folder = Path(sys.argv[1]); before = peak()\n"
    "packed = pack(sorted(folder.glob('*.*')), folder / 'cache', title='photographs')\n"
    "print(len(packed), packed.pixels.numel() // 1000, peak() - before)"
)


def packed_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock", ".owner"}


def test_bundled_photographs(tmp_path):
    """Hash, pixels and windows of the three training photographs do not change."""
    photos = sample(MANIFEST)
    assert [len(part) for part in (photos.train, photos.val, photos.test["sample"])] == [3, 1, 2]
    train = pack_set(photos, tmp_path).train
    assert train.key.startswith("0ccff2ec315170b7")
    assert hashlib.sha256(train.pixels.numpy().data).hexdigest().startswith("bbe916f6d14dfb3f")
    windows = train.crop((torch.tensor([0, 1, 2]), torch.tensor([-5, 200, 410]), torch.tensor([3, 720, 0])), 31)
    assert hashlib.sha256(windows.contiguous().numpy().data).hexdigest().startswith("37ecf1e70069d42f")


def test_bundled_photographs_of_another_version(tmp_path):
    changed = MANIFEST.read_text().replace("grace_hopper.jpg,val,", "grace_hopper.jpg,val,0")
    (tmp_path / "manifest.csv").write_text(changed)
    with pytest.raises(UserError, match=r"grace_hopper\.jpg is missing .* version of matplotlib in constraints\.txt"):
        sample(tmp_path / "manifest.csv")


def test_packed_again_when_a_file_changes(tmp_path, photo):
    paths = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png"]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        Image.fromarray(photo[number:]).save(path)
    cache = tmp_path / "cache"
    first = pack(paths, cache, title="photographs")
    assert first.names == ["a/1.png", "b/1.png"]
    assert np.array_equal(first.array(0), photo)
    assert np.array_equal(first.array(1), photo[1:])
    times = {file: file.stat().st_mtime_ns for file in cache.glob("*.safetensors")}
    os.utime(paths[0])  # touched, not changed
    assert pack(paths, cache, title="photographs").key == first.key
    assert {file: file.stat().st_mtime_ns for file in cache.glob("*.safetensors")} == times

    Image.fromarray(photo[5:]).save(paths[0])
    changed = pack(paths, cache, title="photographs")
    assert changed.key != first.key
    assert np.array_equal(changed.array(0), photo[5:])


def test_damaged_and_unfinished_packed_files(tmp_path, photo):
    """Damaged files are written again, unfinished files are removed."""
    Image.fromarray(photo).save(tmp_path / "a.png")
    pack([tmp_path / "a.png"], tmp_path / "cache", title="photographs")
    (file,) = (tmp_path / "cache").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    (tmp_path / "cache" / ".unfinished.0123.safetensors").write_bytes(bytes(1000))
    assert np.array_equal(pack([tmp_path / "a.png"], tmp_path / "cache", title="photographs").array(0), photo)
    assert packed_files(tmp_path / "cache") == {file.name}


def test_bad_files(photo_folder, photo, capsys):
    """Bad files of all roles are named together; skip_bad leaves them out, also in the key of the packed file."""
    train, cache = photo_folder / "train", photo_folder / "cache"
    Image.fromarray(photo[:40]).save(train / "small.png")
    (photo_folder / "test" / "text.jpg").write_text("these are not pixels")
    photos = PhotoSet("a", *(tuple(sorted((photo_folder / role).iterdir())) for role in ("train", "test")))
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            pack_set(photos, cache)
        first, small, advice, second, text, _ = str(caught.value).splitlines()
        assert first == "1 of 6 training photographs cannot be used:"
        assert small == f"  {train}/small.png: 82x40 pixels; photographs have at least 48x48"
        assert "data.skip_bad=true" in advice
        assert second == "1 of 2 validation photographs cannot be used:"
        assert text.endswith("text.jpg: not a JPEG, PNG, TIFF, WebP or BMP image")
        assert packed_files(cache) == set()
        packed = pack_set(replace(photos, skip_bad=True), cache)
        assert (len(packed.train), packed.val.names) == (5, ["cup.png"])
        assert "small.png" in capsys.readouterr().out
        for file in cache.glob("*.safetensors"):
            file.unlink()


def test_full_disk(tmp_path, photo, monkeypatch):
    monkeypatch.setattr("restoration.datasets.pack.write_photos", no_room)
    Image.fromarray(photo).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"cannot write the packed photographs .*: No space left"):
        pack([tmp_path / "a.png"], tmp_path / "cache", title="photographs")
    assert packed_files(tmp_path / "cache") == set()


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_killed_while_packing(tmp_path):
    """The next process completes the work; 165 MB of pixels are packed with less than half of that."""
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    for number in range(45):
        Image.fromarray(np.roll(tile, number, axis=1)).save(tmp_path / f"{number}.jpg")
    command = [sys.executable, "-c", PROGRAM, tmp_path]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while (
        not (unfinished := list((tmp_path / "cache").glob(".unfinished.*.safetensors")))
        or not unfinished[0].stat().st_size
    ):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert packed_files(tmp_path / "cache") == {unfinished[0].name}
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    photographs, kilobytes, more = (int(number) for number in printed.split())
    assert photographs == 45
    assert kilobytes > 165_000
    assert more < kilobytes / 2
    assert len(packed_files(tmp_path / "cache")) == 1
    assert not unfinished[0].exists()


def test_stored_photographs(tmp_path, photo):
    paths = [tmp_path / f"{number:02}.png" for number in range(12)]
    for number, path in enumerate(paths):
        Image.fromarray(photo[number:]).save(path)
    clean = pack(paths, tmp_path / "cache", title="photographs")
    task, other = JPEG(), JPEG(quality=50)
    stored = pack_stored(clean, task.store, repr(task), tmp_path / "cache", title="inputs")
    assert stored.names == clean.names
    assert all(np.array_equal(stored.array(index), task.store(photo[index:])) for index in range(12))
    assert pack_stored(clean, other.store, repr(other), tmp_path / "cache", title="inputs").key != stored.key


def test_parallel_work_keeps_order_and_raises():
    assert list(in_parallel(lambda number: number**2, range(100))) == [number**2 for number in range(100)]
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda number: 1 / number, [1, 0]))


def jpeg(image: Image.Image, quality: int) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def test_look_alikes():
    """A photograph is recognised after compression, reduction and loss of colour; other photographs are not."""
    names = ("astronaut", "chelsea", "coffee", "rocket")
    photos = [Image.fromarray(getattr(skimage.data, name)()) for name in names]
    originals = packed(*map(np.asarray, photos))
    everyone = [(index, index) for index in range(4)]
    assert look_alikes(originals, originals) == everyone
    for changed in (
        [jpeg(photo, 20) for photo in photos],
        [jpeg(photo.resize((photo.width // 4, photo.height // 4)), 75) for photo in photos],
        [np.asarray(photo.convert("L").convert("RGB")) for photo in photos],
        [np.asarray(photo.resize((photo.width * 5, photo.height * 5))) for photo in photos],
        [np.asarray(photo)[2:-2, 2:-2] for photo in photos],
        [np.asarray(photo) // 2 for photo in photos],
    ):
        assert look_alikes(originals, packed(*changed)) == everyone
    mirrored = packed(*(np.asarray(photo)[:, ::-1] for photo in photos))
    stereo = packed(*skimage.data.stereo_motorcycle()[:2])
    flat = packed(np.full((60, 60, 3), 9, np.uint8))
    assert look_alikes(originals, mirrored) == look_alikes(originals, stereo) == look_alikes(flat, flat) == []
    assert look_alikes(stereo, stereo) == [(0, 0), (1, 1)]


@pytest.fixture
def leaking(photo_folder) -> PhotoSet:
    """A training photograph is also a test photograph, as a JPEG file."""
    with Image.open(photo_folder / "train" / "1.png") as image:
        image.save(photo_folder / "test" / "copy.jpg", quality=60)
    train, test = (tuple(sorted((photo_folder / role).iterdir())) for role in ("train", "test"))
    return PhotoSet("a", train[:4], train[4:], {"mine": test})


def test_photograph_with_two_roles(photo_folder, leaking):
    cache = photo_folder / "cache"
    with pytest.raises(UserError, match=r"test mine photograph copy\.jpg and training photograph 1\.png"):
        pack_set(leaking, cache)
    with pytest.raises(UserError, match=r"validation photograph 1\.png and training photograph 1\.png"):
        pack_set(replace(leaking, val=leaking.train, test={}), cache)
    sound = replace(leaking, test={"mine": leaking.test["mine"][1:], "again": leaking.test["mine"][1:]})
    assert isinstance(pack_set(sound, cache).train, PackedPhotos)  # test sets may share photographs


def test_published_split(photo_folder, leaking, capsys):
    pack_set(replace(leaking, published=True), photo_folder / "cache")
    assert "copy.jpg and training photograph 1.png" in capsys.readouterr().out
