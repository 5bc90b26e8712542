"""The network of the paper, and how any network restores an image."""

from restoration.networks.cnn import RestorationCNN

__all__ = ["RestorationCNN"]
