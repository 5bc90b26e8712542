"""One HTML page with everything that was found: tables, ledger, curves, and photographs to look into."""

from restoration.report.contents import (
    Block,
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
from restoration.report.crops import difference_map, most_different_crops
from restoration.report.page import write_report
from restoration.report.plain import latex, markdown
from restoration.report.results import difference_tables, ledger_of, rank_tables, table_of

__all__ = [
    "Block",
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
    "difference_tables",
    "latex",
    "ledger_of",
    "markdown",
    "most_different_crops",
    "rank_tables",
    "table_of",
    "write_report",
]
