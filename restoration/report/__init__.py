"""One HTML page with everything that was found: tables, ledger, curves, and photographs to look into."""

from restoration.report.contents import (
    Block,
    Claim,
    Curves,
    Fold,
    Ledger,
    Picture,
    Report,
    Section,
    Series,
    Strip,
    Verdict,
    Viewer,
)
from restoration.report.crops import difference_map, most_different_crops
from restoration.report.judged import ledger_of
from restoration.report.page import write_report

__all__ = [
    "Block",
    "Claim",
    "Curves",
    "Fold",
    "Ledger",
    "Picture",
    "Report",
    "Section",
    "Series",
    "Strip",
    "Verdict",
    "Viewer",
    "difference_map",
    "ledger_of",
    "most_different_crops",
    "write_report",
]
