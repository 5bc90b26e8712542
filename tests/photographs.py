"""16-bit ProPhoto RGB TIFFs like those of FiveK, with known sRGB colours; PostScript; full disks."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

PROPHOTO = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[0.3457, 0.3585, 1.0],
    primaries=[0.7347, 0.2653, 1.0, 0.1596, 0.8404, 1.0, 0.0366, 0.0001, 1.0],
    gamma=1.8,
)
SRGB_TO_XYZ_D50 = np.array(  # Lindbloom, Bradford-adapted
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
PROPHOTO_TO_XYZ_D50 = np.array(  # Lindbloom
    [[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0.0, 0.0, 0.8252100]]
)


def light(srgb: np.ndarray) -> np.ndarray:
    """sRGB values in [0, 1] -> light in [0, 1] (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def prophoto(srgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB values in [0, 1] -> uint16 in ProPhoto RGB."""
    linear = light(srgb) @ SRGB_TO_XYZ_D50.T @ np.linalg.inv(PROPHOTO_TO_XYZ_D50).T
    return np.round(linear.clip(0, 1) ** (1 / 1.8) * 65535).astype(np.uint16)


def write_tiff(path, values: np.ndarray, *, profile: bytes | None = PROPHOTO, **options) -> None:
    tifffile.imwrite(path, values, photometric="rgb", iccprofile=profile, **options)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 160\n%%EndComments\nshowpage\n"


def fake_ghostscript(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a program `gs` into PATH that creates the file `started` in `folder`."""
    program = folder / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {folder}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # Pillow looks for it once


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as on a full disk; briefly, since pytest's log may be a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
