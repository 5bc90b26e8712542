"""`restoration restore` with the shipped networks: gains, refused files, strips."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from restoration.cli import main
from restoration.datasets.decode import decode
from restoration.pretrained import shipped
from restoration.restoring import LARGEST_QUALITY


def psnr(pixels: np.ndarray, truth: np.ndarray) -> float:
    return -10 * np.log10(np.mean((pixels / 255 - truth / 255) ** 2))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [10, LARGEST_QUALITY])
def test_jpeg_files_become_better(tmp_path, monkeypatch, quality, subsampling):
    """JPEG files at the limits of the accepted quality gain PSNR."""
    monkeypatch.chdir(tmp_path)
    photos = {"coffee": skimage.data.coffee()[:256, :256], "astronaut": skimage.data.astronaut()[:256, :256]}
    for name, photo in photos.items():
        Image.fromarray(photo).save(f"{name}.jpg", quality=quality, subsampling=subsampling)
    assert main(["restore", "*.jpg", "-o", "new", "--format", "png"]) == 0
    for name, photo in photos.items():
        before, after = (psnr(decode(Path(file)), photo) for file in (f"{name}.jpg", f"new/{name}.png"))
        assert after > before


def test_files_not_restored(tmp_path, monkeypatch, capsys):
    """Files of good quality are listed with the reason and are no failures; failures are listed at the end."""
    monkeypatch.chdir(tmp_path)
    photo = Image.fromarray(skimage.data.coffee()[:64, :64])
    photo.save("bad.jpg", quality=20)
    photo.save("good.jpg", quality=90)
    assert main(["restore", "."]) == 0
    output = capsys.readouterr()
    assert output.out == "bad-jpeg-mix.jpg\n"
    assert "good.jpg is left as it is: JPEG quality is about 90" in output.err
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "bad.jpg").read_bytes()[:500])
    assert main(["restore", ".", "-o", "new", "--force"]) == 1
    output = capsys.readouterr()
    assert output.out.split() == ["new/bad.jpg", "new/good.jpg"]
    assert output.err.splitlines()[0].startswith("error: broken.jpg cannot be read as a photograph")
    assert output.err.splitlines()[1] == "1 of 3 were not restored"


def test_comparison(tmp_path, monkeypatch):
    """The strip shows a part of the photograph: the input, then the result of every loss."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.coffee()).save("a.jpg", quality=25)
    for task in ("jpeg", "sr"):
        assert main(["restore", "a.jpg", "--compare", "--task", task]) == 0
        count = 1 + sum(name == task for name, _ in shipped())
        with Image.open(f"a-{task}-compare.png") as strip:
            assert strip.width == 324 * count - 4
