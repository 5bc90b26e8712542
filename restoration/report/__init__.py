"""One HTML page with everything that was found: tables, ledger, curves, and photographs to look into."""

from restoration.report.contents import (
    Cell,
    Claim,
    Curves,
    Fold,
    Ledger,
    Picture,
    Report,
    Section,
    Series,
    Strip,
    Table,
    Verdict,
    Viewer,
)
from restoration.report.crops import difference_map, most_different_crops, save_strip
from restoration.report.page import write_report
from restoration.report.plain import latex, markdown
from restoration.report.results import table_of

__all__ = [
    "Cell",
    "Claim",
    "Curves",
    "Fold",
    "Ledger",
    "Picture",
    "Report",
    "Section",
    "Series",
    "Strip",
    "Table",
    "Verdict",
    "Viewer",
    "difference_map",
    "latex",
    "markdown",
    "most_different_crops",
    "save_strip",
    "table_of",
    "write_report",
]
