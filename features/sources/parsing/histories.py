"""Histories: in each row the products that somebody met before, oldest first, as a list or as text "a|b|c"."""

from __future__ import annotations

import polars as pl

from features.sources.parsing.ids import read_ids
from features.sources.parsing.numerals import Reading

HISTORY = "history"
_LIST = pl.List(pl.String())


def read_histories(column: pl.Series, where: str) -> Reading:
    """Lists of ids by the rules of `read_ids`, null for a row without any; a missing id within a list is left out.

    Raises InputError (at `where`) for ids in which digits were lost.
    """
    if not isinstance(column.dtype, pl.List | pl.Array):
        column = split(column)
    listed = pl.DataFrame({"id": column}).with_row_index("row")
    each = listed.explode("id").drop_nulls("id")
    read = read_ids(each["id"], where)
    kept = each.select("row", id=read.values).drop_nulls("id")
    lists = kept.group_by("row", maintain_order=True).agg("id")
    found = listed.select("row").join(lists, on="row", how="left", maintain_order="left")["id"]
    return Reading(found.cast(_LIST).alias(column.name), read.said)


def split(column: pl.Series) -> pl.Series:
    """Text "a|b|c" as lists; empty text is null."""
    trimmed = column.cast(pl.String).str.strip_chars("|[] ")
    return trimmed.replace("", None).str.split("|")
