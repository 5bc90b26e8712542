"""The network of the paper, and the use of any network."""

from restoration.networks.cnn import RestorationCNN

__all__ = ["RestorationCNN"]
