"""The report card of a loss: the findings of all probes."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from restoration.check import errors_cost, gradients, practice  # in the order of the card
from restoration.check.probe import FAULT, MEANING, PROBES, SKIPPED, Finding, run_probe
from restoration.check.subject import Subject, Unusable

__all__ = ["Card", "check_loss", "errors_cost", "gradients", "practice"]  # the modules add their probes


@dataclass(frozen=True)
class Card:
    """The findings about a loss.

    Attributes:
        findings: one for each probe, in order.
        side: side of the patches in pixels.
    """

    title: str
    findings: list[Finding]
    side: int
    seconds: float

    @property
    def faults(self) -> list[str]:
        """The names of the probes that found a fault."""
        return [finding.probe.name for finding in self.findings if finding.verdict == FAULT]

    @property
    def summary(self) -> str:
        """The number of findings by verdict."""
        counts = Counter(finding.verdict for finding in self.findings)
        return ", ".join(f"{counts[verdict]} {verdict}" for verdict in MEANING if counts[verdict])

    def text(self) -> str:
        """The faults, one on each line."""
        return "\n".join(
            f"{finding.probe.name}: {finding.text}" for finding in self.findings if finding.verdict == FAULT
        )


def check_loss(loss: nn.Module, title: str = "", declares: Mapping[str, str] | None = None) -> Card:
    """Runs all probes on the CPU: this takes a second for a fast loss, up to a minute for a network.

    Args:
        declares: reasons of faults that belong to the loss's definition, by probe; added to `loss.declares`.
    """
    title, started = title or type(loss).__name__, time.perf_counter()
    try:
        subject = Subject(loss, declares or {})
    except Unusable as error:
        first = Finding(PROBES[0], FAULT, str(error))
        rest = [Finding(probe, SKIPPED, "") for probe in PROBES[1:]]
        return Card(title, [first, *rest], 0, time.perf_counter() - started)
    findings = [run_probe(probe, subject) for probe in PROBES]
    return Card(title, findings, subject.side, time.perf_counter() - started)
