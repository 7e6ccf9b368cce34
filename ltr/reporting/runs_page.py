"""Pages about several runs: the list of all with their trend, and two side by side as the gate sees them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from features.disk import write_whole
from ltr.data.kinds import query_kinds
from ltr.evaluation.gate import LEVEL, Verdict, power_in_words
from ltr.evaluation.per_query import EvaluationConfig, evaluate
from ltr.evaluation.shown import shown_convention
from ltr.evaluation.significance import ROUNDING
from ltr.reporting.pages import render
from ltr.reporting.plotting.drawing import Plot
from ltr.reporting.plotting.plots import Interval, intervals
from ltr.reporting.plotting.report_plots import gain_plots
from ltr.reporting.run_page.examples import Candidates, build_examples, choose_queries
from ltr.reporting.run_page.first_screen import verdict_lines
from ltr.reporting.run_page.query_gains import query_lines
from ltr.reporting.run_page.report import segment_rows
from ltr.runs.history import STEP, History, PastRun, differences, read_history
from ltr.runs.measuring import Scored


def refresh_index(runs: Path) -> Path:
    """RUNS/index.html of the runs that lie there now. Raises InputError where there is none."""
    page = runs / "index.html"
    write_whole(page, runs_page(read_history(runs), runs))
    return page


def runs_page(history: History, folder: Path) -> str:
    """The page to lie in `folder`: every run, newest first, in groups that can be compared, each with its trend."""
    groups = [
        {
            "title": group[-1].data[0],
            "split": group[-1].data[1],
            "convention": group[-1].data[2],
            "headline": group[-1].headline,
            "parts": list(group[-1].means)[1:],
            "shown": _of_shown(group),
            "runs": [
                _line(run, before, folder) for run, before in zip(group, [None, *group[:-1]], strict=True)
            ][::-1],
            "plot": _trend(number, group),
        }
        for number, group in enumerate(history.groups)
    ]
    return render(
        "runs.html",
        {"folder": folder.resolve().name, "groups": groups, "unread": history.unread, "step": STEP},
    )


def _of_shown(group: Sequence[PastRun]) -> list[str]:
    """Which measures of what is shown stand beside the headline: the condensed figure, what it rests on, the truth."""
    names = dict.fromkeys(name for run in group[::-1] for name in run.shown)
    return [name for name in names if name.startswith(("condensed", "Judged", "true"))]


def _line(run: PastRun, before: PastRun | None, folder: Path) -> dict[str, Any]:
    report = run.folder / "report.html"
    return {
        "run": run,
        "link": Path(os.path.relpath(report, folder)).as_posix() if report.is_file() else "",
        "step": None if before is None else run.overall["mean"] - before.overall["mean"],
        "before": before.name if before else "",
        "changed": differences(run, before) if before else [],
    }


def _trend(number: int, group: Sequence[PastRun]) -> Plot | None:
    rows = [
        Interval(
            run.name, run.overall["mean"], run.overall["low"], run.overall["high"], ours=run is group[-1]
        )
        for run in group
        if run.overall["mean"] is not None
    ]
    if len(rows) < 2:
        return None
    words = "From the oldest to the newest, which is in blue; lines are intervals of the mean."
    ends = min(row.low for row in rows), max(row.high for row in rows)
    return intervals(f"trend-{number}", "Trend", words, rows, group[-1].headline, ends)


def beside_page(
    names: tuple[str, str], ours: Scored, theirs: Scored, verdict: Verdict, config: EvaluationConfig
) -> str:
    """Two runs side by side: the gate's verdict, who won which query, and both lists of some of them."""
    metric, shop = verdict.overall.metric, ours.collection
    gains = _gains(names, ours, theirs, metric, config)
    lines = query_lines(gains, shop.queries)
    pairs = ours.rows.drop("score").join(gains, on="query_id", how="semi").sort("query_id", "product_id")
    keys = ["query_id", "product_id"]
    scores = {
        name: pairs.join(scored.rows, on=keys, how="left", maintain_order="left")["score"].to_numpy()
        for name, scored in zip(names, (ours, theirs), strict=True)
    }
    chosen = choose_queries(gains) if shop.products.height else []
    examples = build_examples(chosen, names[0], (shop.queries, shop.products), Candidates(pairs, scores, {}))
    grades = pairs["grade"].to_numpy()
    values = {
        "names": names,
        "headline": metric,
        "verdict": verdict,
        "lines": verdict_lines(verdict, gains),
        "power": power_in_words(verdict),
        "shown_convention": shown_convention(config, {test.metric for test in verdict.shown}),
        "tests": segment_rows(verdict),
        "level": LEVEL,
        "gains": lines,
        "outcomes": Counter(line.outcome for line in lines),
        "every": gains.height,
        "examples": examples,
        "shown_queries": {example.choice.query_id: place for place, example in enumerate(examples, 1)},
        "plots": gain_plots(lines),
        "grades": (float(grades.min()), float(max(grades.max(), grades.min() + 1))),
    }
    return render("beside.html", values)


def _gains(
    names: tuple[str, str], ours: Scored, theirs: Scored, metric: str, config: EvaluationConfig
) -> pl.DataFrame:
    """query_id, kind, baseline, before, after, gain, as from `query_gains`, of the queries judged alike in both."""
    after, before = (evaluate(scored.rows, config).select("query_id", metric) for scored in (ours, theirs))
    kinds = query_kinds(ours.collection.queries).select("query_id", "kind")
    gain = pl.col("after") - pl.col("before")
    return (
        after.rename({metric: "after"})
        .join(before.rename({metric: "before"}), on="query_id")
        .drop_nulls()
        .join(kinds, on="query_id", how="left")
        .select("query_id", pl.col("kind").fill_null("unknown"), "before", "after", baseline=pl.lit(names[1]))
        .with_columns(gain=pl.when(gain.abs() > ROUNDING).then(gain).otherwise(0.0))
        .sort("gain", "query_id", descending=[True, False])
    )
