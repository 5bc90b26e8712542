"""A report card of a loss: about forty probes, each with its reason, a minimal input and a verdict.

from restoration.check import check_loss

card = check_loss(MyLoss())
assert not card.faults, card.text()
"""

from restoration.check.card import Card, check_loss

__all__ = ["Card", "check_loss"]
