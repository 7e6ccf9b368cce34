"""report.html and report.md: one self-contained page, and its figures fit for a pull request's comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ltr.data.doctor import Finding
from ltr.evaluation.classification import Classification
from ltr.evaluation.gate import LEVEL, Verdict, power_in_words
from ltr.evaluation.systems import Measurement, shown_metrics, test_of
from ltr.explanation.importance import Importance
from ltr.pipeline.robustness import RobustnessPoint
from ltr.reporting.pages import render
from ltr.reporting.plotting.report_plots import (
    calibration_plots,
    gain_plots,
    importance_plots,
    ladder_plots,
    robustness_plots,
    shown_ladder_plots,
    tuning_plots,
)
from ltr.reporting.run_page.calibration import Calibration
from ltr.reporting.run_page.examples import Example
from ltr.reporting.run_page.first_screen import AddedSource, VerdictLine
from ltr.reporting.run_page.query_gains import QueryLine
from ltr.reporting.shown_lists import JUDGED_LISTS, shown_tables
from ltr.reporting.words import feature_in_words, system_in_words
from ltr.tuning.summary import tuning_section


@dataclass(frozen=True)
class Report:
    """All that the page shows; of a search it reads the run's own tuning.json.

    facts: (name, value) lines about the run, about: those of the first screen; cleaning: the loading steps that
    changed or rejected rows. verdict: the model beside the best baseline of each kind of query, lines: the same in
    a sentence a kind; added: what each source adds; gains: by query. classified: None for all but pointwise rankers.
    importance: None for a ranker that cannot be explained; grades: the lowest and the highest.
    shown: what is shown of lists as they are served; None for judged lists.
    """

    title: str
    command: str
    convention: str
    measurement: Measurement
    facts: Sequence[tuple[str, str]]
    about: Sequence[tuple[str, str]] = ()
    verdict: Verdict | None = None
    lines: Sequence[VerdictLine] = ()
    added: Sequence[AddedSource] = ()
    gains: Sequence[QueryLine] = ()
    classified: Classification | None = None
    calibration: Calibration | None = None
    importance: Importance | None = None
    robustness: Sequence[RobustnessPoint] = ()
    robustness_says: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    cleaning: Sequence[tuple[object, ...]] = ()
    examples: Sequence[Example] = ()
    grades: tuple[float, float] = field(default=(0.0, 1.0))
    shown: Measurement | None = None
    shown_convention: str = ""


def write_report(folder: Path, report: Report) -> None:
    """Write report.html and report.md into `folder`."""
    values = _values(report, tuning_section(folder))
    for name in ("report.html", "report.md"):
        (folder / name).write_text(render(name, values), encoding="utf-8")


def _values(report: Report, tuning: dict[str, Any] | None) -> dict[str, Any]:
    measured, verdict = report.measurement, report.verdict
    shown = shown_metrics(measured)
    return {
        "report": report,
        "measurement": measured,
        "metrics": shown,
        "segments": _tables(measured, shown),
        "shown_tables": shown_tables(report.shown) if report.shown else [],
        "judged_lists": JUDGED_LISTS,
        "tests": segment_rows(verdict) if verdict else [],
        "fallen": [
            row for row in (segment_rows(verdict) if verdict else []) if row["says"].startswith("falls")
        ],
        "overall": str(verdict.overall) if verdict else "",
        "power": power_in_words(verdict) if verdict else "",
        "outcomes": Counter(line.outcome for line in report.gains),
        "baselines": dict.fromkeys((line.kind or "all", line.baseline) for line in report.gains),
        "tuning": tuning,
        "shown_queries": {example.choice.query_id: place for place, example in enumerate(report.examples, 1)},
        "plots": _plots(report, tuning),
        "warnings": [finding for finding in report.findings if finding.level != "PASS"],
        "level": LEVEL,
        "system_in_words": system_in_words,
        "feature_in_words": feature_in_words,
    }


def _plots(report: Report, tuning: dict[str, Any] | None) -> dict[str, Any]:
    metric = report.measurement.headline
    return {
        "shown_ladder": shown_ladder_plots(report.shown) if report.shown else [],
        "ladder": ladder_plots(report.measurement),
        "gains": gain_plots(report.gains),
        "calibration": calibration_plots(report.calibration) if report.calibration else [],
        "importance": importance_plots(report.importance) if report.importance else [],
        "tuning": tuning_plots(tuning) if tuning else [],
        "robustness": robustness_plots(report.robustness, metric),
    }


def _tables(measurement: Measurement, metrics: Sequence[str]) -> list[dict[str, object]]:
    """Per part of the queries: those counted and left out, and a row per system with its figures and test."""
    tables = []
    for (segment,), part in measurement.summary.group_by("segment", maintain_order=True):
        mine = (pl.col("metric") == measurement.headline) & (pl.col("system") == measurement.model)
        head = part.filter(mine).row(0, named=True)
        tables.append(
            {
                "name": segment,
                "queries": head["queries"],
                "left_out": head["left_out"],
                "rows": [
                    _system_row(measurement, str(segment), system, part, metrics)
                    for system in part["system"].unique(maintain_order=True)
                ],
            }
        )
    return tables


def _system_row(
    measurement: Measurement, segment: str, system: str, summary: pl.DataFrame, metrics: Sequence[str]
) -> dict[str, object]:
    figures = {row["metric"]: row for row in summary.filter(pl.col("system") == system).iter_rows(named=True)}
    return {
        "system": system,
        "is_model": system == measurement.model,
        "figures": [figures[metric] for metric in metrics],
        "test": test_of(measurement, segment, system),
    }


def segment_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """The tests by part, each with its interval's place on an axis common to all, in percent of the width."""
    rows = [*verdict.kinds.to_dicts(), *verdict.segments.to_dicts()]
    left = min([0.0, *(row["low"] for row in rows)])
    width = max([1e-9, *(row["high"] - left for row in rows), -left])

    def place(value: float) -> float:
        return round(100 * (value - left) / width, 2)

    return [
        row | {"bar": {name: place(row[name]) for name in ("low", "difference", "high")} | {"zero": place(0)}}
        for row in rows
    ]
