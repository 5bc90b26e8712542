"""One HTML page of a study: tables, verdicts, figures, and photographs to look into."""

from restoration.study.report.blocks import Block, Figure, Fold, Section
from restoration.study.report.page import write_page
from restoration.study.report.photographs import Picture, Strip, Viewer
from restoration.study.report.sections import introduction, photographs, provenance, sections, with_crops, write_texts

__all__ = [
    "Block",
    "Figure",
    "Fold",
    "Picture",
    "Section",
    "Strip",
    "Viewer",
    "introduction",
    "photographs",
    "provenance",
    "sections",
    "with_crops",
    "write_page",
    "write_texts",
]
