"""The networks that are trained."""

from restoration.networks.cnn import RestorationCNN

__all__ = ["RestorationCNN"]
