"""From a scored table to one row of measures per query, and from there to means with intervals.

The conventions (gain, ties, unjudged rows, empty queries) are settings, because they move published
figures by tenths; `convention` says them in one sentence, to be printed with every table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.errors import InputError
from ltr.data.gains import Gain, gains_of
from ltr.evaluation import metrics
from ltr.evaluation.metrics import FloatArray, IntArray, Rankings
from ltr.evaluation.significance import BootstrapConfig, bootstrap_interval
from ltr.evaluation.training_noise import BAGS, SPLIT, ByBag, with_bags

Cutoff = Annotated[int, Field(ge=1)]

NEEDED = {"query_id": pl.String, "product_id": pl.String, "grade": pl.Float64, "score": pl.Float64}
NOT_METRICS = (
    "query_id",
    "rows",
    "relevant",
    SPLIT,
    BAGS,
)  # columns of the per-query table that are no measures
# Rows measured at once: a whole table at a time held more than twice the table beside it, and parts this small
# cost nothing: they stay in the processor's cache. The 2^32 rows that polars takes make 2^16 parts.
ROWS_AT_ONCE = 65_536


class EvaluationConfig(BaseModel):
    """The conventions under which a ranking is measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gain: Gain = "exp"
    cutoffs: tuple[Cutoff, ...] = Field(
        default=(1, 5, 10), min_length=1, description="the k of nDCG@k, P@k, …"
    )
    relevant_from: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="the lowest grade that P, R, F1, AP and RR call relevant",
    )
    empty_queries: Literal["skip", "zero", "one"] = Field(
        default="skip",
        description="a query with nothing relevant: left out of the mean, or counted as 0 or as 1",
    )
    ties: Literal["product_id", "trec_eval"] = Field(
        default="product_id",
        description="equal scores: by product_id, or as trec_eval has them (32-bit scores, the last id first)",
    )
    bootstrap: BootstrapConfig = BootstrapConfig()

    @field_validator("cutoffs")
    @classmethod
    def _each_once(cls, cutoffs: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(cutoffs)))


def convention(config: EvaluationConfig) -> str:
    """Say in one sentence how the figures were reckoned, for reports."""
    if isinstance(config.gain, dict):
        gain = "by table " + ", ".join(f"{grade:g}→{gain:g}" for grade, gain in sorted(config.gain.items()))
    else:
        gain = {"exp": "2^grade − 1", "linear": "the grade"}[config.gain]
    empty = {"skip": "left out of the mean", "zero": "counted as 0", "one": "counted as 1"}
    ties = {"product_id": "by product_id", "trec_eval": "as trec_eval does, by product_id, the last first"}
    return (
        f"nDCG with gain {gain} and discount 1/log2(1 + rank); relevant from grade {config.relevant_from:g}; "
        f"unjudged products have grade 0; equal scores ranked {ties[config.ties]}; "
        f"queries with nothing relevant (for nDCG: no gain) {empty[config.empty_queries]}."
    )


def headline_metric(config: EvaluationConfig) -> str:
    """nDCG at 10, or at the largest cutoff where 10 is none of them."""
    return f"nDCG@{10 if 10 in config.cutoffs else max(config.cutoffs)}"


def metric_names(config: EvaluationConfig) -> list[str]:
    """Columns of measures that `evaluate` returns, in order: nDCG@10, …, P(rel=2)@10, …, AP(rel=2).

    Named as in ir-measures, save that nDCG@k does not name its gain (`convention` does), and that F1@k
    and its kind are ours.
    """
    rel = "" if config.relevant_from == 1 else f"(rel={config.relevant_from:g})"
    kinds = ("nDCG", f"P{rel}", f"R{rel}", f"F1{rel}", "Judged")
    return [*(f"{kind}@{k}" for kind in kinds for k in config.cutoffs), f"AP{rel}", f"RR{rel}"]


def evaluate(pairs: pl.DataFrame, config: EvaluationConfig | None = None) -> pl.DataFrame:
    """Measure each query of a scored table; one row a query, sorted by query_id.

    pairs: query_id, product_id, grade (null = unjudged: no gain, not relevant) and score (null = judged
    but not retrieved: counts in the ideal list and in the number of relevant products only), in any
    order. Returns query_id, rows, relevant, and the columns of `metric_names`. A value is null where
    the query has nothing to find and such queries are left out.
    Raises InputError for NaN scores, grades that are negative, not finite or without a gain, missing
    keys, and pairs that occur twice.
    """
    config = config or EvaluationConfig()
    pairs = _keyed(pairs)
    _check(pairs)
    categories = pl.Categories.random()
    code = pairs["query_id"].cast(pl.Categorical(categories))  # a third of the time that unique and Enum take
    query_ids = categories.to_series()
    pairs = pairs.select("product_id", "grade", "score", query=code.to_physical())
    parts = [
        _measured(pairs[rows], first, queries, config)
        for first, queries, rows in _parts(pairs["query"].to_numpy(), len(query_ids))
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    empty = {"skip": None, "zero": 0.0, "one": 1.0}[config.empty_queries]
    per_query = pl.DataFrame({"query_id": query_ids, **columns})
    return per_query.with_columns(pl.col(metric_names(config)).fill_nan(empty)).sort("query_id")


def _parts(query: npt.NDArray[np.uint32], queries: int) -> Iterator[tuple[int, int, IntArray]]:
    """The first query, the number of queries and all their rows: about ROWS_AT_ONCE at a time."""
    ends = np.cumsum(np.bincount(query, minlength=queries))
    part = (ends // ROWS_AT_ONCE).astype(np.uint16)
    rows = np.argsort(part[query], kind="stable")  # of 16 bits: a radix sort
    first = np.append(0, np.flatnonzero(np.diff(part)) + 1)
    counts = np.diff(first, append=queries)
    return zip(first.tolist(), counts.tolist(), np.split(rows, ends[first[1:] - 1]), strict=True)


def _measured(
    pairs: pl.DataFrame, first: int, queries: int, config: EvaluationConfig
) -> dict[str, np.ndarray]:
    """Columns of values, one for each of the queries from the first; pairs: all their rows."""
    query = pairs["query"].to_numpy().astype(np.int64) - first
    grade = pairs["grade"].to_numpy()  # NaN where unjudged
    judged = ~np.isnan(grade)
    known = np.flatnonzero(judged)
    gain = np.zeros(len(grade))
    gain[known] = _gains(grade[known], config)
    product_id, score = pairs["product_id"], pairs["score"]
    if config.ties == "trec_eval":  # which compares 32 bits of a score, and then takes the last id first
        product_id, score = -product_id.rank("dense").cast(pl.Int64), score.cast(pl.Float32).cast(pl.Float64)
    rankings = metrics.rank(
        query=query,
        product_id=product_id,
        score=score.to_numpy(),
        gain=gain,
        relevant=grade >= config.relevant_from,
        judged=judged,
        queries=queries,
    )
    counts = {"rows": np.bincount(query, minlength=queries), "relevant": rankings.relevant}
    return counts | dict(zip(metric_names(config), _values(rankings, config), strict=True))


def check_gain(grades: FloatArray, config: EvaluationConfig) -> None:
    """Raise InputError, before a ranker is trained, for a grade (n,) that the gain has no value for."""
    _gains(grades, config)


def _gains(grades: FloatArray, config: EvaluationConfig) -> FloatArray:
    return gains_of(grades, config.gain, "evaluation.gain", too_high=1024)


def _keyed(pairs: pl.DataFrame) -> pl.DataFrame:
    """The four columns; InputError where one, or a key, is missing."""
    missing = [name for name in NEEDED if name not in pairs.columns]
    if missing:
        raise _bad(f"the columns {', '.join(NEEDED)}", f"none named {', '.join(missing)}", "add them")
    pairs = pairs.select(pl.col(name).cast(dtype) for name, dtype in NEEDED.items())
    if pairs["query_id"].null_count() or pairs["product_id"].null_count():
        raise _bad("a query_id and a product_id in every row", "null", "drop those rows")
    return pairs


def _check(pairs: pl.DataFrame) -> None:
    """Raise InputError for what would make the figures wrong."""
    if pairs["score"].is_nan().any():
        raise _bad(
            "scores that can be ordered", "NaN", "mend the ranker, or give null for what it did not retrieve"
        )
    grades = pairs["grade"]
    if not (grades.is_finite() & (grades >= 0)).all():
        raise _bad("grades of 0 or more", f"{grades.min()!r} … {grades.max()!r}", "map them to 0, 1, 2, …")
    if twice := _first_duplicate(pairs):
        raise _bad(
            "each pair once", f"{twice[0]!r}, {twice[1]!r} more than once", "keep one row of each pair"
        )


def _first_duplicate(pairs: pl.DataFrame) -> tuple[str, str] | None:
    mixed = pl.col("query_id").hash(1) ^ pl.col("product_id").hash(2)
    hashes = np.empty(pairs.height, dtype=np.uint64)
    for start in range(0, pairs.height, ROWS_AT_ONCE):  # all at once would hold three times the memory
        rows = slice(start, start + ROWS_AT_ONCE)
        hashes[rows] = pairs[rows].select(mixed).to_series()
    hashes.sort()
    if not (hashes[1:] == hashes[:-1]).any():  # a proof, at a third of the time that is_duplicated takes
        return None
    keys = pairs.select("query_id", "product_id")
    repeated = keys.filter(keys.is_duplicated())
    return repeated.row(0) if repeated.height else None


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="scored pairs", expected=expected, got=got, cure=cure)


def _values(rankings: Rankings, config: EvaluationConfig) -> Iterator[FloatArray]:
    """Values per query in the order of `metric_names`; NaN where there is nothing to find."""
    for measure in (metrics.ndcg, metrics.precision, metrics.recall, metrics.f1, metrics.judged):
        for k in config.cutoffs:
            yield measure(rankings, k)
    yield metrics.average_precision(rankings)
    yield metrics.reciprocal_rank(rankings)


def evaluate_bags(pairs: pl.DataFrame, by_bag: ByBag, config: EvaluationConfig) -> pl.DataFrame:
    """As `evaluate`, with the headline of each of a ranker's models beside it: what its training leaves to chance.

    pairs: as `evaluate` takes them; by_bag: row-aligned with them.
    """
    metric = headline_metric(config)
    short = config.model_copy(update={"cutoffs": (int(metric.split("@")[1]),)})
    values = evaluate(pairs, config)
    split = pairs.select("query_id", pl.Series(SPLIT, by_bag.split, pl.Int32)).unique("query_id")
    tables = (evaluate(pairs.with_columns(score=pl.Series(bag)), short) for bag in by_bag.scores.T)
    bags = [
        values.join(one, on="query_id", how="left", maintain_order="left", suffix=" bag")[f"{metric} bag"]
        for one in tables
    ]
    return with_bags(values, split, bags)


def summarise(per_query: pl.DataFrame, config: EvaluationConfig) -> pl.DataFrame:
    """Mean of each measure over queries, with its bootstrap interval; one row a measure.

    per_query: as from `evaluate`, or any part of its rows (a segment). Returns metric, mean, low, high,
    queries (counted), left_out, convention; mean and interval are null where no query counts.
    """
    names = [name for name in per_query.columns if name not in NOT_METRICS]
    values = per_query.select(names).cast(pl.Float64).to_numpy()
    mean, low, high = np.full((3, len(names)), np.nan)
    counted = np.isfinite(values)
    # Measures that count the same queries share their resamples.
    for pattern in np.unique(counted, axis=1).T if len(values) else ():
        columns = np.flatnonzero((counted == pattern[:, None]).all(axis=0))
        if pattern.any():
            kept = np.sort(values[np.ix_(pattern, columns)], axis=0)
            mean[columns] = kept.mean(axis=0)
            low[columns], high[columns] = bootstrap_interval(kept, config.bootstrap)
    queries = counted.sum(axis=0)
    return pl.DataFrame(
        {"metric": names, "mean": mean, "low": low, "high": high}
        | {"queries": queries, "left_out": len(values) - queries, "convention": convention(config)}
    ).with_columns(pl.col("mean", "low", "high").fill_nan(None))
