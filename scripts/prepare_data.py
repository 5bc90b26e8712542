"""Decodes a data set and says what it holds: make data DATA=folder TRAIN=DIR TEST=DIR"""

from pathlib import Path

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from restoration.datasets.pack import pack_set
from scripts.cli import clear_errors


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def main(config: DictConfig) -> None:
    with clear_errors():
        photos = instantiate(config.data)
        packed = pack_set(photos, Path(config.packs))
        table = Table("role", "photographs", "megapixels", "sizes", "hash", title=f"data set {photos.name}")
        for role, part in {"train": packed.train, "val": packed.val, **packed.test}.items():
            heights, widths = part.sizes.T
            sizes = f"{widths.min()}x{heights.min()} to {widths.max()}x{heights.max()}"
            table.add_row(role, str(len(part)), f"{part.pixels.numel() / 3e6:.1f}", sizes, part.key[:12])
        Console().print(table)


if __name__ == "__main__":
    main()
