"""Checks that photographs fit into the memory of a GPU."""

from collections.abc import Mapping

import torch

from restoration.errors import UserError


def check_memory(device: torch.device, needed: Mapping[str, int]) -> None:
    """Refuses photographs that do not fit, before any of them is moved. Only CUDA devices are checked.

    Args:
        needed: bytes by title of the photographs.

    Raises:
        UserError: less memory is free than needed.
    """
    if device.type != "cuda":
        return
    free, _ = torch.cuda.mem_get_info(device)
    total = sum(needed.values())
    if total > free:
        lines = "\n".join(f"  {what}: {size / 1e9:.1f} GB" for what, size in needed.items())
        raise UserError(
            f"the photographs need {total / 1e9:.1f} GB, and {device} has {free / 1e9:.1f} GB of free memory:\n"
            f"{lines}\nTake fewer or smaller photographs, track=false, or device=cpu."
        )
