"""The sections of a report, each with the texts that are written beside the page."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from restoration.scoring.metrics import METRICS, QUICK
from restoration.study import alpha as mixtures
from restoration.study import report
from restoration.study.artefact_tables import artefact_table
from restoration.study.claims import build_ledger, build_raw_ledger
from restoration.study.comparisons import comparison_frame, comparison_tables, mean_ranks, rank_tables
from restoration.study.curves import as_table, diagram, with_close_ups
from restoration.study.ledger import verdicts
from restoration.study.published import beside_published
from restoration.study.rendering import Table, latex, markdown
from restoration.study.runs import Run, of_first_seed, task_order
from restoration.study.scalars import SHARE, curve, read_scalars
from restoration.study.statistics import Condition, Difference
from restoration.study.study import Study
from restoration.study.tables import ResultTable, build_tables, headline, table_of
from scripts.trained import config_of, task_of

SIGMA = "SSIM and its σ"  # of which the report shows crops, too
ASIDE = {
    "adamw": "Another optimiser: AdamW",
    "dense": "Losses on every pixel of a patch",
    "residual": "A network that predicts the residual",
}
Tables = Mapping[str, Sequence[ResultTable]]  # by the part of the experiment


class Found(NamedTuple):
    """A section of the page, and texts and diagrams by the names of their files."""

    section: report.Section
    texts: dict[str, str]
    diagrams: Mapping[str, Sequence[report.Curves]] = MappingProxyType({})


def tables_of(study: Study) -> dict[str, list[ResultTable]]:
    """The tables of every part, the main one under the empty name."""
    names = ["", *study.others()]
    return {name: build_tables(study.part(name), input_titles=input_titles(study)) for name in names}


def main_tables(
    study: Study, tables: Sequence[ResultTable], differences: Sequence[Difference], published: pd.DataFrame | None
) -> Found:
    """The paper's tables; below each value its difference to L2; and beside what the paper states."""
    against = [each for each in differences if each.second == "l2"]
    blocks: list[report.Block] = [
        table_of(table, [each for each in against if (each.at.task, each.at.test_set) == (table.task, table.test_set)])
        for table in tables
    ]
    texts = {"headline.md": "\n".join(map(markdown, headline(tables)))}
    if published is not None:
        beside = beside_published(study.records[study.records["variant"] == study.variant], published)
        blocks.append(report.Fold("Beside the paper's own figures: recalled, unverified", beside))
        texts["published.md"] = "\n".join(map(markdown, beside))
    return Found(report.Section("Tables", blocks=blocks), texts)


def claims(study: Study, tables: Tables) -> Found:
    """The ledgers of each test set and of raw photographs; where there are several seeds, of their shorter training."""
    records = study.records
    judged = {
        (variant, test): build_ledger(
            records[records["test_set"] == test],
            data=study.data,
            variant=variant,
            test_set=test,
            study=study.variant,
        )
        for variant in dict.fromkeys(study.variant_of(name) for name in ("", "third") if study.part(name))
        for test in _tests(study)
    }
    raw = build_raw_ledger(study.raw.claimed() if study.raw else records[:0])
    ledgers = {f"{test}, {variant}": ledger for (variant, test), ledger in judged.items()} | {"raw photographs": raw}
    parts = [ledger.parts.assign(ledger=name) for name, ledger in ledgers.items()]
    overview = verdicts(ledgers)
    texts = {
        "verdicts.md": markdown(overview),
        "claims.md": "\n".join(ledger.markdown() for ledger in ledgers.values()) + _made_with(tables, *tables),
        "claims.csv": pd.concat(parts).to_csv(index=False, lineterminator="\n", float_format="%.6g"),
    }
    main = [report.ledger_of(ledger) for (variant, _), ledger in judged.items() if variant == study.variant]
    others = [report.ledger_of(ledger) for (variant, _), ledger in judged.items() if variant != study.variant]
    folds = [report.Fold("The same of the shorter training with several seeds", others)] if others else []
    return Found(
        report.Section("What the paper claims", blocks=[overview, *main, report.ledger_of(raw), *folds]), texts
    )


def alpha(study: Study, made: Tables) -> Found | None:
    """Which reading of α is right, and how flat the optimum is."""
    studies = []
    for task, runs in _by_task(study.part("alpha")).items():
        for test in _tests(study):
            at = Condition(study.data, study.variant_of("alpha"), task, test, "psnr")
            settings = [it for it in _settings(runs) if study.scores.has(at, it.loss)]
            if sum(0 < it.unit_alpha < 1 for it in settings) > 1:
                studies.append(mixtures.AlphaStudy(study.scores, at, settings))
    if not studies:
        return None
    answer = mixtures.alpha_answer(studies)
    overview, tables = mixtures.alpha_overview(studies), [mixtures.alpha_table(each) for each in studies]
    curves = [
        diagram
        for task in dict.fromkeys(each.at.task for each in studies)
        for diagram in mixtures.alpha_curves([each for each in studies if each.at.task == task])
    ]
    section = report.Section("The α of Mix", [answer], [overview, *curves, report.Fold("All settings of α", tables)])
    return Found(
        section,
        _texts("alpha", [overview, *tables], before=f"{answer}\n", after=_made_with(made, "alpha")),
        {"alpha.svg": curves},
    )


def switching(study: Study, made: Tables) -> Found | None:
    """The error of the test photographs against patches seen, where losses give way to each other."""
    drawn: dict[str, list[report.Curves]] = {"l2": [], "l1": []}
    for task, runs in _by_task(study.part("switching")).items():
        scalars, marks = {run.loss: read_scalars(run) for run in runs}, _switches(runs)
        tags = dict.fromkeys(tag for frame in scalars.values() for tag in frame["tag"])
        for tag in tags:
            group, _, metric = tag.rpartition("/")
            if group.startswith("test/") and metric in drawn:
                title = f"{task} on {group.removeprefix('test/')}: {METRICS[metric].title}"
                drawn[metric].append(diagram(title, scalars, tag, marks=marks))
    tables = [as_table(each, METRICS[metric].digits) for metric, curves in drawn.items() for each in curves]
    if not tables:
        return None
    words = [
        "L2 and L1 throughout, and each for one half of the training: does L2 get stuck, as the paper says? "
        "Errors are those of the test photographs."
    ]
    shown = {metric: [each for whole in curves for each in with_close_ups(whole)] for metric, curves in drawn.items()}
    blocks = [*shown["l2"], report.Fold("The same by L1", shown["l1"])]
    section = report.Section("Switching losses", words, blocks)
    return Found(
        section, _texts("switching", tables, after=_made_with(made, "switching")), {"switching.svg": shown["l2"]}
    )


def sigma(tables: Tables) -> Found | None:
    """SSIM by its σ."""
    if "sigma" not in tables:
        return None
    return Found(report.Section(SIGMA, blocks=[table_of(table) for table in tables["sigma"]]), {})


def artefacts(study: Study, made: Tables) -> Found | None:
    """The measures of artefacts, of the main runs and by σ."""
    tables = []
    for variant in (study.variant, study.variant_of("sigma")):
        its = {(at.task, at.test_set) for at in study.scores.conditions() if at.variant == variant}
        for task, test in sorted(its, key=lambda it: (task_order(it[0]), it[1])):
            at = Condition(study.data, variant, task, test, "psnr")
            if table := artefact_table(study.scores, at, input_title=input_titles(study)[task]):
                tables.append((variant, table))
    if not tables:
        return None
    main = [table for variant, table in tables if variant == study.variant]
    others = [table for variant, table in tables if variant != study.variant]
    blocks = [*main, *([report.Fold("The same by SSIM's σ", others)] if others else [])]
    return Found(
        report.Section("Artefacts", blocks=blocks),
        _texts("artefacts", [*main, *others], after=_made_with(made, "", "sigma")),
    )


def seeds(tables: Tables) -> Found | None:
    """A shorter training, several seeds."""
    if "third" not in tables:
        return None
    fold = report.Fold("All tables of these", [table_of(table) for table in tables["third"]])
    words = ["A shorter training, of each loss several: mean ± standard deviation over seeds."]
    return Found(report.Section("Several seeds", words, [fold]), {})


def aside(tables: Tables) -> Found | None:
    """What the paper does not say."""
    folds = [
        report.Fold(title, [table_of(table) for table in tables[name]])
        for name, title in ASIDE.items()
        if name in tables
    ]
    words = ["A shorter training. The ledger's questions compare these with the same losses of as long a training."]
    return Found(report.Section("What the paper does not say", words, folds), {}) if folds else None


def statistics(study: Study, differences: Mapping[str, Sequence[Difference]], made: Tables) -> Found:
    """Every loss against L2 and Mix, and ranks, by variant."""
    compared = {variant: comparison_tables(found) for variant, found in differences.items()}
    ranked = {variant: rank_tables(mean_ranks(study.scores, variant)) for variant in differences}
    folds = [
        report.Fold(f"{title}, {variant}", tables[variant])
        for variant in differences
        for title, tables in (("Differences", compared), ("Ranks", ranked))
    ]
    words = [
        "Every loss against L2 and against Mix, photograph by photograph; and which rank it has on average. More "
        "comparisons are corrected together here than for the claims: a difference may be sure there and not here."
    ]
    texts = {
        name: f"{words[0]}\n\n"
        + "\n".join(markdown(table) for its in tables.values() for table in its)
        + _made_with(made, "", "third")
        for name, tables in (("differences.md", compared), ("ranks.md", ranked))
    }
    frame = comparison_frame(each for found in differences.values() for each in found)
    texts["differences.csv"] = frame.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    return Found(report.Section("Statistics", words, folds), texts)


def raw(study: Study) -> Found | None:
    """The demosaicking networks beside BM3D on real raw files."""
    if study.raw is None:
        return None
    tables = study.raw.tables()
    text = "\n".join(markdown(table_of(table)) for table in tables)
    return Found(report.Section("Real raw photographs", blocks=[table_of(table) for table in tables]), {"raw.md": text})


def training(study: Study) -> Found:
    """Every quick metric of the validation photographs against patches seen, of each task's first seed."""
    folds, tables = [], []
    for task, runs in _by_task(study.part()).items():
        scalars = {run.loss: read_scalars(run) for run in runs}
        curves = [diagram(f"{task}: validation", scalars, f"val/{metric}") for metric in QUICK]
        drawn = [each for each in curves if each.series]
        folds.append(report.Fold(f"{task}: validation photographs", drawn))
        tables += [as_table(each, METRICS[metric].digits) for each, metric in zip(curves, QUICK, strict=True)]
    text = "\n".join(markdown(table) for table in tables if table.rows)
    return Found(report.Section("Training", blocks=[fold for fold in folds if fold.blocks]), {"training.md": text})


def input_titles(study: Study) -> dict[str, str]:
    """What the degraded input is called, by task."""
    first = {run.task: run for run in study.runs}
    return {task: task_of(run).input_name for task, run in first.items()}


def _settings(runs: Sequence[Run]) -> Iterator[mixtures.Setting]:
    """What α and which unit of L1 were trained, from the configurations of the runs."""
    for run in runs:
        loss = config_of(run).loss
        if loss._target_ == "restoration.losses.MixLoss" and not loss.get("dense", False):
            _, shares = curve(read_scalars(run), f"{SHARE}l1")
            share = sum(shares) / len(shares) if shares else float("nan")
            yield mixtures.Setting(run.loss, float(loss.alpha), float(loss.l1_scale), share)


def _switches(runs: Sequence[Run]) -> list[tuple[float, str]]:
    """After how many patches losses give way to each other."""
    places = {config.loss.at * config.budget.patches: None for config in map(config_of, runs) if "at" in config.loss}
    return [(place, "switch") for place in places]


def _made_with(tables: Tables, *parts: str) -> str:
    """Data, budget, seeds, protocol and hardware of parts of the experiment, as the end of a text."""
    lines = dict.fromkeys(line for part in parts for table in tables.get(part, ()) for line in table.header)
    return "\nMade with:\n\n" + "".join(f"- {line}\n" for line in lines)


def _texts(name: str, tables: Sequence[Table], *, before: str = "", after: str = "") -> dict[str, str]:
    parts = [*([before] if before else []), *map(markdown, tables)]
    return {f"{name}.md": "\n".join(parts) + after, f"{name}.tex": "\n".join(map(latex, tables))}


def _by_task(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Those of the first seed."""
    tasks: dict[str, list[Run]] = {}
    for run in of_first_seed(runs):
        tasks.setdefault(run.task, []).append(run)
    return tasks


def _tests(study: Study) -> list[str]:
    return sorted(study.records["test_set"].unique())
