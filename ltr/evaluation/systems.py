"""Many systems over the same judged pairs: per-query values, means with intervals, paired tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ltr.data.kinds import UNKNOWN, in_order, parts_of, query_kinds
from ltr.evaluation.baselines import RANDOM, is_baseline, needs_of
from ltr.evaluation.per_query import EvaluationConfig, evaluate, evaluate_bags, headline_metric, summarise
from ltr.evaluation.significance import compare, holm
from ltr.evaluation.training_noise import ByBag, without_bags

ALL = "all queries"
BEST = "best baseline of each kind"

# Families of metrics in a table, in this order.
TABLE_METRICS = ("nDCG", "P", "R", "F1", "AP", "RR")


@dataclass(frozen=True)
class Measurement:
    """What a report and metrics.json are made of.

    per_query: system, query_id, kind, segment, then a column per metric (null = left out of the mean). A
    baseline has no row for a query that it cannot read: BM25 none for a photo.
    summary: system, segment (the name of a part of the queries), metric, mean, low, high, queries, left_out,
    unread (queries of the part that the system cannot read).
    tests: segment, model, against, metric, difference, low, high, p_value, p_holm, wins, losses, ties, on the
    queries that both read; Holm's correction over the parts, for each `against` by itself.
    best: by kind of query, the baseline of the highest mean headline. Where they differ, the system BEST has
    each query's own among the rows.
    """

    per_query: pl.DataFrame
    summary: pl.DataFrame
    tests: pl.DataFrame
    model: str
    headline: str
    best: Mapping[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> list[str]:
        """The systems that learn nothing, in order."""
        systems = self.per_query["system"].unique(maintain_order=True)
        return [name for name in systems if name == BEST or is_baseline(name)]

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()

    def rival(self, part: str) -> str | None:
        """The baseline that systems are measured against on a part of the queries: the best for their kind, or BEST."""
        kinds = parts(self.per_query)[part]["kind"].unique()
        found = {self.best[kind] for kind in kinds if kind in self.best}
        return BEST if len(found) > 1 else next(iter(found), None)


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


def test_of(measured: Measurement, part: str, against: str) -> dict[str, Any] | None:
    """The test of the model against another system on a part of the queries; None where there is none."""
    if not measured.tests.height:
        return None
    found = measured.tests.filter((pl.col("segment") == part) & (pl.col("against") == against))
    return found.row(0, named=True) if found.height else None


def _family(metric: str) -> str:
    return metric.split("@", maxsplit=1)[0].split("(", maxsplit=1)[0]


def measure(
    pairs: pl.DataFrame,
    scores: Mapping[str, np.ndarray],
    queries: pl.DataFrame,
    config: EvaluationConfig,
    model: str,
    by_bag: Mapping[str, ByBag] | None = None,
) -> Measurement:
    """Evaluate every system's scores (n,) on `pairs` (query_id, product_id, grade), `model` against the rest.

    queries: query_id, and text, image, media.* and segment where they are known: what a query has decides its
    kind. Rows whose score is NaN for the model (in no test part), or that are not judged, are left out for all.
    by_bag: by system, where it is a mean of several models; then tests hold the noise of training, too.
    """
    held_out = np.isfinite(scores[model]) & pairs["grade"].is_not_null().to_numpy()
    judged = pairs.select("query_id", "product_id", "grade").filter(held_out)
    lists = {name: judged.with_columns(score=pl.Series(values[held_out])) for name, values in scores.items()}
    bags = {name: ByBag(one.scores[held_out], one.split[held_out]) for name, one in (by_bag or {}).items()}
    return measure_lists(lists, queries, config, model, bags)


def measure_lists(
    lists: Mapping[str, pl.DataFrame],
    queries: pl.DataFrame,
    config: EvaluationConfig,
    model: str,
    by_bag: Mapping[str, ByBag] | None = None,
) -> Measurement:
    """Evaluate every system's own scored pairs (as `evaluate` takes them), `model` against the rest.

    All systems' pairs are of the same queries, whatever they retrieved for them. by_bag: as `measure` takes it,
    row-aligned with a system's own pairs.
    """
    tables = {name: _values(name, pairs, config, by_bag or {}) for name, pairs in lists.items()}
    return measurement_of(tables, queries, config, model, headline_metric(config))


def measurement_of(
    tables: Mapping[str, pl.DataFrame],
    queries: pl.DataFrame,
    config: EvaluationConfig,
    model: str,
    metric: str,
) -> Measurement:
    """Of every system's values, a row a query (query_id, a column a measure); metric: the headline among them."""
    kinds = query_kinds(queries.join(tables[model], on="query_id", how="semi"))
    per_query = pl.concat([_readable(table, name, kinds) for name, table in tables.items()])
    best = best_baselines(per_query, metric)
    if len(set(best.values())) > 1:
        own = best_values(per_query, best).with_columns(system=pl.lit(BEST))
        names = list(tables)
        last = max(place for place, name in enumerate(names) if is_baseline(name))
        first = per_query["system"].is_in(names[: last + 1])
        per_query = pl.concat([per_query.filter(first), own, per_query.filter(~first)])
    tests = compare_all(per_query, model, metric, config)
    return Measurement(per_query, _summaries(per_query, config), tests, model, metric, best)


def _values(
    name: str, pairs: pl.DataFrame, config: EvaluationConfig, by_bag: Mapping[str, ByBag]
) -> pl.DataFrame:
    if name in by_bag:
        return evaluate_bags(pairs, by_bag[name], config)
    values = evaluate(pairs, config)
    return without_bags(values) if by_bag else values


def best_baselines(per_query: pl.DataFrame, metric: str) -> dict[str, str]:
    """By kind of query, the baseline of the highest mean over its counted queries; the first of equals.

    It is chosen on these very queries, which favours the baseline.
    """
    plain = [name for name in per_query["system"].unique(maintain_order=True) if is_baseline(name)]
    order = pl.col("system").replace_strict({name: place for place, name in enumerate(plain)}, default=None)
    means = (
        per_query.filter(pl.col("system").is_in(plain) & pl.col(metric).is_not_null())
        .group_by("kind", "system")
        .agg(mean=pl.col(metric).sort().mean().round(12))  # in order of value: rounding may choose nothing
        .sort(-pl.col("mean"), pl.col("system") == RANDOM, order)
        .unique("kind", keep="first", maintain_order=True)
    )
    found = dict(means.select("kind", "system").rows())
    return {kind: found[kind] for kind in in_order(means["kind"])}


def best_values(per_query: pl.DataFrame, best: Mapping[str, str]) -> pl.DataFrame:
    """Each query's row of the baseline that is best for its kind."""
    chosen = pl.DataFrame(
        {"kind": [*best], "system": [*best.values()]}, schema=dict.fromkeys(("kind", "system"), pl.String)
    )
    return per_query.join(chosen, on=["kind", "system"], how="semi", maintain_order="left").sort("query_id")


def _readable(values: pl.DataFrame, system: str, kinds: pl.DataFrame) -> pl.DataFrame:
    """The system's values of the queries that it can read, with their kind and segment."""
    joined = values.join(kinds, on="query_id", how="left", maintain_order="left").with_columns(
        pl.col("kind").fill_null(UNKNOWN), system=pl.lit(system)
    )
    needed = needs_of(system)
    if needed is not None:
        joined = joined.filter(pl.col("has").list.contains(needed) | (pl.col("kind") == UNKNOWN))
    first = ["system", "query_id", "kind", "segment"]
    return joined.select(*first, *(name for name in values.columns if name != "query_id"))


def compare_all(per_query: pl.DataFrame, model: str, metric: str, config: EvaluationConfig) -> pl.DataFrame:
    """Paired tests of `model` against every other system, part by part, on the queries that the other reads.

    Holm's correction is over the parts, so that one more system costs the others nothing.
    """
    frames = []
    for other in per_query["system"].unique(maintain_order=True):
        rows = [
            {"segment": segment, "model": model, "against": other}
            | asdict(compare(*_paired(part, model, other), metric, config.bootstrap))
            for segment, part in parts(per_query).items()
            if other != model and part.filter(pl.col("system") == other)[metric].count()
        ]
        if rows:
            adjusted = holm([row["p_value"] for row in rows])
            frames.append(pl.DataFrame(rows).with_columns(p_holm=pl.Series(adjusted)))
    return pl.concat(frames) if frames else pl.DataFrame()


def _paired(part: pl.DataFrame, model: str, other: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    ours, theirs = (part.filter(pl.col("system") == name) for name in (model, other))
    return ours.join(theirs, on="query_id", how="semi"), theirs


def parts(per_query: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """All queries, each kind where there are several, and what a segment divides a kind into; none twice.

    Where all of a part's queries are of one kind it has no rows of BEST, which says nothing there.
    """
    found = {ALL: per_query}
    queries = per_query.select("query_id", "kind", "segment").unique().sort("query_id")
    for _, name, ids in parts_of(queries):
        part = pl.col("query_id").is_in(ids.implode()) & (pl.col("system") != BEST)
        found[name] = per_query.filter(part)
    return found


def _summaries(per_query: pl.DataFrame, config: EvaluationConfig) -> pl.DataFrame:
    frames = []
    for segment, part in parts(per_query).items():
        asked = part["query_id"].n_unique()
        systems = per_query["system"].unique(maintain_order=True)
        for system in (name for name in systems if name != BEST or segment == ALL):
            mine = part.filter(pl.col("system") == system)
            means = summarise(mine.drop("system", "kind", "segment"), config).drop("convention")
            frames.append(
                means.select(
                    pl.lit(system).alias("system"), pl.lit(segment).alias("segment"), pl.all()
                ).with_columns(unread=asked - mine.height)
            )
    return pl.concat(frames)
