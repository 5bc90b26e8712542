"""What stands in a table's columns: the degraded input, baselines without training, losses; their titles and order."""

from restoration.evaluate import INPUT

LOSSES = {
    "l2": "L2",
    "l1": "L1",
    "ssim1": "SSIM1",
    "ssim3": "SSIM3",
    "ssim5": "SSIM5",
    "ssim9": "SSIM9",
    "ms_ssim": "MS-SSIM",
    "mix": "Mix",
    "ms_ssim_l2": "MS-SSIM+L2",
    "ssim_dense": "SSIM, dense",
    "ms_ssim_dense": "MS-SSIM, dense",
    "mix_dense": "Mix, dense",
    "l1_to_l2": "L1, then L2",
    "l2_to_l1": "L2, then L1",
}  # in the paper's order; other losses follow under their own names
BASELINES = {
    "bicubic": "Bicubic",
    "malvar": "Malvar",
    "menon": "Menon",
    "bm3d": "BM3D",
    "bm3d_blind": "BM3D, blind",
}  # between input and losses
UNTRAINED = (INPUT, *BASELINES)  # have no seed, whatever their records say


def title_of(name: str) -> str:
    """As tables show it; the degraded input is "Input" where a table has no better word for it."""
    return {INPUT: "Input", **BASELINES, **LOSSES}.get(name, name)


def columns_in_order(names: set[str]) -> list[str]:
    """The degraded input, baselines, then losses."""
    first = [name for name in UNTRAINED if name in names]
    return first + in_order(names - {*first})


def in_order(losses: set[str]) -> list[str]:
    """The losses as the paper orders them, others after."""
    return [loss for loss in LOSSES if loss in losses] + sorted(losses - LOSSES.keys())
