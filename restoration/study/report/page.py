"""A report as one HTML file that needs no other, from disk or from anywhere."""

import base64
import hashlib
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from restoration.files import write_text
from restoration.study.report.blocks import as_json, data_uri, markup, notes, paragraphs
from restoration.study.report.contents import Report, Section
from restoration.study.report.crops import colour_table

SCRIPTS = ("picture.js", "viewer.js", "drawing.js", "curves.js", "page.js")


def write_report(path: Path, report: Report) -> None:
    """Writes the page; the same report gives the same bytes."""
    style = _source("page.css")
    script = "\n".join(_source(name) for name in SCRIPTS)
    page = Template(_source("page.html")).substitute(
        title=escape(report.title),
        # A browser that obeys this loads nothing, and runs nothing but the two inline sources.
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        introduction=paragraphs(report.introduction),
        contents="".join(
            f'<li><a href="#section-{number}">{escape(section.title)}</a></li>'
            for number, section in enumerate(report.sections, 1)
        ),
        sections="".join(_section(number, section) for number, section in enumerate(report.sections, 1)),
        provenance=notes(report.provenance),
        colours=as_json(colour_table().tolist()),
        scale=data_uri(colour_table()[None]),
    )
    write_text(path, page)


def _section(number: int, section: Section) -> str:
    blocks = "".join(f'<section class="block">{markup(block)}</section>' for block in section.blocks)
    return (
        f'<section id="section-{number}"><h2>{escape(section.title)}</h2>'
        f"{paragraphs(section.paragraphs)}{blocks}</section>\n"
    )


def _source(name: str) -> str:
    return files("restoration.study.report").joinpath(name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    """How a content security policy names an inline source."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
