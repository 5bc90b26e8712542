"""The sections of a report, made from the tables of a study, without PyTorch, weights or event files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import pandas as pd

from restoration import names
from restoration.files import write_text
from restoration.study import agreement, alpha, answer, figures, tables
from restoration.study.changes import changes_table
from restoration.study.records import Study
from restoration.study.rendering import Table, latex, markdown
from restoration.study.report.blocks import Block, Figure, Fold, Section
from restoration.study.report.charts import difference_figure, switching_figure, training_figure
from restoration.study.report.photographs import Picture, Viewer, flat_crops, strips
from restoration.study.report.searched import searched
from restoration.study.rows import caution, photograph_sets
from restoration.study.statistics import Comparisons
from restoration.study.survival import survival_table

IN_SHORT = ("1", "2", "3", "4a", "7", "9")  # claims of the README
FILES = (  # files of sections that some studies lack
    "answer.md",
    "alpha.md",
    "alpha.svg",
    "artefacts.md",
    "changes.md",
    "differences-ms_ssim.svg",
    "differences-psnr.svg",
    "published.md",
    "rates.md",
    "rates.svg",
    "switching.svg",
    "training.svg",
    "trainings.md",
)
SURE = "intervals: 95 %, over photographs and trainings"


def sections(study: Study, published: pd.DataFrame | None = None, *, before: Study | None = None) -> Iterator[Section]:
    """The sections for which the study has scores or curves, in the order of the page; the first is the answer.

    Args:
        published: the figures of the paper; see `tables.published_tables`.
        before: an earlier study, whose verdicts are compared with those of `study`.
    """
    comparisons, made = Comparisons(study), []
    makers = (
        answered,
        claimed,
        lambda each: since(before, each),
        lambda each: scored(each, published),
        changed,
        alphas,
        artefacts,
        curves,
        searched,
    )
    for make in makers:
        if section := make(comparisons):
            made.append(section)
            yield section
    every = [block for section in made for block in unfolded(section.blocks) if isinstance(block, Table)]
    origin = provenance(study)
    yield replace(origin, files={"tables.tex": "\n".join(map(latex, every))})


def unfolded(blocks: Iterable[Block]) -> Iterator[Block]:
    """All blocks, also those inside folds."""
    for block in blocks:
        if isinstance(block, Fold):
            yield from unfolded(block.blocks)
        else:
            yield block


def write_texts(folder: Path, sections: Iterable[Section]) -> None:
    """Writes the files of each section into `folder`, and removes files that only an earlier study had."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for section in sections:
        for name, text in section.files.items():
            write_text(folder / name, text)


def introduction(study: Study) -> list[str]:
    """The subject of the page, in one sentence."""
    runs = study.runs[study.runs["part"] == "main"]
    sets = " and ".join(tables.set_title(study, name) for name in photograph_sets(study))
    losses, tasks = (_counted(runs[name].nunique(), name) for name in ("loss", "task"))
    return [
        f"The same network, trained with each of {losses} for each of {tasks}; only the loss differs. "
        f"{_numbers(runs['patches'])} patches a network, from {_numbers(runs['photographs'])} photographs, "
        f"{_counted(runs['seed'].nunique(), 'training')} a loss; tested on {sets}; {SURE}."
    ]


def provenance(study: Study) -> Section:
    """Data, budgets, protocol, hardware and commits, and the parts that were not trained."""
    runs = study.runs[study.runs["part"] != names.RATES]
    listed = {name: ", ".join(map(str, sorted(runs[name].unique()))) for name in ("precision", "hardware", "commit")}
    hashes = ", ".join(sorted(hash_[:12] for hash_ in runs["photographs_hash"].unique()))
    lines = [
        f"Trained on the data set '{study.data}': {_numbers(runs['photographs'])} photographs (hash {hashes}).",
        f"{_numbers(runs['patches'])} patches a network, batch {_numbers(runs['batch'])}, {listed['precision']}.",
        *(f"Scores: {protocol}; {names.METRICS_NOTE}." for protocol in runs["protocol"].unique()),
        f"Hardware: {listed['hardware']}. Commits: {listed['commit']}.",
        *study.notes,
    ]
    known = {*study.parts, *study.runs["part"], *names.FORMER_PARTS}
    if missing := [title for part, title in names.PARTS.items() if part not in known]:
        command = f"make study EXPERIMENT=paper BUDGET={study.variant}"
        lines.append(f"Not trained: {', '.join(missing)}. {command}, on the same data, trains them.")
    return Section("How this was made", lines, folded=True)


def _numbers(values: pd.Series) -> str:
    return " or ".join(f"{value:,}" for value in sorted(values.unique()))


def _counted(count: int, noun: str) -> str:
    plural = noun if count == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {plural}"


def answered(comparisons: Comparisons) -> Section | None:
    """Which loss to choose: sentences, a table, and all differences to L1; None without several losses."""
    headline = answer.headline(comparisons)
    if not headline:
        return None
    words, table = answer.sentences(comparisons), answer.answer_table(comparisons)
    short = markdown(replace(table, notes=())).partition("\n\n")[2]
    details = ". ".join([*table.notes, SURE, *tables.provenance(comparisons.study, "main")])
    text = f"**{headline}.** {' '.join(words)}\n\n{short}"
    text += f"\n<details><summary>How this was measured</summary>{escape(details, quote=False)}.</details>\n"
    files, drawn = {"answer.md": text}, []
    for metric in names.DECIDING:
        if svg := difference_figure(comparisons, metric):
            title = f"{names.metric(metric).label} beside L1"
            description = f"Differences in {title}, a panel for each task and test set, a line for each loss"
            note = "line: 95 % interval; grey: differences that count as equal"
            drawn.append(Figure(title, svg, description, [note]))
            files[f"differences-{metric}.svg"] = svg
    blocks = [table, *drawn[:1], Fold("The same by MS-SSIM, and what the words mean", [*drawn[1:], answer.WORDS])]
    return Section(headline, [" ".join(words)], blocks, files, warned=bool(caution(comparisons)))


def claimed(comparisons: Comparisons) -> Section:
    """Verdicts on all claims, the same by the part with several seeds, and the evidence."""
    study = comparisons.study
    judged = agreement.judge(comparisons)
    verdicts = [agreement.verdict_table(comparisons, judged, "Claims of the paper, and what was measured here")]
    few = [each for each in judged if each.claim.number in IN_SHORT]
    short = agreement.verdict_table(comparisons, few, "Claims of the paper, and what was measured here", legend=False)
    if "seeds" in study.parts:
        again = agreement.judge(comparisons, main="seeds")
        title = f"The same claims: {names.part_title('seeds').lower()}"
        verdicts.append(agreement.verdict_table(comparisons, again, title, legend=False))
        judged += again
    evidence = [table for each in judged if (table := agreement.details(comparisons, each))]
    files = {"agreement.md": markdown(short).partition("\n\n")[2], "claims.md": joined([*verdicts, *evidence])}
    return Section(
        "Does it agree with the paper?",
        blocks=[*verdicts, Fold("Every comparison", evidence)],
        files=files,
        folded=True,
    )


def since(before: Study | None, comparisons: Comparisons) -> Section | None:
    """What changed since an earlier study; None without one."""
    if before is None:
        return None
    table = changes_table(Comparisons(before), comparisons)
    return Section(
        "What changed since the earlier study?", blocks=[table], files={"changes.md": markdown(table)}, folded=True
    )


def scored(comparisons: Comparisons, published: pd.DataFrame | None) -> Section:
    """The tables of the main part with differences to L2; the files hold the tables of all parts."""
    study = comparisons.study
    places = [("main", task, test) for task in study.tasks for test in study.test_sets]
    first = [table for place in places if (table := tables.main_table(comparisons, *place, against="l2"))]
    others = [table for place in places for table in tables.other_tables(comparisons, *place)]
    parts = [table for part in study.parts if part != "main" for table in part_tables(comparisons, part)]
    origin = "".join(f"- {line}\n" for line in tables.provenance(study, "main"))
    files = {
        "tables.md": f"{joined([*first, *others, *parts])}\n**How the main part was made**\n\n{origin}",
        "summary.csv": tables.summary(comparisons).to_csv(index=False, lineterminator="\n", float_format="%.5g"),
    }
    blocks: list[Block] = [*first, Fold("Other metrics, and all baselines", others)]
    if published is not None:
        beside = tables.published_tables(comparisons, published)
        blocks.append(Fold("Beside the figures of the paper: recalled, unverified", beside))
        files["published.md"] = joined(beside)
    return Section("Scores", blocks=blocks, files=files, folded=True)


def part_tables(comparisons: Comparisons, part: str) -> list[Table]:
    """A table for each task and test set of a part."""
    study = comparisons.study
    places = [(part, task, test) for task in study.tasks for test in study.test_sets]
    return [table for place in places if (table := tables.main_table(comparisons, *place))]


def changed(comparisons: Comparisons) -> Section | None:
    """Other trainings: how many orders of two losses stay, and the scores of each part."""
    parts = [part for part in comparisons.study.parts if part not in ("main", "switching", "alpha")]
    survival = survival_table(comparisons)
    folds = [Fold(names.part_title(part), part_tables(comparisons, part)) for part in parts]
    blocks = [*([survival] if survival else []), *folds]
    files = {"trainings.md": markdown(survival)} if survival else {}
    title = "Does the order survive other trainings?"
    return Section(title, blocks=blocks, files=files, folded=True) if blocks else None


def alphas(comparisons: Comparisons) -> Section | None:
    """Which reading of α is right, and how flat the optimum is."""
    sweeps = alpha.sweeps(comparisons)
    if not sweeps:
        return None
    warning = caution(comparisons, "alpha" if "alpha" in comparisons.study.parts else "main")
    answer, readings = warning or alpha.answer(sweeps), alpha.readings_table(comparisons, sweeps)
    every = [alpha.sweep_table(comparisons, sweep) for sweep in sweeps]
    svg = figures.alpha(
        alpha.behind_best(comparisons, sweeps), {name: alpha.unit_alpha(*key) for key, name in alpha.SHORT.items()}
    )
    drawn = Figure("PSNR and α", svg, "PSNR behind the best, and L1's share of the gradient, against α")
    files = {"alpha.md": f"{answer}\n\n{joined([readings, *every])}", "alpha.svg": svg}
    blocks = [readings, drawn, Fold("All settings of α", every)]
    return Section("Which α for Mix?", [answer], blocks, files, folded=True)


def artefacts(comparisons: Comparisons) -> Section | None:
    """The artefacts of the main losses, and of SSIM by its σ."""
    study = comparisons.study
    places = [(part, task, test) for part in ("main", "sigma") for task in study.tasks for test in study.test_sets]
    made = [table for place in places if (table := tables.artefact_table(comparisons, *place))]
    return Section("Artefacts", blocks=made, files={"artefacts.md": joined(made)}, folded=True) if made else None


def curves(comparisons: Comparisons) -> Section | None:
    """Validation curves of the main part, and test errors of trainings that switch losses."""
    study, blocks, files = comparisons.study, [], {}
    if svg := training_figure(study):
        blocks.append(Figure("Validation photographs", svg, "PSNR and MS-SSIM against patches seen, a line a loss"))
        files["training.svg"] = svg
    if svg := switching_figure(study):
        note = "does training with L2 alone get stuck? Dotted: the losses switch"
        blocks.append(Figure("Switching between L1 and L2", svg, "Test errors against patches seen", [note]))
        files["switching.svg"] = svg
    return Section("Curves of the training", blocks=blocks, files=files, folded=True) if blocks else None


def joined(made: Iterable[Table]) -> str:
    return "\n".join(map(markdown, made))


def with_strip(section: Section, pictures: Sequence[Picture], losses: Sequence[str]) -> Section:
    """The answer with a flat area of its first task below the table, if all losses are in the pictures."""
    of_task = [picture for picture in pictures if picture.task == pictures[0].task]
    if not of_task or not {*losses} <= of_task[0].versions.keys():
        return section
    first, *others = section.blocks
    return replace(section, blocks=[first, flat_crops(of_task, losses), *others])


def photographs(pictures: Sequence[Picture], remark: str) -> Section:
    """The viewer and strips of crops, with a remark; without pictures, the remark says why."""
    if not pictures:
        return Section("Photographs", [remark])
    crops = Fold("Where the losses differ most", list(strips(pictures, viewed=True)))
    return Section("Photographs", [remark] if remark else [], [Viewer("Flip between losses", pictures), crops])
