"""Is a run worse than another? Per query, paired, for all queries and for each segment; fit for a CI gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import polars as pl

from features.errors import InputError
from features.feature_schema import KEYS
from ltr.evaluation.notation import difference, figure
from ltr.evaluation.per_query import NOT_METRICS, EvaluationConfig, convention, headline_metric
from ltr.evaluation.segments import distinct
from ltr.evaluation.shown import condensed_metric
from ltr.evaluation.significance import (
    Comparison,
    compare,
    holm,
    paired_differences,
    queries_needed,
    smallest_seen,
)

LEVEL = 0.05
EFFECT = 0.01  # of nDCG: the difference whose price in queries is told


@dataclass(frozen=True)
class Verdict:
    """A run beside a baseline run; differences are run - baseline.

    overall: the headline metric, the one test that needs no correction. others: further metrics, for information.
    kinds: family, segment, the columns of Comparison, p_holm (over the kinds) and `says`, of what queries have
    (words, a photo, …); none where all have the same. segments: the same of all other parts of the queries.
    left_out: queries that only one run has, or whose judged lists differ. shown: the measures of what either shows,
    the condensed figure first; none where it is not known of both.
    """

    run: str
    baseline: str
    convention: str
    overall: Comparison
    others: Sequence[Comparison]
    kinds: pl.DataFrame
    segments: pl.DataFrame
    left_out: int
    queries_needed: int
    smallest_seen: float
    shown: Sequence[Comparison] = ()

    @property
    def says(self) -> str:
        return _says(self.overall.difference, self.overall.p_value)

    @property
    def shown_says(self) -> str | None:
        """Of the condensed figure; its p-value is corrected for the test of judged lists beside it (Holm)."""
        if not self.shown:
            return None
        _, p_holm = holm([self.overall.p_value, self.shown[0].p_value])
        return _says(self.shown[0].difference, p_holm)

    def _repr_html_(self) -> str:
        return self.overall._repr_html_() + self.segments._repr_html_()

    @property
    def failures(self) -> list[str]:
        """Why the run must not replace the baseline; none when nothing fell beyond noise."""
        return self.failures_beyond(0)

    def failures_beyond(self, tolerance: float) -> list[str]:
        """The failures of which the mean fell by more than that."""
        lowest = min((test.difference for test in self.shown), default=0)
        found = ["all queries"] if self.says == "worse" and self.overall.difference < -tolerance else []
        found += ["what is shown"] if self.shown_says == "worse" and lowest < -tolerance else []
        for part in (self.kinds, self.segments):
            worse = part.filter(says="worse")
            if worse.height:
                found += worse.filter(pl.col("difference") < -tolerance)["segment"].to_list()
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for programs."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        tests: dict[str, Any] = {"overall": asdict(self.overall)}
        tests |= {name: [asdict(test) for test in getattr(self, name)] for name in ("others", "shown")}
        said = {"says": self.says, "shown_says": self.shown_says, "failures": self.failures}
        return found | tests | said | {name: getattr(self, name).to_dicts() for name in ("kinds", "segments")}


def judge(
    run: tuple[str, pl.DataFrame],
    baseline: tuple[str, pl.DataFrame],
    segments: pl.DataFrame,
    config: EvaluationConfig,
    left_out: int = 0,
    shown: tuple[pl.DataFrame, pl.DataFrame] | None = None,
) -> Verdict:
    """Compare (name, per-query values as from `evaluate`) of two runs measured on the same queries.

    segments: query_id, family, segment, as from `query_segments`. shown: per-query values of what the run and the
    baseline show, of the same queries. Raises InputError where the two cannot be compared.
    """
    metric = headline_metric(config)
    (name, ours), (other, theirs) = run, baseline
    names = [column for column in ours.columns if column not in NOT_METRICS and column != metric]
    listed = [column for column in names if "@" not in column or column.endswith(metric.partition("@")[2])]
    differences = paired_differences(ours, theirs, metric)
    overall = compare(ours, theirs, metric, config.bootstrap)
    counted = ours.filter(pl.col(metric).is_not_null())["query_id"]
    rows, kind = distinct(segments, counted), pl.col("family") == "kind"
    kinds, others = (
        _segment_tests(ours, theirs, part, config, overall.difference)
        for part in (rows.filter(kind), rows.filter(~kind))
    )
    return Verdict(
        name,
        other,
        convention(config),
        overall,
        [
            compare(ours, theirs, column, config.bootstrap)
            for column in listed
            if not column.startswith("Judged")
        ],
        kinds,
        others,
        left_out,
        queries_needed(differences, EFFECT),
        smallest_seen(differences),
        _shown_tests(*shown, config) if shown else (),
    )


def _shown_tests(ours: pl.DataFrame, theirs: pl.DataFrame, config: EvaluationConfig) -> Sequence[Comparison]:
    first = condensed_metric(config)
    both = [
        name
        for name, kind in ours.schema.items()
        if kind.is_numeric() and name in theirs.columns and name != first
    ]
    return [compare(ours, theirs, name, config.bootstrap) for name in (first, *both)]


def same_judgements(ours: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.Series, int]:
    """The queries that two tables of judged pairs share, list by list, and how many others there are.

    Raises InputError when there is none.
    """
    lists = [
        pairs.with_columns(mark=pl.struct(*KEYS, "grade").hash())
        .group_by("query_id")
        .agg(pl.col("mark").sort())
        for pairs in (ours, theirs)
    ]
    both = lists[0].join(lists[1], on="query_id", suffix="_other")
    shared = both.filter(pl.col("mark") == pl.col("mark_other"))["query_id"].sort()
    every = pl.concat([part["query_id"] for part in lists]).n_unique()
    if not len(shared):
        raise InputError(
            where="comparison of two runs",
            expected="queries with the same judged products and grades in both",
            got=f"none among {every:,}",
            cure="measure both on the same data: --judgements FILE",
        )
    return shared, every - len(shared)


def _segment_tests(
    ours: pl.DataFrame, theirs: pl.DataFrame, segments: pl.DataFrame, config: EvaluationConfig, overall: float
) -> pl.DataFrame:
    metric = headline_metric(config)
    rows = []
    for (family, segment), part in segments.group_by("family", "segment", maintain_order=True):
        a, b = (frame.join(part, on="query_id", how="semi") for frame in (ours, theirs))
        rows.append({"family": family, "segment": segment} | asdict(compare(a, b, metric, config.bootstrap)))
    if not rows:
        return pl.DataFrame(schema={"family": pl.String, "segment": pl.String, "says": pl.String})
    tests = pl.DataFrame(rows).with_columns(p_holm=pl.Series(holm([row["p_value"] for row in rows])))
    says = [_says(row["difference"], row["p_holm"], against=overall) for row in tests.iter_rows(named=True)]
    return tests.with_columns(says=pl.Series(says))


def _says(difference: float, p_value: float, against: float = 0.0) -> str:
    """A word on a difference; one that falls within noise while the mean rises is worth a look."""
    if p_value < LEVEL:
        return "better" if difference > 0 else "worse"
    return "falls, within noise, while the mean rises" if difference < 0 < against else "within noise"


def to_markdown(verdict: Verdict) -> str:
    """The comparison, fit for a pull request's comment."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    overall = verdict.overall
    icon = {"better": "🟢", "worse": "🔴"}.get(verdict.says, "⚪")
    yield f"### {icon} {verdict.run} against {verdict.baseline}: {verdict.says}"
    yield f"\n{overall}.\n"
    if verdict.failures:
        yield f"**Worse beyond noise:** {', '.join(verdict.failures)}.\n"
    yield from _metric_lines("metric", (overall, *verdict.others))
    if verdict.shown:
        yield f"\nWhat is shown: {verdict.shown_says}.\n"
        yield from _metric_lines("of what is shown", verdict.shown)
    if verdict.kinds.height or verdict.segments.height:
        yield f"\n| segment | queries | {overall.metric}: baseline | run | difference [95 %] | p (Holm) | |"
        yield "|---|---:|---:|---:|---:|---:|---|"
        for row in [*verdict.kinds.iter_rows(named=True), *verdict.segments.iter_rows(named=True)]:
            cells = [f"{row['queries']}", figure(row["mean_b"]), figure(row["mean_a"]), difference(row)]
            name = f"{row['family']}: {row['segment']}".replace("|", "\\|")
            yield f"| {name} | {' | '.join(cells)} | {figure(row['p_holm'], 4)} | {row['says']} |"
    yield f"\n{power_in_words(verdict)} {verdict.convention}"
    if verdict.left_out:
        yield f"\n{verdict.left_out:,} queries are left out: only one run has them, or their judged lists differ."


def _metric_lines(title: str, tests: Sequence[Comparison]) -> Iterator[str]:
    yield f"| {title} | baseline | run | difference [95 %] | p |\n|---|---:|---:|---:|---:|"
    for test in tests:
        means = f"{figure(test.mean_b)} | {figure(test.mean_a)}"
        yield f"| {test.metric} | {means} | {difference(asdict(test))} | {figure(test.p_value, 4)} |"


def power_in_words(verdict: Verdict) -> str:
    """How much these queries can show."""
    if not verdict.queries_needed:
        return (
            f"The two differ by the same in every query, so that {verdict.overall.metric} shows no noise to judge by, "
            "nor how many queries would show a difference."
        )
    return (
        f"With these {verdict.overall.queries:,} queries, a true difference of {figure(verdict.smallest_seen)} in "
        f"{verdict.overall.metric} would show four times in five, a smaller one less often; to show one of "
        f"{figure(EFFECT, 2)} takes about {verdict.queries_needed:,} judged queries."
    )
