"""Lists of ids in one cell, in order: as a list, as text parted by signs (a|b|c), or as programs print lists.

A history is such a list: what somebody met before, oldest first.
"""

from __future__ import annotations

import polars as pl

from features.errors import InputError
from features.sources.parsing.ids import read_ids
from features.sources.parsing.numerals import Reading
from features.sources.remarks import Said

HISTORY = "history"
_LIST = pl.List(pl.String())
_SEPARATORS = ("|", ";", ",", "\t", "\n", " ")  # the first that the column has parts all of it
_BRACKETS = r"^[\s\[\](){}|]+|[\s\[\](){}|]+$"
_QUOTED_OR_BARE = r"""'[^']*'|"[^"]*"|[^\s,;|'"]+"""
_OBJECTS = r"""^[\s\[(]*\{\s*['"]?\w+['"]?\s*:[^/]"""


def read_histories(column: pl.Series, where: str) -> Reading:
    """Lists of ids by the rules of `read_ids`, null for a row without any; a missing id within a list is left out.

    Raises InputError (at `where`) as `read_lists` does.
    """
    read = read_lists(column, where)
    kept = read.values.list.drop_nulls()
    return Reading(kept.set(kept.list.len() == 0, None), read.said)


def read_lists(column: pl.Series, where: str) -> Reading:
    """Like `read_histories`, but a missing id keeps its place as null.

    Raises InputError (at `where`) for ids in which digits were lost, and for lists of objects.
    """
    said: tuple[Said, ...] = ()
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    elif not isinstance(column.dtype, pl.List):
        column, said = split(column, where)
    listed = pl.DataFrame({"id": column}).with_row_index("row")
    each = listed.filter(pl.col("id").list.len() > 0).explode("id")
    if isinstance(each["id"].dtype, pl.Struct):
        raise _no_ids(where, f"lists of objects of {', '.join(each['id'].struct.fields)}")
    read = read_ids(each["id"], where)
    lists = each.select("row", id=read.values).group_by("row", maintain_order=True).agg("id")
    found = listed.select("row").join(lists, on="row", how="left", maintain_order="left")["id"]
    return Reading(found.cast(_LIST).alias(column.name), (*said, *read.said))


def split(column: pl.Series, where: str) -> tuple[pl.Series, tuple[Said, ...]]:
    """Text as lists of text, empty text as null; InputError (at `where`) for objects."""
    text = column.cast(pl.String)
    objects = text.str.contains(_OBJECTS).fill_null(value=False)
    if objects.any():
        raise _no_ids(where, f"objects, such as {text.filter(objects)[0][:60]!r}")
    inner = text.str.replace_all(_BRACKETS, "")
    inner = inner.set(inner == "", None)
    quoted = inner.str.contains(r"""['"]""").fill_null(value=False)
    bare = inner.set(quoted, None)
    sign = next((one for one in _SEPARATORS if bare.str.contains(one, literal=True).any()), _SEPARATORS[0])
    parts = bare.str.split(sign)
    if quoted.any():
        parts = parts.zip_with(~quoted, inner.str.extract_all(_QUOTED_OR_BARE))
    trimmed = parts.list.eval(pl.element().str.strip_chars(" \t\r\n'\""))
    lists = trimmed.list.eval(pl.when(pl.element() != "").then(pl.element()))
    if not sign.isspace():
        return lists, ()
    first = bare.filter(bare.str.contains(sign, literal=True).fill_null(value=False))[0]
    evidence = f"read {first[:60]!r} as ids parted by blanks: no other sign parts them"
    return lists, (Said("PASS", evidence),)


def _no_ids(where: str, got: str) -> InputError:
    cure = "write the ids alone, as a|b|c, or one row a product"
    return InputError(where=where, expected="lists of ids", got=got, cure=cure)
