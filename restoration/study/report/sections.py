"""The sections of a report, made from the tables of a study, without PyTorch, weights or event files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from restoration import names
from restoration.files import write_text
from restoration.study import alpha, answer, claims, figures, tables
from restoration.study.records import Study
from restoration.study.rendering import Table, latex, markdown
from restoration.study.report.blocks import Block, Figure, Fold, Section
from restoration.study.report.charts import difference_figure, switch_place, switching_figure, training_figure
from restoration.study.report.photographs import Picture, Viewer, strips
from restoration.study.statistics import Comparisons
from restoration.study.survival import survival_table

IN_SHORT = ("1", "2", "3", "4a", "7", "9")  # claims of the README
FILES = (  # files of sections that some studies lack
    "answer.md",
    "alpha.md",
    "alpha.svg",
    "artefacts.md",
    "differences-ms_ssim.svg",
    "differences-psnr.svg",
    "published.md",
    "switching.svg",
    "training.svg",
)


def sections(study: Study, published: pd.DataFrame | None = None) -> Iterator[Section]:
    """The sections for which the study has scores or curves, in the order of the page.

    Args:
        published: the figures of the paper; see `tables.published_tables`.
    """
    comparisons = Comparisons(study)
    if section := answered(comparisons):
        yield section
    yield claimed(comparisons)
    yield main_tables(comparisons, published)
    if sweeps := alpha.sweeps(comparisons):
        yield alphas(comparisons, sweeps)
    if section := artefacts(comparisons):
        yield section
    for part in study.parts:
        if part not in ("main", "switching", "alpha"):
            yield Section(names.part_title(part), blocks=[Fold("Tables", part_tables(comparisons, part))])
    if section := switching(study):
        yield section
    if section := training(study):
        yield section


def write_texts(folder: Path, sections: Iterable[Section]) -> None:
    """Writes the files of each section into `folder`; files of an earlier study that are no longer made are removed."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for section in sections:
        for name, text in section.files.items():
            write_text(folder / name, text)


def introduction(study: Study) -> list[str]:
    """The subject of the page, and the parts of the study that are missing."""
    lines = ["One network, trained with each loss, for each task. Only the loss differs."]
    missing = [title for part, title in names.PARTS.items() if part not in study.parts]
    if missing:
        command = f"make study EXPERIMENT=paper BUDGET={study.variant}"
        lines.append(f"Not trained: {', '.join(missing)}. {command}, on the same data, trains them.")
    return lines


def provenance(study: Study) -> Section:
    """Data, budgets, protocol, hardware and commits."""
    runs = study.runs
    listed = {name: ", ".join(map(str, sorted(runs[name].unique()))) for name in ("precision", "hardware", "commit")}
    budgets = ", ".join(f"{count:,}" for count in sorted(runs["patches"].unique()))
    hashes = ", ".join(sorted(hash_[:12] for hash_ in runs["photographs_hash"].unique()))
    lines = [
        f"Data: {study.data}, {_range(runs['photographs'])} training photographs (hash {hashes}).",
        f"Budgets: {budgets} patches, batch {_range(runs['batch'])}, {listed['precision']}.",
        *(f"Protocol: {protocol}." for protocol in runs["protocol"].unique()),
        f"Hardware: {listed['hardware']}. Commits: {listed['commit']}.",
        *study.notes,
    ]
    return Section("How this was made", lines)


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return str(low) if low == high else f"{low} to {high}"


def switching(study: Study) -> Section | None:
    """Errors on the test photographs when the training switches from one loss to another."""
    svg = switching_figure(study)
    if svg is None:
        return None
    place = switch_place(study)
    words = (
        "Trainings with L2 alone, with L1 alone, and with a switch between both: does L2 get stuck, as the paper says?"
    )
    notes = [] if place is None else [f"the losses switch after {place:,.0f} patches"]
    figure = Figure("Errors of the test photographs", svg, "Curves of L2 and L1 against patches seen", notes)
    return Section(names.part_title("switching"), [words], [figure], {"switching.svg": svg})


def training(study: Study) -> Section | None:
    """The metrics of the validation photographs against patches seen."""
    svg = training_figure(study)
    if svg is None:
        return None
    figure = Figure("Validation photographs", svg, "Curves of each metric against patches seen, a line for each loss")
    return Section("Training", blocks=[figure], files={"training.svg": svg})


def answered(comparisons: Comparisons) -> Section | None:
    """Which loss to choose: sentences, a table, and all differences to L1; None without several losses."""
    words = answer.sentences(comparisons)
    if not words:
        return None
    table = answer.answer_table(comparisons)
    files = {"answer.md": "".join(f"- {line}\n" for line in words) + f"\n{markdown(table)}"}
    blocks: list[Block] = [table]
    for metric in names.DECIDING:
        if svg := difference_figure(comparisons, metric):
            title = f"Differences in {names.metric(metric).title}"
            description = f"{title} to L1 with 95 % intervals, a line for each loss"
            blocks.append(Figure(title, svg, description, ["intervals: 95 %; grey: differences that count as equal"]))
            files[f"differences-{metric}.svg"] = svg
    return Section("Which loss?", words, blocks, files)


def claimed(comparisons: Comparisons) -> Section:
    """Verdicts on all claims, the same by the part with several seeds, the orders that stay, and the evidence."""
    study = comparisons.study
    judged = claims.judge(comparisons)
    verdicts = [claims.verdict_table(comparisons, judged, "What the paper claims, and what was measured")]
    few = [each for each in judged if each.claim.number in IN_SHORT]
    short = claims.verdict_table(
        comparisons, few, "Claims of the paper, and the verdicts of their comparisons", legend=False
    )
    if "seeds" in study.parts:
        again = claims.judge(comparisons, main="seeds")
        title = f"The same claims: {names.part_title('seeds').lower()}"
        verdicts.append(claims.verdict_table(comparisons, again, title, legend=False))
        judged += again
    if survival := survival_table(comparisons):
        verdicts.append(survival)
    evidence = [table for each in judged if (table := claims.details(comparisons, each))]
    files = {
        "agreement.md": markdown(short),
        "verdicts.md": joined(verdicts),
        "claims.md": joined([*verdicts, *evidence]),
    }
    return Section("Claims", blocks=[*verdicts, Fold("Every comparison", evidence)], files=files)


def main_tables(comparisons: Comparisons, published: pd.DataFrame | None) -> Section:
    """The tables of the main part, with differences to L2; files of all parts."""
    short = tables.headline(comparisons)
    every = [table for part in comparisons.study.parts for table in part_tables(comparisons, part)]
    summary = tables.summary(comparisons)
    files = {
        "headline.md": joined(short),
        "tables.md": joined(every),
        "tables.tex": "\n".join(map(latex, [*short, *every])),
        "summary.csv": summary.to_csv(index=False, lineterminator="\n", float_format="%.5g"),
    }
    blocks: list[Block] = [*part_tables(comparisons, "main", against="l2")]
    if published is not None:
        beside = tables.published_tables(comparisons, published)
        blocks.append(Fold("Beside the figures of the paper: recalled, unverified", beside))
        files["published.md"] = joined(beside)
    return Section("Tables", blocks=blocks, files=files)


def part_tables(comparisons: Comparisons, part: str, *, against: str | None = None) -> list[Table]:
    """A table for each task and test set of a part."""
    study = comparisons.study
    places = [(part, task, test) for task in study.tasks for test in study.test_sets]
    return [table for place in places if (table := tables.main_table(comparisons, *place, against=against))]


def alphas(comparisons: Comparisons, sweeps: Sequence[alpha.Sweep]) -> Section:
    """Which reading of α is right, and how flat the optimum is."""
    answer, readings = alpha.answer(sweeps), alpha.readings_table(comparisons, sweeps)
    every = [alpha.sweep_table(comparisons, sweep) for sweep in sweeps]
    svg = figures.alpha(
        alpha.behind_best(comparisons, sweeps), {name: alpha.unit_alpha(*key) for key, name in alpha.SHORT.items()}
    )
    drawn = Figure("PSNR and α", svg, "PSNR behind the best, and L1's share of the gradient, against α")
    files = {"alpha.md": f"{answer}\n\n{joined([readings, *every])}", "alpha.svg": svg}
    return Section(names.part_title("alpha"), [answer], [readings, drawn, Fold("All settings of α", every)], files)


def artefacts(comparisons: Comparisons) -> Section | None:
    """The artefacts of the main losses, and of SSIM by its σ."""
    study = comparisons.study
    places = [(part, task, test) for part in ("main", "sigma") for task in study.tasks for test in study.test_sets]
    made = [table for place in places if (table := tables.artefact_table(comparisons, *place))]
    return Section("Artefacts", blocks=made, files={"artefacts.md": joined(made)}) if made else None


def joined(made: Iterable[Table]) -> str:
    return "\n".join(map(markdown, made))


def photographs(pictures: Sequence[Picture], why: str) -> Section:
    """The viewer and strips of crops, or `why` if there are no pictures."""
    if not pictures:
        return Section("Photographs", [why])
    return Section("Photographs", blocks=[Viewer("Flip between losses", pictures), *strips(pictures, viewed=True)])


def with_crops(section: Section, pictures: Sequence[Picture], why: str) -> Section:
    """The section with strips of crops below its blocks, or with `why` if there are no pictures."""
    if not pictures:
        return replace(section, paragraphs=[*section.paragraphs, f"No crops. {why}"])
    crops = list(strips(pictures, viewed=False))
    return replace(section, blocks=[*section.blocks, *([Fold("Crops", crops)] if crops else [])])
