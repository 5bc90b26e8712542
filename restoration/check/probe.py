"""A probe asks one question about a loss and gives a verdict."""

from collections.abc import Callable
from dataclasses import dataclass

from restoration.check.subject import Subject

OK, FAULT, LIMIT, DECLARED, MEASURED, SKIPPED = "ok", "fault", "limit", "declared", "measured", "not run"
MEANING = {
    OK: "as it should be",
    FAULT: "a training can go wrong without an error",
    LIMIT: "usable, but not everywhere",
    DECLARED: "a fault that the loss declares as part of its definition",
    MEASURED: "a number without a verdict",
    SKIPPED: "needs an earlier probe that failed",
}


@dataclass(frozen=True)
class Probe:
    """One question about a loss.

    Attributes:
        reason: why the answer matters.
        given: the minimal input, in words.
        ask: takes a loss; returns verdict and text. An exception is a fault.
    """

    name: str
    reason: str
    given: str
    ask: Callable[[Subject], tuple[str, str]]


@dataclass(frozen=True)
class Finding:
    """The answer of one probe."""

    probe: Probe
    verdict: str
    text: str


PROBES: list[Probe] = []


def probe(name: str, reason: str, given: str) -> Callable[[Callable], Callable]:
    """Adds a function to the probes, in the order of the card. Reason and input describe the function."""

    def add(ask: Callable[[Subject], tuple[str, str]]) -> Callable:
        PROBES.append(Probe(name, reason, given, ask))
        return ask

    return add


def run_probe(probe: Probe, subject: Subject) -> Finding:
    """The answer of a probe; an expected fault gets the verdict DECLARED."""
    try:
        verdict, text = probe.ask(subject)
    except Exception as error:
        verdict, text = FAULT, f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
    if verdict == FAULT and probe.name in subject.declares:
        verdict, text = DECLARED, subject.declares[probe.name]
    return Finding(probe, verdict, text)
