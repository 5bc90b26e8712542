"""Crops are found by their rule and drawn in their places."""

from math import nan

import matplotlib as mpl
import torch
from PIL import Image

from restoration.study.figures import as_saved, hardest_window, save_crops, save_curves
from restoration.study.report import Curves, Series


def test_the_window_lies_where_the_input_errs_most():
    target = torch.full((3, 200, 300), 0.5)
    degraded = target.clone()
    degraded[:, 120:160, 220:260] += 0.2
    degraded[:, 10:30, 10:30] += 0.2  # a smaller fault
    rows, columns = hardest_window(degraded, target, side=48)
    assert rows.start <= 120
    assert rows.stop >= 160
    assert columns.start <= 220
    assert columns.stop >= 260
    assert (rows.stop - rows.start, columns.stop - columns.start) == (48, 48)


def test_small_images_are_shown_as_far_as_they_go():
    image = torch.rand(3, 60, 70)
    rows, columns = hardest_window(image, image.flip(1), side=96)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (60, 60)
    assert columns.stop <= 70


def test_figure_has_two_rows_for_each_task(tmp_path):
    red, green = torch.zeros(2, 3, 20, 20)
    red[0], green[1] = 1.2, 1.0
    crops = {"input": as_saved(red), "truth": as_saved(green)}
    assert crops["input"].max() == 1
    heights = []
    for number in (1, 2):
        path = tmp_path / f"{number}.png"
        save_crops({f"task {k}": crops for k in range(number)}, ["input", "mix", "truth"], path)
        with Image.open(path) as figure:
            colours = {colour for _, colour in figure.convert("RGB").getcolors(2**20)}
            heights.append(figure.height)
        assert {(255, 0, 0), (0, 255, 0), (255, 0, 127)} <= colours  # input, truth, four times their difference
    assert heights[1] - 2 * heights[0] in (-1, 0, 1)  # whole pixels


def test_curves_are_drawn_with_their_marks_and_the_same_each_time(tmp_path, monkeypatch):
    diagrams = [
        Curves(f"sr: {name}", "patches seen", "PSNR (dB)", [Series("Mix", (0, 10), (30, nan))], (), [(5, "switch")])
        for name in ("kodak24", "fivek40", "mine")
    ]
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # letters stay letters
    save_curves(diagrams, tmp_path / "1.svg")
    save_curves(diagrams, tmp_path / "2.svg")
    text = (tmp_path / "1.svg").read_text()
    assert all(text.count(word) == 3 for word in (">patches seen<", ">PSNR (dB)<", ">Mix<", ">switch<"))
    assert (tmp_path / "2.svg").read_text() == text
