"""What a probe is, and its verdict."""

from collections.abc import Callable
from dataclasses import dataclass

from restoration.check.subject import Subject

OK, FAULT, LIMIT, DECLARED, MEASURED, SKIPPED = "ok", "fault", "limit", "declared", "measured", "not run"
MEANING = {
    OK: "as it should be",
    FAULT: "a training can go wrong unnoticed",
    LIMIT: "usable, but not everywhere",
    DECLARED: "a fault that the loss declares as part of its definition",
    MEASURED: "a number without a verdict",
    SKIPPED: "needs what an earlier probe did not find",
}


@dataclass(frozen=True)
class Probe:
    """One question to a loss.

    Attributes:
        reason: why the answer matters.
        given: the minimal input.
        ask: returns verdict and text; an exception is a fault.
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
    """Adds a function to the probes, in the order of the card."""

    def add(ask: Callable[[Subject], tuple[str, str]]) -> Callable:
        PROBES.append(Probe(name, reason, given, ask))
        return ask

    return add


def answered(each: Probe, subject: Subject) -> Finding:
    """Asks a loss; a fault that the loss declares is named so."""
    try:
        verdict, text = each.ask(subject)
    except Exception as error:
        verdict, text = FAULT, f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
    if verdict == FAULT and each.name in subject.declares:
        verdict, text = DECLARED, subject.declares[each.name]
    return Finding(each, verdict, text)
