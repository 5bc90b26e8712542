"""What stands in a table's columns: the degraded input, baselines without training, losses; titles, order, kinds."""

from restoration.names import INPUT

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
# Of Mix, L1's share of the gradient decides the kind: a tenth or more, or about a hundredth.
PIXELWISE = ("l2", "l1", "l1_to_l2", "l2_to_l1", "mix", "mix_dense", "mix_code", "mix_unit0.055")
PIXELWISE += tuple(f"mix_a{alpha}" for alpha in (0.01, 0.1, 0.5, 0.7, 0.8, 0.9))
STRUCTURAL = ("ssim1", "ssim3", "ssim5", "ssim9", "ssim_dense", "ms_ssim", "ms_ssim_dense", "ms_ssim_l2")
STRUCTURAL += ("mix_unit0.84", "mix_a0.99")


def title_of(name: str) -> str:
    """As tables show it; the degraded input is "Input" where a table has no better word for it."""
    return {INPUT: "Input", **BASELINES, **LOSSES}.get(name, name)


def kind_of(loss: str) -> str:
    """Losses of a kind differ about as much from seed to seed; one that is in neither list is a kind of its own.

    Structural losses hardly see brightness and colours, which differ most.
    """
    return "pixelwise" if loss in PIXELWISE else "structural" if loss in STRUCTURAL else loss


def columns_in_order(names: set[str]) -> list[str]:
    """The degraded input, baselines, then losses."""
    first = [name for name in UNTRAINED if name in names]
    return first + in_order(names - {*first})


def in_order(losses: set[str]) -> list[str]:
    """The losses as the paper orders them, others after."""
    return [loss for loss in LOSSES if loss in losses] + sorted(losses - LOSSES.keys())
