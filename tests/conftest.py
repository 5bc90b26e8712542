"""Small real data for tests: crops of scikit-image's bundled photographs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from restoration.datasets.photos import PackedPhotos, thumbnail
from tests.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def packed(*photos: np.ndarray) -> PackedPhotos:
    """Photographs in memory, in the form that `pack` returns."""
    return PackedPhotos(
        torch.from_numpy(np.concatenate([photo.reshape(-1) for photo in photos])),
        torch.tensor([photo.shape[:2] for photo in photos]),
        [f"{index}.png" for index in range(len(photos))],
        torch.from_numpy(np.stack([thumbnail(photo) for photo in photos])),
        key="test",
    )


def crop() -> np.ndarray:
    """A colourful, detailed 97 x 82 crop."""
    return np.ascontiguousarray(skimage.data.astronaut()[60:157, 180:262])


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """The CPU, and a GPU if the machine has one."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    return crop()


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """train/ with five photographs and test/ with one, all different."""
    return write_photographs(tmp_path)


def write_photographs(folder: Path) -> Path:
    images = {"astronaut": skimage.data.astronaut(), "coffee": skimage.data.coffee()}
    for number in range(5):
        corner = 80 * number
        _save(folder / "train" / f"{number}.png", images["astronaut"][corner : corner + 72, 100:196])
    _save(folder / "test" / "cup.png", images["coffee"][100:280, 150:330])
    return folder


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server on this machine, without files."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium; see `tests.browser`, which is imported only by tests of pages."""
    from tests.browser import launched

    with launched() as browser:
        yield browser
