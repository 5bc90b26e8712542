"""`restoration score`: compares restored photographs with the true ones."""

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from math import isfinite

from restoration.commands.terminal import exit_code, print_table, with_progress
from restoration.errors import UserError
from restoration.files import printable
from restoration.names import DECIDING, METRICS_NOTE, metric
from restoration.scoring.explain import LIBRARIES, NAMES, OUR_NAME, SHOWN, Step, differing, explain, mean_steps
from restoration.scoring.pairs import Pair, means, paired
from restoration.scoring.protocol import Protocol
from restoration.scoring.score import ALL_METRICS, score

IN_A_ROW = ("psnr", "ssim", "ms_ssim", "l1")  # metrics of each photograph of a folder


def run(arguments: argparse.Namespace) -> int:
    pairs, failures = paired(arguments.restored, arguments.truth)
    total = len(pairs) + len(failures)
    protocol = Protocol(border=arguments.border)
    scored: list[Pair] = []
    rows: list[dict[str, float]] = []
    steps: list[list[Step]] = []
    for pair in with_progress(pairs, "scoring"):
        try:
            restored, truth = pair.images()
            if arguments.explain:
                steps.append(explain(restored, truth))
            else:
                values = score(restored, truth, metrics=arguments.metrics or ALL_METRICS, protocol=protocol)
                rows.append({name: float(value) for name, value in values.items()})
            scored.append(pair)
        except UserError as error:
            failures.append(str(error))
        except (ValueError, MemoryError) as error:  # the image is too small for SSIM or for this border
            failures.append(f"{printable(pair.name)}: {error}")
    names = [printable(pair.name) for pair in scored]
    if arguments.explain and scored:
        _print_explanation(mean_steps(steps), len(scored), arguments)
    elif scored:
        _print_scores(names, rows, protocol, arguments)
    return exit_code(failures, total=total, action="scored")


def _print_scores(
    names: Sequence[str], rows: Sequence[Mapping[str, float]], protocol: Protocol, arguments: argparse.Namespace
) -> None:
    if arguments.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([["image", *rows[0]], *([name, *row.values()] for name, row in zip(names, rows, strict=True))])
        print(_declared(protocol), file=sys.stderr)
    elif arguments.json:
        images = [{"image": name, **_finite(row)} for name, row in zip(names, rows, strict=True)]
        averages = _finite({name: mean.value for name, mean in means(rows).items()})
        print(json.dumps({"protocol": _declared(protocol), "images": images, "means": averages}, indent=1))
    else:
        _print_tables(names, rows)
        print(f"\n{_declared(protocol)}")


def _print_tables(names: Sequence[str], rows: Sequence[Mapping[str, float]]) -> None:
    """One photograph: all its metrics. Several: a few metrics of each, then the means of all."""
    if len(rows) > 1:
        shown = [name for name in rows[0] if name in IN_A_ROW] or list(rows[0])[: len(IN_A_ROW)]
        lines = [[name, *(metric(key).shown(row[key]) for key in shown)] for name, row in zip(names, rows, strict=True)]
        print_table(["", *map(_head, shown)], lines)
        print()
    averages = means(rows)
    lines = [[_head(name), metric(name).shown(mean.value)] for name, mean in averages.items()]
    if len(rows) == 1:
        lines = [[_head(name), metric(name).shown(value)] for name, value in rows[0].items()]
    print_table(["", names[0] if len(rows) == 1 else f"mean of {len(rows)}"], lines)
    left_out = {name: mean.left_out for name, mean in averages.items() if mean.left_out}
    if left_out and len(rows) > 1:
        listed = ", ".join(f"{metric(name).title} {count}" for name, count in left_out.items())
        print(f"left out of the means, because infinite or not defined: {listed}")


def _head(name: str) -> str:
    return f"{metric(name).label} {'↑' if metric(name).higher_is_better else '↓'}"


def _declared(protocol: Protocol) -> str:
    return f"{protocol}; {METRICS_NOTE}"


def _finite(row: Mapping[str, float]) -> dict[str, float | None]:
    """Replaces infinite and NaN values by None, because JSON has neither."""
    return {name: value if isfinite(value) else None for name, value in row.items()}


def _print_explanation(steps: Sequence[Step], count: int, arguments: argparse.Namespace) -> None:
    if arguments.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([[field.name for field in fields(Step)], *(asdict(step).values() for step in steps)])
        return
    if arguments.json:
        print(json.dumps([{**asdict(step), **_finite(_numbers(step))} for step in steps], indent=1))
        return
    ours = {step.metric: step.value for step in steps if not step.setting}
    last = {(step.library, step.metric): step.value for step in steps}
    lines = [[OUR_NAME, *(_shown(ours.get(name), name) for name in SHOWN), "this protocol"]]
    for library, metrics in LIBRARIES.items():
        settings = dict.fromkeys(NAMES[name] for theirs in metrics.values() for name in differing(theirs))
        values = [_shown(last.get((library, name)), name) for name in SHOWN]
        lines.append([library, *values, ", ".join(settings) or "none"])
    print_table(["default settings of", *map(_head, SHOWN), "settings that differ"], lines, texts=(0, 4))
    for name in SHOWN:
        print(f"\n{metric(name).label}: {_shown(ours[name], name)} here; one setting is changed after the other")
        chosen = [step for step in steps if step.metric == name and step.setting]
        lines = [
            [step.library, f"{step.setting}: {step.choice}", f"{step.difference:+.5f}", _shown(step.value, name)]
            for step in chosen
        ]
        print_table(["", "change", "difference", "value"], lines, texts=(0, 1))
    print(f"\nmeans of {count} photographs" if count > 1 else "")
    print("8-bit RGB in [0, 1] was compared; libraries that ask for a data range or a window got 1 and 11x11.")


def _numbers(step: Step) -> dict[str, float]:
    return {"value": step.value, "difference": step.difference}


def _shown(value: float | None, name: str) -> str:
    return "" if value is None else f"{value:.{4 if name in DECIDING[:1] else 5}f}"
