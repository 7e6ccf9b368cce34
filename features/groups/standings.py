"""Where a value stands among its query's candidates: rank share and z-score, as polars expressions.

A raw cosine of 0.4 is the best of one query's list and the worst of another's; a tree that splits
on the standing compares like with like. Nulls take no part and stay null.
"""

from __future__ import annotations

import polars as pl

_ROUNDING = 1e-6  # float32 carries 7 digits: a spread below this share of the values is rounding


def rank_share(values: pl.Expr) -> pl.Expr:
    """The share of values below each value, ties and the value itself counted half; in (0, 1).

    (average rank - 1/2) / count, Hazen's plotting position (1914): 1/2 for a single value or where
    all are equal, so that a list of any length needs no special case.
    """
    return (values.rank("average") - 0.5) / values.count()


def z_score(values: pl.Expr) -> pl.Expr:
    """(value - mean) / population standard deviation, both of the values that are there.

    0 where the values are all the same, to float32 rounding: what is left of their spread is noise,
    which a division by it would blow up. Taken in Float64.
    """
    exact = values.cast(pl.Float64)
    mean, spread = exact.mean(), exact.std(ddof=0)
    flat = spread <= _ROUNDING * exact.abs().max()
    return pl.when(exact.is_null()).then(None).when(flat).then(0.0).otherwise((exact - mean) / spread)


def rank_within(name: str) -> pl.Expr:
    """Column `NAME_rank`: `rank_share` of the column within its query_id, Float32."""
    return rank_share(pl.col(name)).over("query_id").cast(pl.Float32).alias(f"{name}_rank")


def z_within(name: str) -> pl.Expr:
    """Column `NAME_z`: `z_score` of the column within its query_id, Float32."""
    return z_score(pl.col(name)).over("query_id").cast(pl.Float32).alias(f"{name}_z")
