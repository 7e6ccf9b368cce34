"""What commands print: of the data they read, of features, figures and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from features.feature_schema import Feature
from features.sources.ledger import Ledger, shorten
from features.sources.load import Collection
from ltr.config.output import say, show
from ltr.data.doctor import Finding, to_text, worst
from ltr.evaluation.gate import LEVEL, Verdict, power_in_words
from ltr.evaluation.notation import difference, figure, with_interval
from ltr.evaluation.per_query import EvaluationConfig, convention
from ltr.evaluation.shown import shown_convention
from ltr.evaluation.significance import Comparison
from ltr.evaluation.systems import Measurement, shown_metrics, test_of
from ltr.pipeline.first_config import FirstConfig
from ltr.pipeline.prepare import Prepared, sizes_in_words
from ltr.pipeline.robustness import ALL, Robustness, RobustnessTest, trained_without
from ltr.reporting.shown_lists import JUDGED_LISTS, shown_tables, test_cells


def print_cleaning(collection: Collection) -> None:
    """What loading changed or left out; nothing where it took everything as it was."""
    steps = [
        (s.table, s.step, s.rows, s.affected, s.action, s.example) for s in collection.steps if s.affected
    ]
    if steps:
        show("cleaning", ["table", "step", "rows", "affected", "action", "example"], steps)


def print_event_steps(ledger: Ledger) -> None:
    """The same of a log of events, without examples: they are of people."""
    steps = [(s.step, s.rows, s.affected, s.action) for s in ledger.steps if s.affected]
    if steps:
        show("cleaning of events", ["step", "rows", "affected", "action"], steps)


def print_findings(findings: list[Finding], *, passed: bool = False) -> None:
    for line in to_text(findings, passed=passed).splitlines():
        say(line)
    say(f"data doctor: {worst(findings)}")


def print_measurement(measured: Measurement, config: EvaluationConfig) -> None:
    """One table a part of the queries: every system's means, the headline's interval, and the paired test."""
    say(convention(config))
    _say_what_decides(measured)
    metrics = shown_metrics(measured)
    for (segment,), part in measured.summary.group_by("segment", maintain_order=True):
        mine = part.filter((pl.col("metric") == measured.headline) & (pl.col("system") == measured.model))
        head = mine.row(0, named=True)
        left_out = f", {head['left_out']} left out" if head["left_out"] else ""
        rows = [
            _system_line(measured, str(segment), system, part, metrics)
            for system in part["system"].unique(maintain_order=True)
        ]
        title = f"{segment}: {head['queries']} queries{left_out}"
        show(title, ["system", *metrics, f"{measured.model} better by", ""], rows)


def print_shown(shown: Measurement | None, config: EvaluationConfig) -> None:
    """What is shown, end to end: a table a part of the queries, retrieval's ceiling first."""
    if shown is None:
        say(JUDGED_LISTS)
        return
    say(shown_convention(config, set(shown.summary["metric"])))
    _say_what_decides(shown)
    for table in shown_tables(shown):
        title = f"shown, {table.name}: {table.queries} queries"
        columns = ["system", *table.columns, f"{shown.model} better by", ""]
        show(title, columns, test_cells(table, LEVEL))
        say(table.says)


def _say_what_decides(measured: Measurement) -> None:
    """Where an interval leaves out zero and the test is not sure, which of the two counts."""
    tests = measured.tests
    if (
        tests.height
        and tests.filter((pl.col("low") > 0) | (pl.col("high") < 0), pl.col("p_holm") >= LEVEL).height
    ):
        say(
            "Beyond noise or within is said by the paired test, its p-value corrected for the parts of the queries "
            "(Holm); with few queries or several parts, an interval may leave out zero and the test be unsure."
        )


def _system_line(
    measured: Measurement, segment: str, system: str, summary: pl.DataFrame, metrics: list[str]
) -> list[str]:
    figures = {row["metric"]: row for row in summary.filter(pl.col("system") == system).iter_rows(named=True)}
    head = figures[measured.headline]
    if head["mean"] is None and head["unread"]:
        return [system, f"n/a: cannot read {segment}", *[""] * (len(metrics) + 1)]
    cells = [system, with_interval(head["mean"], head["low"], head["high"])]
    cells += [figure(figures[metric]["mean"]) for metric in metrics[1:]]
    test = test_of(measured, segment, system)
    if test is None:
        return [*cells, "", ""]
    sure = "beyond noise" if test["p_holm"] < LEVEL else "within noise"
    some = f"; reads {head['queries'] + head['left_out']:,} queries" if head["unread"] else ""
    return [*cells, difference(test), sure + some]


def print_verdict(verdict: Verdict) -> None:
    """A run beside its baseline: the one test of all queries, then part by part."""
    say(f"{verdict.run} against {verdict.baseline}: {verdict.says}")
    say(f"{verdict.overall}. {power_in_words(verdict)}")
    if verdict.left_out:
        say(f"left out: {verdict.left_out:,} queries that only one run has, or whose judged lists differ")
    rows = [
        (
            f"{row['family']}: {row['segment']}",
            row["queries"],
            figure(row["mean_b"]),
            figure(row["mean_a"]),
            difference(row),
            figure(row["p_holm"], 4),
            row["says"],
        )
        for row in [*verdict.kinds.iter_rows(named=True), *verdict.segments.iter_rows(named=True)]
    ]
    if rows:
        columns = ["segment", "queries", "baseline", "run", "difference", "p (Holm)", ""]
        show(f"{verdict.overall.metric} by segment", columns, rows)
    if verdict.shown:
        columns = ["of what is shown", "baseline", "run", "difference", "p"]
        show(f"what is shown: {verdict.shown_says}", columns, [_measure_line(test) for test in verdict.shown])


def _measure_line(test: Comparison) -> tuple[str, ...]:
    means = figure(test.mean_b), figure(test.mean_a)
    return (test.metric, *means, difference(asdict(test)), figure(test.p_value, 4))


def print_gate(verdict: Verdict, tolerance: float) -> list[str]:
    """What fell by more than the tolerance, and what by less."""
    failures = verdict.failures_beyond(tolerance)
    if failures:
        say(f"FAIL: worse than {verdict.baseline} beyond noise: {', '.join(failures)}")
    elif verdict.failures:
        passed = f"worse beyond noise, but by no more than {tolerance:g}, which passes"
        say(f"{passed}: {', '.join(verdict.failures)}")
    return failures


def print_robustness(found: Robustness) -> None:
    """One table a part that was dropped: the model's mean at each share, and both its tests."""
    tests = {
        (test.dropped, test.share, test.against == trained_without(test.dropped)): test
        for test in found.tests
    }
    for dropped in dict.fromkeys(point.dropped for point in found.points):
        rows = [
            (
                f"{point.share:.0%}",
                with_interval(point.mean, point.low, point.high),
                *_test_cells(tests.get((dropped, point.share, False))),
                *_test_cells(tests.get((dropped, point.share, True))),
            )
            for point in found.points
            if point.dropped == dropped and point.system == ALL
        ]
        changes = ["from the row above", "p", f"against one {trained_without(dropped)}", "p"]
        show(f"products without {dropped}", ["share", found.metric, *changes], rows)
    for sentence in found.findings:
        say(sentence)


def _test_cells(test: RobustnessTest | None) -> tuple[str, str]:
    if test is None:
        return "", ""
    return difference(asdict(test)), figure(test.p_value, 4)


def print_table(prepared: Prepared, place: str) -> None:
    """Rows, features, null shares, seconds per group, and what was reused; place: where it was written."""
    table, schema = prepared.table, prepared.schema
    rows = [
        (
            group,
            sum(f.group == group for f in schema.features),
            f"{_null_share(table.frame, [f for f in schema.features if f.group == group]):.1%}",
            f"{table.seconds[group]:.1f}" if group in table.seconds else "",
        )
        for group in schema.groups
    ]
    show("features", ["group", "features", "null", "seconds"], rows)
    if "similarity" in table.seconds:
        say(f"groups of cosines together: {table.seconds['similarity']:.1f} s")
    size = f"{table.frame.height:,} rows × {len(schema.features)} features"
    if prepared.from_store:
        say(f"reused: {size} from {place} (same fingerprint)")
        return
    say(f"wrote: {size} to {place}")
    say(f"vectors: {table.encoded_vectors:,} encoded, {table.reused_vectors:,} reused from the cache")
    for column, count in table.unreadable.items():
        say(f"unreadable: {count:,} of {column} (their features are null)")


def _null_share(frame: pl.DataFrame, features: Sequence[Feature]) -> float:
    nulls = frame.select(pl.sum_horizontal(pl.col(f.name).null_count() for f in features)).item()
    return nulls / max(frame.height * len(features), 1)


def print_first_config(found: FirstConfig) -> None:
    """What was guessed, one product as it was understood, and what the reader had to say."""
    for sentence in found.guesses:
        say(sentence)
    products = found.collection.products
    say(sizes_in_words(found.collection))
    if products.height:
        filled = pl.sum_horizontal(pl.col(products.columns).is_not_null())
        row = products.row(int(products.select(filled.arg_max()).item()), named=True)
        shown = [
            (name, shorten(value))
            for name, value in row.items()
            if value is not None and name != "image_hash"
        ]
        show("one product, as it was understood", ["column", "value"], shown)
    print_cleaning(found.collection)
    for remark in found.collection.remarks:
        say(f"{remark.check}: {remark.evidence}" + (f"; if not: {remark.cure}" if remark.cure else ""))
