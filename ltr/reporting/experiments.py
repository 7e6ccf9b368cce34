"""An experiment on a self-contained page and on the console: the verdict first, then what it rests on."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.disk import write_whole
from ltr.config.output import say, show
from ltr.experiments import keep_record, to_json
from ltr.experiments.outcome import Bar, Outcome, Table
from ltr.reporting.pages import render
from ltr.reporting.plotting.drawing import Plot
from ltr.reporting.plotting.plots import Interval, intervals

WORDS = {"yes": ("PASS", "Yes"), "no": ("FAIL", "No"), "cannot": ("WARN", "Cannot judge")}


def experiment_page(outcome: Outcome, command: str, template: str = "experiment.html", **more: object) -> str:
    """The whole page; more: what a template that extends it shows."""
    state, word = WORDS[outcome.says]
    values = {
        "outcome": outcome,
        "command": command,
        "state": state,
        "word": word,
        "plot": _plot(outcome.bars_title, outcome.bars) if outcome.bars else None,
        "tables": [shown_table(table) for table in outcome.tables],
        **more,
    }
    return render(template, values)


def _plot(title: str, bars: Sequence[Bar]) -> Plot:
    rows = [
        Interval(bar.name, bar.value, bar.low, bar.high, ours=bar.low > 0 or bar.high < 0) for bar in bars
    ]
    ends = (min(0.0, *(bar.low for bar in bars)), max(0.0, *(bar.high for bar in bars)))
    words = "Points with their intervals; in colour where 0 is outside."
    return intervals("experiment", title[:1].upper() + title[1:], words, rows, title, ends)


def shown_table(table: Table) -> dict[str, object]:
    """Cells as text, and whether each column is of numbers."""
    numeric = [
        any(row[place] is not None for row in table.rows)
        and all(row[place] is None or isinstance(row[place], int | float) for row in table.rows)
        for place in range(len(table.columns))
    ]
    rows = [[cell_text(cell) for cell in row] for row in table.rows]
    return {
        "title": table.title,
        "words": table.words,
        "columns": table.columns,
        "rows": rows,
        "numeric": numeric,
    }


def cell_text(cell: object) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "–"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.4g}" if isinstance(cell, float) else str(cell)


def print_outcome(outcome: Outcome) -> None:
    say(f"{WORDS[outcome.says][1]}: {outcome.verdict}")
    for table in outcome.tables:
        show(table.title, table.columns, table.rows)
    for check in outcome.checks:
        say(f"{check.state}  {check.name}: {check.evidence}")
    for assumption in outcome.assumptions:
        say(f"assumes: {assumption}")


def publish(
    outcome: Outcome, record: Mapping[str, Any], json: str | None, html: Path | None, run: Path | None
) -> None:
    """To the console (or the record alone to stdout, where json is "-"), to files, and into the run's folder."""
    text, page = to_json(record), experiment_page(outcome, record["command"])
    kept = keep_record(run, record, page) if run else None
    if json == "-":
        sys.stdout.write(text)
    else:
        print_outcome(outcome)
    for path, content in ((json, text), (html, page)):
        if path and path != "-":
            write_whole(Path(path), content)
    if kept and json != "-":
        say(f"decision: {kept}")
