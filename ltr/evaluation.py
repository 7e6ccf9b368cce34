"""From a scored table to one row of measures per query, and from there to means with intervals.

The conventions (gain, ties, unjudged rows, empty queries) are settings, because they move published
figures by tenths; `convention` says them in one sentence, to be printed with every table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.errors import InputError
from ltr import metrics
from ltr.metrics import BoolArray, FloatArray, IntArray, Rankings
from ltr.significance import BootstrapConfig, bootstrap_interval

Grade = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Gain = Annotated[float, Field(ge=0, allow_inf_nan=False)]
GainTable = Annotated[dict[Grade, Gain], Field(min_length=1)]
Cutoff = Annotated[int, Field(ge=1)]

NEEDED = {"query_id": pl.String, "product_id": pl.String, "grade": pl.Float64, "score": pl.Float64}
NOT_METRICS = ("query_id", "rows", "relevant")  # columns of the per-query table that are no measures
# Rows measured at once: all ten million rows of a table at a time held more than twice the table beside it,
# and parts this small cost nothing: they sort in the processor's cache.
ROWS_AT_ONCE = 250_000


class EvaluationConfig(BaseModel):
    """The conventions under which a ranking is measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gain: Literal["exp", "linear"] | GainTable = Field(
        default="exp", description="of nDCG: exp = 2^grade - 1, linear = the grade, or a table {grade: gain}"
    )
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
    return (
        f"nDCG with gain {gain} and discount 1/log2(1 + rank); relevant from grade {config.relevant_from:g}; "
        "unjudged products have grade 0; equal scores ranked by product_id; "
        f"queries with nothing relevant (for nDCG: no gain) {empty[config.empty_queries]}."
    )


def metric_names(config: EvaluationConfig) -> list[str]:
    """Columns of measures that `evaluate` returns, in order: nDCG@10, …, P(rel=2)@10, …, AP(rel=2).

    Named as in ir-measures, save that nDCG@k does not name its gain (`convention` does), and that F1@k
    and its kind are ours.
    """
    rel = "" if config.relevant_from == 1 else f"(rel={config.relevant_from:g})"
    kinds = ("nDCG", f"P{rel}", f"R{rel}", f"F1{rel}", "Judged")
    return [*(f"{kind}@{k}" for kind in kinds for k in config.cutoffs), f"AP{rel}", f"RR{rel}"]


def evaluate(pairs: pl.DataFrame, config: EvaluationConfig) -> pl.DataFrame:
    """Measure each query of a scored table; one row a query, sorted by query_id.

    pairs: query_id, product_id, grade (null = unjudged: no gain, not relevant) and score (null = judged
    but not retrieved: counts in the ideal list and in the number of relevant products only), in any
    order. Returns query_id, rows, relevant, and the columns of `metric_names`. A value is null where
    the query has nothing to find and such queries are left out.
    Raises InputError for NaN scores, grades that are negative, not finite or without a gain, missing
    keys, and pairs that occur twice.
    """
    pairs = _keyed(pairs)
    queries = pairs["query_id"].unique().sort()
    return pl.concat(_evaluate_part(part, ids, config) for ids, part in _parts(pairs, queries))


def _parts(pairs: pl.DataFrame, queries: pl.Series) -> Iterator[tuple[pl.Series, pl.DataFrame]]:
    """Queries, in order, with all their rows: about ROWS_AT_ONCE at a time."""
    if pairs.height <= ROWS_AT_ONCE:
        yield queries, pairs
        return
    code = pairs["query_id"].cast(pl.Enum(queries)).to_physical()
    part_of = np.cumsum(np.bincount(code.to_numpy())) // ROWS_AT_ONCE
    starts = np.flatnonzero(np.diff(part_of, prepend=-1))
    ends = [*starts[1:].tolist(), len(queries)]
    for first, last in zip(starts.tolist(), ends, strict=True):
        yield queries[first:last], pairs.filter(code.is_between(first, last - 1))


def _evaluate_part(pairs: pl.DataFrame, queries: pl.Series, config: EvaluationConfig) -> pl.DataFrame:
    """As `evaluate`, of keyed pairs and their distinct queries, sorted."""
    _check(pairs)
    rankings, rows = _ranked(pairs, queries, config)
    empty = {"skip": None, "zero": 0.0, "one": 1.0}[config.empty_queries]
    values = zip(metric_names(config), _measured(rankings, config), strict=True)
    return pl.DataFrame(
        [
            queries,
            pl.Series("rows", rows),
            pl.Series("relevant", rankings.relevant),
            *(pl.Series(name, value).fill_nan(empty) for name, value in values),
        ]
    )


def check_gain(grades: FloatArray, config: EvaluationConfig) -> None:
    """Raise InputError, before a ranker is trained, for a grade (n,) that the gain has no value for."""
    _gains(grades, np.ones(len(grades), dtype=np.bool_), config.gain)


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
    hashes = np.sort(pairs.select(mixed).to_series().to_numpy())
    if not (hashes[1:] == hashes[:-1]).any():  # a proof, at a third of the time that is_duplicated takes
        return None
    keys = pairs.select("query_id", "product_id")
    repeated = keys.filter(keys.is_duplicated())
    return repeated.row(0) if repeated.height else None


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="scored pairs", expected=expected, got=got, cure=cure)


def _ranked(pairs: pl.DataFrame, queries: pl.Series, config: EvaluationConfig) -> tuple[Rankings, IntArray]:
    """The ranked lists, and the number of rows, of each query."""
    query = pairs["query_id"].cast(pl.Enum(queries)).to_physical().to_numpy().astype(np.int64)
    grade = pairs["grade"].fill_null(0.0).to_numpy()
    judged = pairs["grade"].is_not_null().to_numpy()
    rankings = metrics.rank(
        query=query,
        product_id=pairs["product_id"],
        score=pairs["score"].to_numpy(),
        gain=_gains(grade, judged, config.gain),
        relevant=grade >= config.relevant_from,
        judged=judged,
        queries=len(queries),
    )
    return rankings, np.bincount(query, minlength=len(queries))


def _gains(
    grade: FloatArray, judged: BoolArray, gain: Literal["exp", "linear"] | dict[float, float]
) -> FloatArray:
    """Gain of each row; 0 for the unjudged."""
    if gain == "linear":
        return grade
    if gain == "exp":
        with np.errstate(over="ignore"):
            gains = np.exp2(grade) - 1.0
        if not np.isfinite(gains).all():
            cure = "give a table: evaluation.gain {grade: gain}"
            raise _bad("grades up to 1023 for gain 2^grade - 1", f"{grade.max():g}", cure)
        return gains
    known = np.array(sorted(gain))
    place = np.searchsorted(known, grade).clip(max=len(known) - 1)
    absent = grade[judged & (known[place] != grade)]
    if len(absent):
        raise _bad(
            f"the grades of the gain table, {known.tolist()}", f"{absent[0]:g}", "add it to evaluation.gain"
        )
    return np.where(judged, np.array([gain[key] for key in known])[place], 0.0)


def _measured(rankings: Rankings, config: EvaluationConfig) -> Iterator[FloatArray]:
    """Values per query in the order of `metric_names`; NaN where there is nothing to find."""
    for measure in (metrics.ndcg, metrics.precision, metrics.recall, metrics.f1, metrics.judged):
        for k in config.cutoffs:
            yield measure(rankings, k)
    yield metrics.average_precision(rankings)
    yield metrics.reciprocal_rank(rankings)


def summarise(per_query: pl.DataFrame, config: EvaluationConfig) -> pl.DataFrame:
    """Mean of each measure over queries, with its bootstrap interval; one row a measure.

    per_query: as from `evaluate`, or any part of its rows (a segment). Returns metric, mean, low, high,
    queries (counted), left_out, convention; mean and interval are null where no query counts.
    """
    names = [name for name in per_query.columns if name not in NOT_METRICS]
    values = per_query.select(names).cast(pl.Float64).to_numpy()
    mean, low, high = np.full((3, len(names)), np.nan)
    counted = np.isfinite(values)
    for pattern in np.unique(counted, axis=1).T:  # measures that count the same queries share their resamples
        columns = np.flatnonzero((counted == pattern[:, None]).all(axis=0))
        if pattern.any():
            kept = values[np.ix_(pattern, columns)]
            mean[columns] = kept.mean(axis=0)
            low[columns], high[columns] = bootstrap_interval(kept, config.bootstrap)
    queries = counted.sum(axis=0)
    return pl.DataFrame(
        {"metric": names, "mean": mean, "low": low, "high": high}
        | {"queries": queries, "left_out": len(values) - queries, "convention": convention(config)}
    ).with_columns(pl.col("mean", "low", "high").fill_nan(None))
