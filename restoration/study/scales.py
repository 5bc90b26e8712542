"""In which unit and direction differences of a metric are shown."""

import re
from dataclasses import dataclass

from restoration.errors import UserError
from restoration.names import ARTEFACTS, METRICS

RANK = "rank"  # of a loss among others, averaged over metrics: 1 is best


@dataclass(frozen=True)
class Scale:
    """How differences of a metric are shown: times `times`, with `digits` decimals or else three significant digits.

    What `digits` decimals would show as 0 has as many as its first significant digit takes, but at most twice as many.
    """

    unit: str
    higher_is_better: bool
    digits: int | None
    times: float = 1.0

    def shown(self, value: float, *, sign: str = "") -> str:
        """The value with a true minus; `sign="+"` marks positive ones too."""
        value = value * self.times
        if self.digits is None:
            return _signed(value, f"{sign}.3g")
        digits = self.digits
        if 0 < abs(value) < 0.5 * 10**-digits:
            digits = min(-int(f"{value:.0e}".partition("e")[2]), 2 * digits)
        return _signed(round(value, digits), f"{sign}.{digits}f")


def _signed(value: float, form: str) -> str:
    """With a true minus, which 0 does not have."""
    return format(value + 0.0, form).replace("-", "−")


def title_of_metric(metric: str) -> str:
    if metric in METRICS:
        return METRICS[metric].label
    return ARTEFACTS[metric].title if metric in ARTEFACTS else metric


def scale_of(metric: str) -> Scale:
    """Unit and direction of a metric or artefact measure."""
    if metric == RANK:
        return Scale("ranks", higher_is_better=False, digits=2)
    if metric in METRICS:
        row = METRICS[metric]
        unit = re.search(r"\((.+)\)$", row.label)
        return Scale(unit[1] if unit else f"({row.label})", row.higher_is_better, row.digits, row.shown_times)
    if metric in ARTEFACTS:
        title = ARTEFACTS[metric].title
        return Scale(f"({title}, levels)", higher_is_better=False, digits=None)
    known = [*METRICS, *ARTEFACTS, RANK]
    raise UserError(f"nobody said whether more or less {metric!r} is better; known are {', '.join(known)}")
