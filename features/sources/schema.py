"""The canonical tables: columns, dtypes and rules; a row that breaks a rule is set apart with its reason.

Tables may carry further columns (a split, extra attributes, photos as bytes or paths), which go unchecked.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

Schema = type[dy.Schema]


class Products(dy.Schema):
    """One row a product; what is not known is null."""

    product_id = dy.String(nullable=False, min_length=1)
    title = dy.String(nullable=True)
    description = dy.String(nullable=True)
    brand = dy.String(nullable=True)
    category = dy.String(nullable=True)
    price = dy.Float64(nullable=True, min_exclusive=0)
    list_price = dy.Float64(nullable=True, min_exclusive=0)
    rating = dy.Float64(nullable=True)
    rating_count = dy.Float64(nullable=True)
    listed_at = dy.Datetime(nullable=True, time_unit="us")


class Queries(dy.Schema):
    """One row a query: a text, a photo, or both."""

    query_id = dy.String(nullable=False, min_length=1)
    text = dy.String(nullable=True)


class Judgements(dy.Schema):
    """One row a judged pair; a higher grade is better and 0 is irrelevant."""

    query_id = dy.String(nullable=False, min_length=1)
    product_id = dy.String(nullable=False, min_length=1)
    grade = dy.Float64(nullable=False, min=0, allow_inf=False, allow_nan=False)


_PLAIN = {
    "nullability": "missing",
    "min_length": "empty",
    "min": "negative",
    "min_exclusive": "not above 0",
    "nan": "NaN",
    "inf": "infinite",
}


def separate(schema: Schema, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that keep the rules, and the others with a `reason` column ("grade missing, …").

    Raises dataframely's SchemaError if a column is missing or of another dtype: the caller's fault.
    """
    # Widened by the frame's other columns, which dataframely would drop.
    riders = {name: dy.Any() for name in frame.columns if name not in schema.column_names()}
    widened: Schema = type(schema.__name__, (schema,), riders)
    good, failure = widened.filter(frame)
    details = failure.details()
    rules = [name for name in details.columns if name not in frame.columns]
    broken = [pl.when(pl.col(rule) == "invalid").then(pl.lit(_in_words(rule))) for rule in rules]
    reason = pl.concat_str(broken, separator=", ", ignore_nulls=True) if rules else pl.lit("")
    return good.select(frame.columns), details.select(*frame.columns, reason=reason)


def completed(schema: Schema, frame: pl.DataFrame) -> pl.DataFrame:
    """The schema's columns in its order, null where the frame lacks them, then the frame's others."""
    absent = {name: dtype for name, dtype in pl.Schema(schema).items() if name not in frame.columns}
    full = frame.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in absent.items())
    return full.select(*schema.column_names(), pl.exclude(schema.column_names()))


def _in_words(rule: str) -> str:
    column, _, broken = rule.partition("|")
    return f"{column} {_PLAIN[broken]}"
