"""report.html and report.md: one self-contained page, and the same figures fit for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ltr.doctor import Finding
from ltr.examples import Example
from ltr.measurement import Measurement, shown_metrics


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    facts: (name, value) lines about the run; cleaning: the loading steps that changed or rejected rows.
    """

    title: str
    command: str
    convention: str
    measurement: Measurement
    facts: Sequence[tuple[str, str]]
    findings: Sequence[Finding] = ()
    cleaning: Sequence[tuple[object, ...]] = ()
    examples: Sequence[Example] = ()
    grades: tuple[float, float] = field(default=(0.0, 1.0))


def write_report(folder: Path, report: Report) -> None:
    """Write report.html and report.md into `folder`."""
    environment = Environment(
        loader=PackageLoader("ltr"),
        autoescape=select_autoescape(["html", "html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    shown = shown_metrics(report.measurement)
    values = {
        "report": report,
        "measurement": report.measurement,
        "segments": _tables(report.measurement, shown),
        "metrics": shown,
    }
    for name in ("report.html", "report.md"):
        text = environment.get_template(f"{name}.j2").render(values)
        (folder / name).write_text(text, encoding="utf-8")


def _tables(measurement: Measurement, metrics: Sequence[str]) -> list[dict[str, object]]:
    """Per segment: the queries counted and left out, and a row per system with its figures and test."""
    tables = []
    for (segment,), part in measurement.summary.group_by("segment", maintain_order=True):
        head = part.filter(pl.col("metric") == measurement.headline)
        low, high = head["low"].min(), head["high"].max()
        tables.append(
            {
                "name": segment,
                "queries": head["queries"][0],
                "left_out": head["left_out"][0],
                "rows": [
                    _system_row(measurement, str(segment), system, part, metrics, (low, high))
                    for system in part["system"].unique(maintain_order=True)
                ],
            }
        )
    return tables


def _system_row(
    measurement: Measurement,
    segment: str,
    system: str,
    summary: pl.DataFrame,
    metrics: Sequence[str],
    axis: tuple[object, object],
) -> dict[str, object]:
    figures = {row["metric"]: row for row in summary.filter(pl.col("system") == system).iter_rows(named=True)}
    head = figures[measurement.headline]
    tests = measurement.tests
    if tests.height:
        tests = tests.filter((pl.col("segment") == segment) & (pl.col("against") == system))
    return {
        "system": system,
        "is_model": system == measurement.model,
        "figures": [figures[metric] for metric in metrics],
        "bar": _bar(head, axis),
        "test": tests.row(0, named=True) if tests.height else None,
    }


def _bar(head: dict[str, float], axis: tuple[object, object]) -> dict[str, float] | None:
    """Where the interval and the mean lie on the segment's common axis, in percent of its width."""
    low, high = axis
    if head["mean"] is None or not isinstance(low, float) or not isinstance(high, float):
        return None
    width = max(high - low, 1e-9)
    return {name: 100 * (head[name] - low) / width for name in ("low", "mean", "high")}


def _figure(value: float | None, digits: int = 3) -> str:
    """`.812`, as the field prints a share; 1 and negative values keep their digits."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
