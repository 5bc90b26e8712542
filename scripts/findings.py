"""All that a study found, as texts and as sections of a page, from records alone: no weights, photographs or events.

Of one data set and main variant, a folder gets: every variant's tables as <data>/<variant>/<task>-<test set>.md, .csv
and .tex; headline.md, the main ones in few rows; verdicts.md, claims.md and, part by part, claims.csv; alpha, artefacts
and switching, each as .md and .tex, and curves of alpha and switching as .svg; raw.md; training.md; differences.md and
.csv; ranks.md and published.md. The same records give the same bytes.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from restoration.files import write_text
from restoration.study import report
from restoration.study.comparisons import compare_all
from restoration.study.figures import save_curves
from restoration.study.study import Study
from restoration.study.tables import write_tables
from scripts import sections

SOMETIMES = [  # texts that only some studies have
    *(f"{name}.{kind}" for name in ("alpha", "artefacts", "switching") for kind in ("md", "tex", "svg")),
    "raw.md",
    "published.md",
]


class Findings(NamedTuple):
    """What a page says, the parts of the paper's experiment that are missing in it, and how all was made."""

    sections: list[report.Section]
    not_trained: list[str]
    provenance: list[str]


def findings(study: Study, folder: Path, *, published: pd.DataFrame | None = None) -> Findings:
    """Writes all texts into `folder`.

    Args:
        published: what the paper states, from `restoration.study.published`.
    """
    tables = sections.tables_of(study)
    variants = [study.variant_of(name) for name in ("", "third") if study.part(name)]
    differences = {variant: compare_all(study.scores, variant) for variant in variants}
    found = [
        sections.main_tables(study, tables[""], differences[study.variant], published),
        sections.claims(study, tables),
        sections.alpha(study, tables),
        sections.switching(study, tables),
        sections.sigma(tables),
        sections.artefacts(study, tables),
        sections.raw(study),
        sections.seeds(tables),
        sections.aside(tables),
        sections.statistics(study, differences, tables),
        sections.training(study),
    ]
    for name in SOMETIMES:  # an earlier study's, in the same folder
        (folder / name).unlink(missing_ok=True)
    present = [each for each in found if each is not None]
    write_tables([table for its_tables in tables.values() for table in its_tables], folder)
    for each in present:
        for name, text in each.texts.items():
            write_text(folder / name, text)
        for name, diagrams in each.diagrams.items():
            save_curves(diagrams, folder / name)
    lines = dict.fromkeys(line for table in tables[""] for line in table.header)
    return Findings([each.section for each in present], study.not_trained(), list(lines))
