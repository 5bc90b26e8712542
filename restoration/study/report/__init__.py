"""One HTML page with everything that was found: tables, ledger, curves, and photographs to look into."""

from restoration.study.report.contents import (
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
from restoration.study.report.crops import difference_map, most_different_crops
from restoration.study.report.judged import ledger_of
from restoration.study.report.page import write_report

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
