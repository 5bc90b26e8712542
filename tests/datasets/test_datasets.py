"""Photographs as people have them: every usual kind of file, and the broken ones."""

import csv
import hashlib
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from restoration.datasets.decode import BadPhoto, decode
from restoration.datasets.folder import _plain_parts, folder
from restoration.datasets.open_sets import sample
from restoration.datasets.pack import in_parallel, pack, pack_recorded, pack_set
from restoration.errors import UserError
from restoration.tasks import JPEG

MANIFEST = Path(__file__).parents[2] / "data" / "sample" / "manifest.csv"


@pytest.fixture
def deep(photo) -> np.ndarray:
    """16-bit colours, few of them multiples of 257."""
    return np.random.default_rng(0).integers(0, 2**16, photo.shape, dtype=np.uint16)


def rounded(deep: np.ndarray) -> np.ndarray:
    return np.round(deep / 257).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
def test_lossless_files_come_back_exactly(tmp_path, photo, suffix):
    Image.fromarray(photo).save(tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    assert np.array_equal(decode(tmp_path / f"a{suffix}"), photo)


def test_16_bits_are_rounded_not_cut(tmp_path, deep):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(tmp_path / "b.tif", deep, photometric="rgb")
    tifffile.imwrite(tmp_path / "c.tif", deep, photometric="rgb", compression="lzw")
    tifffile.imwrite(tmp_path / "grey.tif", deep[..., 0])
    (tmp_path / "grey.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(deep[..., :1])))
    for name in ("a.png", "b.tif", "c.tif"):
        assert np.array_equal(decode(tmp_path / name), rounded(deep)), name
    for name in ("grey.tif", "grey.png"):
        assert np.array_equal(decode(tmp_path / name), rounded(deep[..., :1]).repeat(3, axis=2)), name


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 10}, {"optimize": True}]
)
def test_jpegs_have_pillows_pixels(tmp_path, photo, options):
    Image.fromarray(photo).save(tmp_path / "a.jpg", **options)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image)
    assert np.array_equal(decode(tmp_path / "a.jpg"), expected)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + b"what some cameras leave at the end")
    assert np.array_equal(decode(tmp_path / "b.jpg"), expected)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_colours(tmp_path, photo, mode):
    Image.fromarray(photo).convert(mode).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert np.array_equal(decode(tmp_path / "a.jpg"), np.asarray(image.convert("RGB")))


def test_grey_palette_and_alpha(tmp_path, photo):
    grey = photo[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(decode(tmp_path / "grey.png"), grey[..., None].repeat(3, axis=2))

    palette = Image.fromarray(photo).quantize(32)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(decode(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))

    alpha = np.full((*photo.shape[:2], 1), 255, dtype=np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.concatenate([photo, alpha], axis=2)).save(tmp_path / "alpha.png")
    decoded = decode(tmp_path / "alpha.png")
    assert (decoded[:10] == 255).all()  # what is transparent lies on white
    assert np.array_equal(decoded[10:], photo[10:])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, photo, deep, orientation):
    upright = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.transpose(1, 0, 2),
        6: np.rot90(photo, -1),
        7: np.rot90(photo, 1)[:, ::-1][::-1][:, ::-1],
        8: np.rot90(photo, 1),
    }
    upright[7] = photo[::-1, ::-1].transpose(1, 0, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(decode(tmp_path / "a.png"), upright[orientation])
    tifffile.imwrite(
        tmp_path / "a.tif",
        photo.astype(np.uint16) * 257,
        photometric="rgb",
        extratags=[(274, "H", 1, orientation, True)],
    )
    assert np.array_equal(decode(tmp_path / "a.tif"), upright[orientation])


def broken_files(folder: Path, photo: np.ndarray) -> dict[str, str]:
    """Writes files that cannot be used; returns the reason that each must be given."""
    Image.fromarray(photo).save(folder / "good.png")
    whole = (folder / "good.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(photo).save(folder / "whole.jpg")
    jpeg = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("these are not pixels")
    Image.fromarray(photo[:40]).save(folder / "small.png")
    Image.fromarray(photo[..., 0].astype(np.float32)).save(folder / "float.tif")
    (folder / "bomb.png").write_bytes(bomb())
    return {
        "truncated.png": "truncated",
        "truncated.jpg": "truncated",
        "empty.png": "empty file",
        "text.jpg": "not an image",
        "small.png": "at least 48x48",
        "float.tif": "float",
        "bomb.png": "DecompressionBomb",
    }


def bomb() -> bytes:
    """A small PNG that claims 40000 x 40000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_every_bad_file_is_named_with_its_reason(tmp_path, photo):
    photos = tmp_path / "photos"
    photos.mkdir()
    reasons = broken_files(photos, photo)
    for name, reason in reasons.items():
        with pytest.raises(BadPhoto, match=reason):
            decode(photos / name)
    paths = sorted(photos.iterdir())
    with pytest.raises(UserError) as caught:
        pack(paths, tmp_path / "cache", title="photographs")
    for name, reason in reasons.items():
        assert any(name in line and reason in line for line in str(caught.value).splitlines())
    assert "good.png" not in str(caught.value)
    assert "data.skip_bad=true" in str(caught.value)
    assert list((tmp_path / "cache").glob("[!.]*")) == []  # nothing half-made is left


def test_bad_files_can_be_left_out(tmp_path, photo, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    reasons = broken_files(photos, photo)
    packed = pack(sorted(photos.iterdir()), tmp_path / "cache", title="photographs", skip_bad=True)
    assert packed.names == ["good.png"]
    assert np.array_equal(packed.array(0), photo)
    printed = capsys.readouterr().out
    assert all(name in printed for name in reasons)
    with pytest.raises(UserError):  # a later run that does not skip is still stopped
        pack(sorted(photos.iterdir()), tmp_path / "cache", title="photographs")


def test_packed_once_and_again_when_a_file_changes(tmp_path, photo):
    paths = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png"]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        Image.fromarray(photo[number:]).save(path)
    cache = tmp_path / "cache"
    first = pack(paths, cache, title="photographs")
    assert first.names == ["a/1.png", "b/1.png"]
    assert [first.array(index).shape for index in range(2)] == [photo.shape, photo[1:].shape]
    assert np.array_equal(first.array(1), photo[1:])
    made = {file: file.stat().st_mtime_ns for file in cache.glob("*.safetensors")}
    os.utime(paths[0])  # touched, not changed
    assert pack(paths, cache, title="photographs").key == first.key
    assert {file: file.stat().st_mtime_ns for file in cache.glob("*.safetensors")} == made

    Image.fromarray(photo[5:]).save(paths[0])
    changed = pack(paths, cache, title="photographs")
    assert changed.key != first.key
    assert np.array_equal(changed.array(0), photo[5:])


def test_a_damaged_pack_is_made_again(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    pack([tmp_path / "a.png"], tmp_path / "cache", title="photographs")
    (file,) = (tmp_path / "cache").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    assert np.array_equal(pack([tmp_path / "a.png"], tmp_path / "cache", title="photographs").array(0), photo)


def test_what_a_killed_process_left_is_cleared_away(tmp_path, photo):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / ".unfinished.abc.0123.safetensors").write_bytes(bytes(1000))
    Image.fromarray(photo).save(tmp_path / "a.png")
    pack([tmp_path / "a.png"], cache, title="photographs")
    assert {path.name for path in cache.glob(".*")} == {".lock"}


def test_photographs_of_many_sizes_share_no_memory(tmp_path, photo):
    """JPEGs are decoded into the memory of those already written."""
    paths = []
    for number in range(60):
        paths.append(tmp_path / f"{number:02}.jpg")
        Image.fromarray(photo[number % 7 : 97 - number % 5, number % 11 :]).save(paths[-1])
    packed = pack(paths, tmp_path / "cache", title="photographs")
    for index, path in enumerate(paths):
        with Image.open(path) as image:
            assert np.array_equal(packed.array(index), np.asarray(image))


def test_packing_needs_little_memory(tmp_path):
    """In a process of its own: 330 MB of pixels are packed with less than half of that."""
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    for number in range(90):
        Image.fromarray(np.roll(tile, number, axis=1)).save(tmp_path / f"{number}.jpg")
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from restoration.datasets.pack import pack\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "folder = Path(sys.argv[1]); before = peak()\n"
        "packed = pack(sorted(folder.glob('*.jpg')), folder / 'cache', title='photographs')\n"
        "print(packed.pixels.numel() // 1000, peak() - before)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    ).stdout
    pack_kilobytes, more_kilobytes = (int(number) for number in printed.split())
    assert pack_kilobytes > 330_000
    assert more_kilobytes < pack_kilobytes / 2


def test_killed_while_packing_the_next_process_completes(tmp_path, photo):
    image = Image.fromarray(photo).resize((900, 700))
    for number in range(120):
        image.save(tmp_path / f"{number}.png", compress_level=1)
    program = (
        "import sys; from pathlib import Path; from restoration.datasets.pack import pack\n"
        "folder = Path(sys.argv[1])\n"
        "print(len(pack(sorted(folder.glob('*.png')), folder / 'cache', title='photographs')))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path])
    while not (unfinished := list((tmp_path / "cache").glob(".unfinished.*"))) or not unfinished[0].stat().st_size:
        assert process.poll() is None
    process.kill()
    process.wait()
    assert list((tmp_path / "cache").glob(".unfinished.*"))
    assert not list((tmp_path / "cache").glob("[!.]*"))
    printed = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "120\n"
    assert {path.name for path in (tmp_path / "cache").glob(".*")} == {".lock"}


def test_recorded_photographs_keep_order_and_names(tmp_path, photo):
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number:02}.png")
        Image.fromarray(photo[number:]).save(paths[-1])
    clean = pack(paths, tmp_path / "cache", title="photographs")
    task = JPEG()
    recorded = pack_recorded(clean, task.record, repr(task), tmp_path / "cache", title="inputs")
    assert recorded.names == clean.names
    for index in range(12):
        assert np.array_equal(recorded.array(index), task.record(photo[index:]))
    other = JPEG(quality=50)
    assert pack_recorded(clean, other.record, repr(other), tmp_path / "cache", title="inputs").key != recorded.key


def test_parallel_work_keeps_order_and_raises():
    assert list(in_parallel(lambda number: number**2, range(100))) == [number**2 for number in range(100)]
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda number: 1 / number, [1, 0]))


def test_folder_splits_are_stable_disjoint_and_named(photo_folder):
    train, test = str(photo_folder / "train"), str(photo_folder / "test")
    photos = folder(train, test)
    assert photos.name == f"{photo_folder.name}-train"
    assert set(photos.test) == {"test"}
    assert len(photos.train) == 4
    assert len(photos.val) == 1
    assert not set(photos.train) & set(photos.val)
    assert folder(train, test) == photos
    several = folder(train, {"cups": test, "more": test}, name="mine", val=test)
    assert (several.name, set(several.test), several.val) == ("mine", {"cups", "more"}, photos.test["test"])


def test_subfolders_are_searched_and_other_files_named(photo_folder, capsys):
    (photo_folder / "train" / "deep").mkdir()
    (photo_folder / "train" / "0.png").rename(photo_folder / "train" / "deep" / "0.PNG")
    (photo_folder / "train" / "notes.txt").write_text("where I was")
    (photo_folder / "train" / ".DS_Store").write_text("")
    photos = folder(str(photo_folder / "train"), str(photo_folder / "test"))
    assert len(photos.train) + len(photos.val) == 5
    printed = capsys.readouterr().out
    assert "notes.txt" in printed
    assert ".DS_Store" not in printed


def test_lists_patterns_and_single_files(photo_folder, tmp_path, capsys):
    (photo_folder / "train" / "deep").mkdir()
    (photo_folder / "train" / "0.png").rename(photo_folder / "train" / "deep" / "0.png")
    (photo_folder / "train" / "deep" / "notes.md").write_text("where I was")
    by_folder = folder(str(photo_folder / "train"), str(photo_folder / "test"))
    capsys.readouterr()
    by_pattern = folder(f"{photo_folder}/train/**/*", f"{photo_folder}/test/cup.png")
    assert (by_pattern.train, by_pattern.val, by_pattern.name) == (by_folder.train, by_folder.val, by_folder.name)
    assert by_pattern.test == {"cup": (photo_folder / "test" / "cup.png",)}
    assert "notes.md" in capsys.readouterr().out
    assert len(folder(f"{photo_folder}/train/[12].*", f"{photo_folder}/test").train) == 1  # and one to validate with

    (photo_folder / "lists").mkdir()
    listed = photo_folder / "lists" / "mine.txt"
    listed.write_text(f"# the good ones\n../train/3.png\n\n{photo_folder}/train/1.png  # twice\n../train/3.png\n")
    by_list = folder(str(listed), str(photo_folder / "test"), val=str(photo_folder / "train" / "2.png"))
    assert [path.resolve() for path in by_list.train] == [photo_folder / "train" / f"{number}.png" for number in (3, 1)]
    assert by_list.name == "lists-mine"
    listed.write_text("../train/3.png\nnowhere.png\n")
    with pytest.raises(UserError, match=r"nowhere\.png: .*No such file"):
        pack_set(folder(str(listed), str(photo_folder / "test"), val=str(photo_folder / "train" / "2.png")), tmp_path)


def test_patterns_do_not_run_in_circles(photo_folder):
    for name in ("again", "and_again"):
        (photo_folder / "train" / name).symlink_to(photo_folder / "train")
    photos = folder(f"{photo_folder}/train/**/*.png", str(photo_folder / "test"))
    assert len(photos.train) + len(photos.val) == 5


def test_lists_of_other_editors(photo_folder):
    (photo_folder / "train" / "0.png").rename(photo_folder / "train" / "x#1.png")
    listed = photo_folder / "mine.txt"
    listed.write_bytes("train/x#1.png\r\ntrain/2.png # sharp\r\n#train/3.png\r\n".encode("utf-8-sig"))
    photos = folder(str(listed), str(photo_folder / "test"), val=str(photo_folder / "train" / "4.png"))
    assert [path.name for path in photos.train] == ["x#1.png", "2.png"]
    assert len(pack_set(photos, photo_folder / "cache").train) == 2


def test_names_stay_inside_their_folder(photo_folder):
    assert folder(str(photo_folder / "train"), {"a": str(photo_folder / "test")}).name.endswith("-train")
    with pytest.raises(UserError, match=r"'\.\./up' cannot name a data set"):
        folder(str(photo_folder / "train"), {"../up": str(photo_folder / "test")})
    with pytest.raises(UserError, match="'/mine' cannot name a data set"):
        folder(str(photo_folder / "train"), str(photo_folder / "test"), name="/mine")
    assert _plain_parts("/photos") == ["photos"]
    assert _plain_parts("/*.png") == ["photographs"]


def test_linked_folders_are_searched_once_and_broken_links_named(photo_folder):
    (photo_folder / "train" / "again").symlink_to(photo_folder / "train")
    (photo_folder / "all").mkdir()
    (photo_folder / "all" / "linked").symlink_to(photo_folder / "train")
    (photo_folder / "train" / "gone.png").symlink_to(photo_folder / "nowhere.png")
    photos = folder(str(photo_folder / "all"), str(photo_folder / "test"))
    assert len(photos.train) + len(photos.val) == 6
    with pytest.raises(UserError, match=r"gone\.png: .*No such file"):
        pack_set(photos, photo_folder / "cache")
    packed = pack_set(replace(photos, skip_bad=True), photo_folder / "cache")
    assert len(packed.train) + len(packed.val) == 5


def test_validation_photographs_are_not_trained_on(photo_folder):
    photos = folder(str(photo_folder / "train"), str(photo_folder / "test"), val=str(photo_folder / "train"))
    with pytest.raises(UserError, match="validation photographs have another role, too"):
        pack_set(photos, photo_folder / "cache")


def test_folders_that_cannot_serve_are_refused(photo_folder, tmp_path):
    train, test = str(photo_folder / "train"), str(photo_folder / "test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no photographs in"):
        folder(str(tmp_path / "empty"), test)
    with pytest.raises(UserError, match="no photographs in"):
        folder(train, str(tmp_path / "empty"))
    with pytest.raises(UserError, match=r"there is no .*nowhere; give a folder, a list of files, a pattern"):
        folder(str(tmp_path / "nowhere"), test)
    with pytest.raises(UserError, match="no photographs in"):
        folder(f"{tmp_path}/nothing*.png", test)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match="names no photographs"):
        folder(str(tmp_path / "empty.txt"), test)
    (tmp_path / "a.cr2").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="neither a photograph of a known kind nor a list"):
        folder(str(tmp_path / "a.cr2"), test)
    with pytest.raises(UserError, match=r"data.test=DIR"):
        folder(train, None)
    with pytest.raises(UserError, match="one photograph"):
        folder(test, train)


def test_a_test_photograph_among_the_training_ones_is_refused(photo_folder):
    (photo_folder / "test" / "copy.png").write_bytes((photo_folder / "train" / "1.png").read_bytes())
    photos = folder(str(photo_folder / "train"), str(photo_folder / "test"))
    with pytest.raises(UserError, match=r"copy\.png is also training photograph 1\.png"):
        pack_set(photos, photo_folder / "cache")


def test_bad_files_of_every_role_are_named_at_once(photo_folder):
    (photo_folder / "train" / "zero.png").write_bytes(b"")
    (photo_folder / "test" / "text.jpg").write_text("these are not pixels")
    photos = folder(str(photo_folder / "train"), str(photo_folder / "test"))
    with pytest.raises(UserError, match=r"(?s)zero\.png: empty file.*text\.jpg: not an image"):
        pack_set(photos, photo_folder / "cache")


def test_bundled_photographs_are_disjoint_and_present(tmp_path):
    photos = sample(MANIFEST)
    splits = [photos.train, photos.val, photos.test["sample"]]
    assert [len(split) for split in splits] == [3, 1, 2]
    assert len({path for split in splits for path in split}) == 6
    rows = list(csv.DictReader(MANIFEST.read_text().splitlines()))
    changed = MANIFEST.read_text().replace(rows[0]["sha256"], "0" * 64)
    (tmp_path / "manifest.csv").write_text(changed)
    with pytest.raises(UserError, match=r"install the scikit-image of constraints\.txt"):
        sample(tmp_path / "manifest.csv")


def test_pixels_of_the_bundled_photographs(tmp_path):
    """The same identity, pixels and windows as when the committed study was trained."""
    train = pack_set(sample(MANIFEST), tmp_path).train
    assert train.key.startswith("1601bc18d3ce411b")
    assert hashlib.sha256(train.pixels.numpy().data).hexdigest().startswith("73a5fbfd7eef556b")
    windows = train.crop((torch.tensor([0, 1, 2]), torch.tensor([-5, 200, 490]), torch.tensor([3, 720, 0])), 31)
    assert hashlib.sha256(windows.contiguous().numpy().data).hexdigest().startswith("c8ea3800560a0e62")
