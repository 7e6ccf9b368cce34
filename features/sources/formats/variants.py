"""Rows of one product's variants, of which only the first or the parent says what the product is (as Shopify's)."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from features.sources.columns import Source
from features.sources.parsing import values
from features.sources.remarks import Said

_HANDLES = ("handle", "url_handle")
_GROUPS = (*_HANDLES, "item_group_id", "parent_sku", "parent_id", "parent")
_SHARED = ("title", "description", "brand", "category", "image")


def with_group_texts(source: Source) -> Source:
    """The source with the texts and photos that a row lacks taken from the first row of its group that has them.

    The group is data.products.columns.group; without that a column called as shops call it (Shopify's Handle, Google's
    item_group_id, WooCommerce's Parent). A row without a group is the parent of those that name its id, or, where each
    product has its handle on its first row only, belongs to the product above.
    """
    named = source.mapping["group"] is not None
    group = source.named("group") if named else next(filter(None, map(source.like, _GROUPS)), [])
    columns = [column for name in _SHARED for column in source.named(name)]
    if not group or not columns:
        return source
    keys = _keys(source, group)
    if named or group == next(filter(None, map(source.like, _HANDLES)), []):
        keys = _as_above(source, group, keys)
    frame = source.frame.with_columns(keys.alias("__group"))
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
    evidence = f"{count:,} rows without a text or photo of their own took it from the first row of their {group[0]!r}"
    source.remark([Said("PASS", evidence)], "variants")
    return replace(source, frame=filled)


def _as_above(source: Source, group: list[str], keys: pl.Series) -> pl.Series:
    """Rows with neither group nor title take the group above, if no group is named twice: then only first rows do."""
    written = values.joined_text([source.frame[column] for column in group]).replace("", None)
    title = source.text("title")
    if title is None or not written.null_count() or written.drop_nulls().is_duplicated().any():
        return keys
    below = written.is_null() & values.missing(title)
    rows = pl.int_range(len(keys), eager=True).cast(pl.String)
    # A product without a group ends the one above.
    starts = pl.select(pl.coalesce(written, pl.lit("row ") + rows)).to_series().set(below, None)
    joined = below & starts.forward_fill().is_not_null()
    if not joined.any():
        return keys
    some = f"{int(joined.sum()):,} rows with neither {group[0]!r} nor a title"
    evidence = f"{some} are read as variants of the product above"
    source.remark([Said("PASS", evidence)], "variants")
    return starts.forward_fill()


def _keys(source: Source, group: list[str]) -> pl.Series:
    """Each row's group, or as what others name it as their parent (in WooCommerce its SKU, or `id:` and its ID)."""
    key = values.joined_text([source.frame[column] for column in group]).replace("", None)
    for column, mark in ((source.named("product_id")[:1], ""), (source.like("id"), "id:")):
        if column:
            own = mark + values.text(source.frame[column[0]])
            key = pl.select(pl.coalesce(key, pl.lit(own.set(~own.is_in(key.implode()), None)))).to_series()
    return key
