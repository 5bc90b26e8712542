"""One HTML page of a study: tables, verdicts, figures, and photographs."""

from restoration.study.report.blocks import Block, Figure, Fold, Section
from restoration.study.report.page import write_page
from restoration.study.report.photographs import Crops, Picture, Strip, Viewer
from restoration.study.report.sections import introduction, photographs, provenance, sections, with_strip, write_texts

__all__ = [
    "Block",
    "Crops",
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
    "with_strip",
    "write_page",
    "write_texts",
]
