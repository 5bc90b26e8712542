"""The losses: section III of the paper, and what combines losses."""

from restoration.losses.clamped import Clamped
from restoration.losses.paper import L1Loss, L2Loss, MixLoss, MSSSIML2Loss, MSSSIMLoss, SSIMLoss
from restoration.losses.switching import SwitchedLoss

__all__ = ["Clamped", "L1Loss", "L2Loss", "MSSSIML2Loss", "MSSSIMLoss", "MixLoss", "SSIMLoss", "SwitchedLoss"]
