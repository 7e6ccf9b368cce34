"""fusion.json, fusion.md and fusion.html: the strategies of fusion on one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ltr.config.output import say, show
from ltr.evaluation.notation import figure, with_interval
from ltr.evaluation.per_query import EvaluationConfig, convention
from ltr.evaluation.systems import shown_metrics
from ltr.pipeline.fusion.comparison import Comparison, headlines, paired
from ltr.reporting.pages import render
from ltr.runs.record import new_run, versions, write_json

PAGES = ("fusion.md", "fusion.html")


@dataclass(frozen=True)
class FusionReport:
    """The comparison, and what the page says of how it was made; facts: (name, value) lines."""

    title: str
    command: str
    convention: str
    comparison: Comparison
    facts: Sequence[tuple[str, str]]


def save_fusion(
    target: Path,
    name: str,
    command: str,
    evaluation: EvaluationConfig,
    comparison: Comparison,
    facts: Sequence[tuple[str, str]],
) -> FusionReport:
    """The folder with figures and pages; an earlier one of that name is set aside."""
    libraries = ", ".join(f"{library} {number}" for library, number in versions().items())
    every = [*facts, ("versions", libraries)]
    report = FusionReport(f"{name}: strategies of fusion", command, convention(evaluation), comparison, every)
    with new_run(target) as draft:
        write_fusion_report(draft, report)
    return report


def write_fusion_report(folder: Path, report: FusionReport) -> None:
    """Write the figures and both pages into `folder`."""
    write_json(folder / "fusion.json", figures(report))
    report.comparison.measurement.per_query.write_parquet(folder / "per_query.parquet")
    comparison = report.comparison
    metrics = shown_metrics(comparison.measurement)
    values = {
        "report": report,
        "comparison": comparison,
        "metrics": metrics,
        "alpha": comparison.alpha,
        "segments": [segment_of(comparison, name, metrics) for name in comparison.statements],
        "confusions": [(name, cost) for name, cost in comparison.costs.items() if cost["confusion"]],
    }
    for name in PAGES:
        (folder / name).write_text(render(name, values), encoding="utf-8")


def figures(report: FusionReport) -> dict[str, Any]:
    """What fusion.json holds."""
    comparison = report.comparison
    return {
        "format": 1,
        "command": report.command,
        "convention": report.convention,
        "facts": dict(report.facts),
        "headline": comparison.measurement.headline,
        "statements": comparison.statements,
        "left_out": comparison.left_out,
        "strategies": comparison.costs,
        "grades": comparison.grades,
        "summary": comparison.measurement.summary.to_dicts(),
        "tests": comparison.tests.to_dicts(),
    }


def segment_of(comparison: Comparison, segment: str, metrics: Sequence[str]) -> dict[str, Any]:
    """A segment's sentences, its rows (best first, each with its interval's place on the axis) and its matrix."""
    means = headlines(comparison.measurement, segment)
    read = [name for name in means if means[name]["mean"] is not None]
    order = sorted(read, key=lambda name: -means[name]["mean"])
    low, high = (pick(means[name][side] for name in order) for side, pick in (("low", min), ("high", max)))
    part = comparison.measurement.summary.filter(pl.col("segment") == segment)
    first = means[comparison.measurement.model]
    return {
        "name": segment,
        "queries": first["queries"],
        "left_out": first["left_out"],
        "statements": comparison.statements[segment],
        "unread": [name for name in means if means[name]["unread"] and name not in read],
        "rows": [_row(comparison, part, name, metrics, (low, high)) for name in order],
        "leaders": _leaders(comparison, segment, means, order),
        **_matrix(comparison, segment, order),
    }


def _leaders(
    comparison: Comparison, segment: str, means: dict[str, dict[str, Any]], order: Sequence[str]
) -> list[dict[str, Any]]:
    """The best of each level, and the baseline that they are measured against."""
    found: dict[str, str] = {}
    for name in order:
        if name in comparison.costs:
            found.setdefault(comparison.costs[name]["level"], name)
    rival = comparison.measurement.rival(segment)
    if rival:
        found["baseline"] = rival
    return [means[name] | {"level": level} for level, name in found.items()]


def _row(
    comparison: Comparison, part: pl.DataFrame, name: str, metrics: Sequence[str], axis: tuple[float, float]
) -> dict[str, Any]:
    found = {row["metric"]: row for row in part.filter(pl.col("system") == name).iter_rows(named=True)}
    width = max(axis[1] - axis[0], 1e-9)
    head = found[metrics[0]]
    return {
        "system": name,
        "cost": comparison.costs.get(name),
        "figures": [found[metric] for metric in metrics],
        "bar": {side: 100 * (head[side] - axis[0]) / width for side in ("low", "mean", "high")},
    }


def _matrix(comparison: Comparison, segment: str, order: Sequence[str]) -> dict[str, Any]:
    """Systems that were tested, best first, and for each row the tests against the columns (None: itself)."""
    tests = comparison.tests.filter(pl.col("segment") == segment)
    tested = {*tests["a"], *tests["b"]}
    names = [name for name in order if name in tested]
    cells = [[None if a == b else paired(tests, segment, a, b) for b in names] for a in names]
    return {"tested": names, "matrix": list(zip(names, cells, strict=True))}


def print_comparison(report: FusionReport) -> None:
    """One table a segment, best first, and what it says in plain words."""
    comparison = report.comparison
    say(report.convention)
    metrics = shown_metrics(comparison.measurement)
    for name in comparison.statements:
        segment = segment_of(comparison, name, metrics)
        rows = [_line(row) for row in segment["rows"]]
        columns = ["system", "level", *metrics, "accuracy", "log-loss", "fit s", "µs/product"]
        show(f"{name}: {segment['queries']} queries", columns, rows)
        for sentence in segment["statements"]:
            say(f"  {sentence}")


def _line(row: Mapping[str, Any]) -> list[object]:
    head, *others = row["figures"]
    cost = row["cost"] or {
        "level": "baseline",
        "accuracy": None,
        "log_loss": None,
        "fit_seconds": None,
        "microseconds": None,
    }
    accuracy = "" if cost["accuracy"] is None else figure(cost["accuracy"]["mean"])
    loss = "" if cost["log_loss"] is None else figure(cost["log_loss"])
    cells = [figure(other["mean"]) for other in others]
    return [
        *(row["system"], cost["level"], with_interval(head["mean"], head["low"], head["high"]), *cells),
        *(accuracy, loss),
        *(cost["fit_seconds"], cost["microseconds"]),
    ]
