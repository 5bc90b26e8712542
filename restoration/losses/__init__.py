"""The losses: section III of the paper, others of the field, and losses made of other losses."""

from restoration.losses.combine import Clamped, Sum, Switch
from restoration.losses.field import (
    CharbonnierLoss,
    EdgeLoss,
    FFTLoss,
    FocalFrequencyLoss,
    PSNRLoss,
    PyramidMSSSIMLoss,
    RMSELoss,
    TotalVariation,
)
from restoration.losses.paper import L1Loss, L2Loss, MixLoss, MSSSIML2Loss, MSSSIMLoss, SSIMLoss
from restoration.losses.perceptual import LPIPSLoss, VGGLoss

__all__ = [
    "CharbonnierLoss",
    "Clamped",
    "EdgeLoss",
    "FFTLoss",
    "FocalFrequencyLoss",
    "L1Loss",
    "L2Loss",
    "LPIPSLoss",
    "MSSSIML2Loss",
    "MSSSIMLoss",
    "MixLoss",
    "PSNRLoss",
    "PyramidMSSSIMLoss",
    "RMSELoss",
    "SSIMLoss",
    "Sum",
    "Switch",
    "TotalVariation",
    "VGGLoss",
]
