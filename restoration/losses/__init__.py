"""The losses: section III of the paper, and losses made of other losses."""

from restoration.losses.combine import Clamped, Sum, Switch
from restoration.losses.paper import L1Loss, L2Loss, MixLoss, MSSSIML2Loss, MSSSIMLoss, SSIMLoss

__all__ = ["Clamped", "L1Loss", "L2Loss", "MSSSIML2Loss", "MSSSIMLoss", "MixLoss", "SSIMLoss", "Sum", "Switch"]
