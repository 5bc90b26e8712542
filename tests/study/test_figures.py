"""Figures: a panel for each title, a look for each loss, the same bytes in every run."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from skimage.color import rgb2lab

from restoration.names import LOSS_ORDER
from restoration.study import figures, looks
from restoration.study.report.crops import save_crops

TITLES = {"l2": "L2", "mix": "Mix", "mine": "My loss"}
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def curve_frame() -> pd.DataFrame:
    """Two panels; the first half of the training is far from the second; one loss with two seeds."""
    rows = [
        (panel, loss, seed, patches, patches / 100 + seed)
        for panel in ("sr: validation", "jpeg: validation")
        for loss, seed in (("l2", 0), ("mine", 0), ("mine", 1))
        for patches in range(0, 1001, 100)
    ]
    return pd.DataFrame(rows, columns=["panel", "loss", "seed", "patches", "value"])


def difference_frame() -> pd.DataFrame:
    rows = [("sr on Kodak", loss, 0.2, 0.1, 0.3, 0.1) for loss in TITLES]
    return pd.DataFrame(rows, columns=["panel", "loss", "value", "low", "high", "margin"])


def alpha_frame() -> pd.DataFrame:
    rows = [
        (task, test, alpha, -abs(alpha - 0.1), np.nan, np.nan, 1 - alpha)
        for task in ("sr", "jpeg")
        for test in ("Kodak", "FiveK")
        for alpha in (0.01, 0.1, 0.9)
    ]
    return pd.DataFrame(rows, columns=["task", "test_set", "alpha", "value", "low", "high", "share"])


DRAWN = {
    "curves": lambda: figures.curves(curve_frame(), TITLES, switch=500),
    "differences": lambda: figures.differences(difference_frame(), TITLES, label="PSNR (dB)"),
    "alpha": lambda: figures.alpha(alpha_frame(), {"the paper's": 0.02}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_same_bytes_and_small(name):
    svg = DRAWN[name]()
    assert DRAWN[name]() == svg
    assert len(svg) < 60_000
    ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_texts():
    words = texts(DRAWN["curves"]())
    for word in ("sr: validation", "jpeg: validation", "L2", "My loss"):
        assert word in words, word
    assert "the paper's" in texts(DRAWN["alpha"]())
    assert {"L2", "Mix", "My loss", "sr on Kodak", "PSNR (dB)"} <= set(texts(DRAWN["differences"]()))


def test_scaled_to_the_last_third():
    """Values of the last third go from 7 to 11: ticks begin near 7, not at 0, and keep all their digits."""
    frame = curve_frame()
    ticks = [float(word) for word in texts(figures.curves(frame, TITLES)) if word.replace(".", "").isdigit()]
    values = [tick for tick in ticks if tick < 20]
    assert {8, 10} <= set(values)
    assert not {1, 2, 3, 4, 5, 6} & set(values)
    fine = texts(figures.curves(frame.assign(value=0.9 + frame["value"] / 10_000), TITLES))
    assert "0.9007" in fine
    assert "0.9010" in fine


def test_looks_differ():
    """Dash and marker are different for any two losses; the first seven colours also under colour blindness."""
    names = [*LOSS_ORDER, *(f"own{number}" for number in range(10))]
    every = looks.looks(names)
    assert len({(look.dash, look.marker) for look in every.values()}) == len(names)
    assert looks.looks(["own", "mix"])["mix"] == every["mix"]
    colours = np.array([to_rgb(colour) for colour in looks.COLOURS])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    for matrix in (np.eye(3), DEUTERANOPIA, PROTANOPIA):  # Machado et al. 2009, severity 1
        seen = (linear @ matrix.T).clip(0, 1)
        encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        lab = rgb2lab(encoded)
        assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(lab, 2)) > 15


def test_labels_do_not_overlap():
    """Labels of lines with nearly equal ends do not overlap, and are as near to the ends as possible."""
    losses = LOSS_ORDER[:8]
    rows = [("sr", loss, 0, patches, 30.0) for loss in losses for patches in (0, 500, 1000)]
    frame = pd.DataFrame(rows, columns=["panel", "loss", "seed", "patches", "value"])
    svg = figures.curves(frame, {loss: loss for loss in losses})
    groups = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    heights = [
        float(re.findall(r"[-\d.]+", element.attrib["transform"])[2]) for element in groups if element.text in losses
    ]
    assert len(heights) == len(losses)
    assert np.diff(np.sort(heights)).min() > 7  # points, the size of the letters


def test_saved_crops(tmp_path):
    """Cells of 200 pixels or more; a row may have fewer crops than others."""
    red, green = np.zeros((2, 52, 52, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    save_crops({"a": {"input": red, "truth": green}, "b": {"truth": green}}, tmp_path / "crops.png")
    with Image.open(tmp_path / "crops.png") as figure:
        pixels = np.asarray(figure.convert("RGB"))
    for colour in ((255, 0, 0), (0, 255, 0)):
        mask = (pixels == colour).all(axis=2)
        assert mask.any(axis=0).sum() >= 200
        assert mask.any(axis=1).sum() >= 200
