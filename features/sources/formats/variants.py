"""Rows of one product's variants, of which only the first says what the product is (Shopify's export)."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from features.sources.columns import Source
from features.sources.parsing import values
from features.sources.remarks import Said

_HANDLE = "handle"
_SHARED = ("title", "description", "brand", "category")


def with_group_texts(source: Source) -> Source:
    """The source with the texts that a row lacks taken from the first row of its group that has them.

    The group is data.products.columns.group; without that a column called Handle, as Shopify's.
    """
    named = source.mapping["group"] is not None
    group = source.named("group") if named else source.like(_HANDLE)
    columns = [column for name in _SHARED for column in source.named(name)]
    if not group or not columns:
        return source
    key = values.joined_text([source.frame[column] for column in group])
    frame = source.frame.with_columns(key.alias("__group"))
    empty = {column: values.missing(frame[column]) for column in columns}
    first = [
        pl.when(pl.col("__group").is_not_null())
        .then(pl.col(column).fill_null(pl.col(column).drop_nulls().first().over("__group")))
        .otherwise(pl.col(column))
        for column in columns
    ]
    filled = frame.with_columns(
        pl.lit(frame[c].set(empty[c], None)).alias(c) for c in columns if empty[c].any()
    )
    filled = filled.with_columns(first).drop("__group")
    changed = pl.DataFrame([filled[c].is_not_null() & empty[c] for c in columns]).select(
        pl.any_horizontal(pl.all())
    )
    count = int(changed.to_series().sum())
    if not count:
        return source
    evidence = f"{count:,} rows without a text of their own took it from the first row of their {group[0]!r}"
    source.remark([Said("PASS", evidence)], "variants")
    return replace(source, frame=filled)
