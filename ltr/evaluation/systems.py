"""Many systems over the same judged pairs: per-query values, means with intervals, paired tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from ltr.evaluation.per_query import EvaluationConfig, evaluate, summarise
from ltr.evaluation.significance import compare, holm

ALL = "all queries"

# Families of metrics in a table, in this order.
TABLE_METRICS = ("nDCG", "P", "R", "F1", "AP", "RR")


@dataclass(frozen=True)
class Measurement:
    """What a report and metrics.json are made of.

    per_query: system, query_id, segment, then a column per metric (null = left out of the mean).
    summary: system, segment, metric, mean, low, high, queries, left_out.
    tests: segment, model, against, metric, difference, low, high, p_value, p_holm, wins, losses, ties.
    """

    per_query: pl.DataFrame
    summary: pl.DataFrame
    tests: pl.DataFrame
    model: str
    headline: str

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


def headline_metric(config: EvaluationConfig) -> str:
    """nDCG at 10, or at the largest cutoff where 10 is none of them."""
    return f"nDCG@{10 if 10 in config.cutoffs else max(config.cutoffs)}"


def shown_metrics(measured: Measurement) -> list[str]:
    """The headline first, then the metric of each family at the headline's cutoff or without one."""
    names = measured.summary["metric"].unique(maintain_order=True).to_list()
    cutoff = measured.headline.split("@")[1]
    wanted = [
        n
        for family in TABLE_METRICS
        for n in names
        if _family(n) == family and n.split("@")[-1] in (cutoff, n)
    ]
    return [measured.headline, *(name for name in wanted if name != measured.headline)]


def _family(metric: str) -> str:
    return metric.split("@", maxsplit=1)[0].split("(", maxsplit=1)[0]


def measure(
    pairs: pl.DataFrame,
    scores: Mapping[str, np.ndarray],
    queries: pl.DataFrame,
    config: EvaluationConfig,
    model: str,
) -> Measurement:
    """Evaluate every system's scores (n,) on `pairs` (query_id, product_id, grade), `model` against the rest.

    Rows whose score is NaN for the model (in no test part) are left out for all.
    """
    held_out = np.isfinite(scores[model])
    judged = pairs.select("query_id", "product_id", "grade").filter(held_out)
    lists = {name: judged.with_columns(score=pl.Series(values[held_out])) for name, values in scores.items()}
    return measure_lists(lists, queries, config, model)


def measure_lists(
    lists: Mapping[str, pl.DataFrame], queries: pl.DataFrame, config: EvaluationConfig, model: str
) -> Measurement:
    """Evaluate every system's own scored pairs (as `evaluate` takes them), `model` against the rest.

    All systems' pairs are of the same queries, whatever they retrieved for them.
    """
    frames = [evaluate(scored, config).with_columns(system=pl.lit(name)) for name, scored in lists.items()]
    per_query = _with_segments(pl.concat(frames), queries)
    return Measurement(
        per_query,
        _summaries(per_query, config),
        compare_all(per_query, model, headline_metric(config), config),
        model,
        headline_metric(config),
    )


def compare_all(per_query: pl.DataFrame, model: str, metric: str, config: EvaluationConfig) -> pl.DataFrame:
    """Paired tests of `model` against every other system, per segment; Holm's correction over all of them."""
    rows = []
    for segment, part in segments(per_query).items():
        ours = part.filter(pl.col("system") == model)
        for other in part["system"].unique(maintain_order=True):
            if other != model:
                theirs = part.filter(pl.col("system") == other)
                rows.append(
                    {"segment": segment, "model": model, "against": other}
                    | asdict(compare(ours, theirs, metric, config.bootstrap))
                )
    tests = pl.DataFrame(rows)
    return tests.with_columns(p_holm=pl.Series(holm(tests["p_value"].to_list()))) if rows else tests


def segments(per_query: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The whole, and each segment where queries are of more than one kind."""
    names = sorted(per_query["segment"].drop_nulls().unique())
    parts = {name: per_query.filter(pl.col("segment") == name) for name in names} if len(names) > 1 else {}
    return {ALL: per_query, **parts}


def _with_segments(per_query: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    if "segment" not in queries.columns:
        queries = queries.with_columns(segment=pl.lit(None, pl.String))
    joined = per_query.join(
        queries.select("query_id", "segment"), on="query_id", how="left", maintain_order="left"
    )
    first = ["system", "query_id", "segment"]
    return joined.select(*first, *(name for name in joined.columns if name not in first))


def _summaries(per_query: pl.DataFrame, config: EvaluationConfig) -> pl.DataFrame:
    frames = [
        summarise(part.filter(pl.col("system") == system).drop("system", "segment"), config).select(
            pl.lit(system).alias("system"), pl.lit(segment).alias("segment"), pl.exclude("convention")
        )
        for segment, part in segments(per_query).items()
        for system in part["system"].unique(maintain_order=True)
    ]
    return pl.concat(frames)
