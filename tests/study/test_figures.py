"""Figures: a panel for each title, a look for each loss, the same bytes in every run."""

import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from skimage.color import rgb2lab

from restoration.names import LOSS_ORDER
from restoration.study import figures
from restoration.study.report.crops import TRUTH, save_crops

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
    assert any("switch" in word for word in words)
    assert "the paper's" in texts(DRAWN["alpha"]())
    assert {"L2", "Mix", "My loss", "sr on Kodak", "PSNR (dB)"} <= set(texts(DRAWN["differences"]()))


def test_scaled_to_the_second_half():
    """Values of the second half go from 5 to 11: ticks begin near 5, not at 0, and keep all their digits."""
    frame = curve_frame()
    ticks = [float(word) for word in texts(figures.curves(frame, TITLES)) if word.replace(".", "").isdigit()]
    values = [tick for tick in ticks if tick < 20]
    assert {6, 8, 10} <= set(values)
    assert not {1, 2, 3, 4} & set(values)
    fine = texts(figures.curves(frame.assign(value=0.9 + frame["value"] / 10_000), TITLES))
    assert "0.9006" in fine
    assert "0.9010" in fine


def test_looks_differ():
    """Dash and marker tell any two losses apart; colours stay apart under colour blindness for the first seven."""
    names = [*LOSS_ORDER, *(f"own{number}" for number in range(10))]
    looks = figures.looks(names)
    assert len({(look.dash, look.marker) for look in looks.values()}) == len(names)
    assert figures.looks(["own", "mix"])["mix"] == looks["mix"]
    colours = np.array([to_rgb(colour) for colour in figures.COLOURS])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    for matrix in (np.eye(3), DEUTERANOPIA, PROTANOPIA):  # Machado et al. 2009, severity 1
        seen = (linear @ matrix.T).clip(0, 1)
        encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        lab = rgb2lab(encoded)
        assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(lab, 2)) > 15


def test_crops_have_rows_of_errors(tmp_path):
    red, green = np.zeros((2, 20, 20, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    crops = {"input": red, TRUTH: green}
    heights = []
    for number in (1, 2):
        path = tmp_path / f"{number}.png"
        save_crops({f"task {k}": crops for k in range(number)}, ["input", "mix", TRUTH], path)
        with Image.open(path) as figure:
            colours = {colour for _, colour in figure.convert("RGB").getcolors(2**20)}
            heights.append(figure.height)
        assert {(255, 0, 0), (0, 255, 0), (255, 0, 128)} <= colours  # input, truth, four times their difference
    assert heights[1] - 2 * heights[0] in (-1, 0, 1)  # whole pixels
