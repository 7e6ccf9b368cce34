"""What is shown, as tables for console and page: retrieval's ceiling first, then the systems, the model last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ltr.evaluation.baselines import RANDOM
from ltr.evaluation.notation import difference, figure, with_interval
from ltr.evaluation.shown import BEST_RECALL, CEILING
from ltr.evaluation.systems import Measurement, test_of

JUDGED_LISTS = (
    "The figures are of judged lists: this set has no products beyond those judged, so what a shopper would be shown "
    "is not known."
)


@dataclass(frozen=True)
class ShownLine:
    """A system: its figures by column, and the test of the model against it, None for the model and the ceiling.

    reads: "reads 5 of 21 queries" where it cannot read all of them, so that its figures and the model's are means of
    other queries; else "".
    """

    system: str
    figures: Sequence[str]
    test: dict[str, Any] | None
    reads: str


@dataclass(frozen=True)
class ShownTable:
    """A part of the queries, a line a system.

    says: how good retrieval is by itself, and what the judged share leaves open, in a sentence.
    """

    name: str
    queries: int
    columns: Sequence[str]
    lines: Sequence[ShownLine]
    says: str


def shown_tables(measured: Measurement) -> list[ShownTable]:
    """One for all queries, then one a part."""
    metrics = [name for name in measured.summary["metric"].unique(maintain_order=True) if name != BEST_RECALL]
    return [
        _table(measured, str(segment), part, metrics)
        for (segment,), part in measured.summary.group_by("segment", maintain_order=True)
    ]


def _table(measured: Measurement, segment: str, part: pl.DataFrame, metrics: Sequence[str]) -> ShownTable:
    found = {(row["system"], row["metric"]): row for row in part.iter_rows(named=True)}
    systems = [name for name in part["system"].unique(maintain_order=True) if name != RANDOM]
    lines = []
    for system in systems:
        rows = [found[system, metric] for metric in metrics]
        if rows[0]["mean"] is None:
            continue
        first = with_interval(rows[0]["mean"], rows[0]["low"], rows[0]["high"])
        test = None if system == CEILING else test_of(measured, segment, system)
        figures = [first, *(figure(row["mean"]) for row in rows[1:])]
        lines.append(ShownLine(system, figures, test, _reads(rows[0])))
    model = found[measured.model, measured.headline]
    return ShownTable(segment, model["queries"], metrics, lines, _says(measured, found, metrics))


def _reads(row: Mapping[str, Any]) -> str:
    read = row["queries"] + row["left_out"]
    return f"reads {read:,} of {read + row['unread']:,} queries" if row["unread"] else ""


def _says(measured: Measurement, found: dict[tuple[str, str], dict[str, Any]], metrics: Sequence[str]) -> str:
    def mean(system: str, metric: str) -> str:
        return figure(found[system, metric]["mean"])

    judged = next(name for name in metrics if name.startswith("Judged"))
    k, model = judged.split("@")[1], measured.model
    words = (
        f"{model} shows {mean(model, measured.headline)} of the best that is judged ({measured.headline}); retrieval "
        f"leaves room up to {mean(CEILING, measured.headline)} and finds {mean(CEILING, BEST_RECALL)} of the products "
        f"of the best grade. Of the first {k} shown {mean(model, judged)} are judged, so nDCG@{k} lies between "
        f"{mean(model, 'worst')} and {mean(model, 'best')}"
    )
    true = [name for name in metrics if name.startswith("true")]
    return words + (f"; in truth it is {mean(model, true[0])}." if true else ".")


def test_cells(table: ShownTable, level: float) -> list[list[str]]:
    """The lines as rows of plain cells: system, figures, by how much the model is better, and whether surely."""
    rows = []
    for line in table.lines:
        better, sure = "", ""
        if line.test is not None:
            better = difference(line.test)
            sure = "beyond noise" if line.test["p_holm"] < level else "within noise"
        rows.append([line.system, *line.figures, better, "; ".join(filter(None, (sure, line.reads)))])
    return rows
