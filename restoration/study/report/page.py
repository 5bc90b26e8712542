"""A report as one HTML file. A browser loads no other file and sends no request."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from restoration.files import write_text
from restoration.study.report.blocks import Section, as_json, markup, paragraphs
from restoration.study.report.crops import colour_table


def write_page(path: Path, title: str, introduction: Sequence[str], sections: Sequence[Section]) -> None:
    """Writes the page; the same content gives the same bytes."""
    style, script = _source("page.css"), _source("viewer.js")
    page = Template(_source("page.html")).substitute(
        title=escape(title),
        # With this policy, a browser loads no other file and runs only this script.
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        introduction=paragraphs(introduction, kind="note"),
        contents="".join(
            f'<li><a href="#section-{number}">{escape(section.title)}</a></li>'
            for number, section in enumerate(sections, 1)
        ),
        sections="".join(_section(number, section) for number, section in enumerate(sections, 1)),
        colours=as_json(colour_table().tolist()),
    )
    write_text(path, page)


def _section(number: int, section: Section) -> str:
    """A section as HTML. The link target of a folded section is inside, so that a link unfolds the section."""
    blocks = "".join(map(markup, section.blocks))
    texts = paragraphs(section.paragraphs, kind="warning" if section.warned else "")
    title, name = f"<h2>{escape(section.title)}</h2>", f'id="section-{number}"'
    if section.folded:
        return f"<details class=section><summary>{title}</summary><div {name}>{texts}{blocks}</div></details>\n"
    return f"<section {name}>{title}{texts}{blocks}</section>\n"


def _source(name: str) -> str:
    return files("restoration.study.report").joinpath(name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    """The name of an inline source in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
