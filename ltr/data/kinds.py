"""The kind of a query is what it has: words, a photo, both, or files of another modality.

Nobody's labels decide it, so that no scorer is ever measured on queries that it could not read as if it had
tried. A `segment` that the user brings may divide a kind further, and never joins two.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from features.media.columns import media_columns, modality_of

WORDS, PHOTO = "words", "photo"
UNKNOWN = "unknown"  # queries by their ids alone, such as those of ready-made features
FEWEST = 10  # queries: below this the mean of a part says nothing, and the part is left out


def query_kinds(queries: pl.DataFrame) -> pl.DataFrame:
    """query_id, kind, has, segment of each query; segment null where it says no more than the kind does.

    queries: query_id, and text, image, media.* and segment where they are known. has: a list of what the query
    has, in the words that kinds are made of.
    """
    words = {"text": WORDS, "image": PHOTO}
    named = ("text", "image", *media_columns(queries.columns))
    columns = {words.get(name) or modality_of(name): name for name in named}
    known = {part: column for part, column in columns.items() if column in queries.columns}
    there = [_there(queries, column, part) for part, column in known.items()]
    has = pl.concat_list([pl.lit(None, pl.String), *there]).list.drop_nulls()
    segment = pl.col("segment") if "segment" in queries.columns else pl.lit(None)
    found = queries.select("query_id", has=has, segment=segment.cast(pl.String))
    kinds = pl.Series([_joined(parts) for parts in found["has"].to_list()], dtype=pl.String)
    divides = pl.col("segment").n_unique().over("kind") > 1
    refining = pl.when(divides).then("segment").otherwise(None)
    return found.with_columns(kind=kinds).select("query_id", "kind", "has", segment=refining)


def in_order(kinds: pl.Series) -> list[str]:
    """The distinct ones: words, photo, both, then others by name."""
    first = [WORDS, PHOTO, _joined([WORDS, PHOTO])]
    found = kinds.unique().sort().to_list()
    return [kind for kind in first if kind in found] + [kind for kind in found if kind not in first]


def parts_of(queries: pl.DataFrame) -> Iterator[tuple[str, str, pl.Series]]:
    """(`kind` or `segment`, name, query_ids) of each kind, then of each part that `segment` divides one into.

    queries: query_id, kind and segment. Nothing where all are of one kind and undivided; parts of fewer than
    FEWEST queries are left out.
    """
    kinds = in_order(queries["kind"])
    for kind in kinds if len(kinds) > 1 else ():
        yield "kind", kind, queries.filter(kind=kind)["query_id"]
    for kind in kinds:
        mine = queries.filter(kind=kind)
        for segment in mine["segment"].drop_nulls().unique().sort():
            part = mine.filter(segment=segment)
            if FEWEST <= part.height < mine.height:
                yield "segment", segment if kind == UNKNOWN else f"{kind}: {segment}", part["query_id"]


def _there(queries: pl.DataFrame, column: str, part: str) -> pl.Expr:
    there = pl.col(column).is_not_null()
    if queries.schema[column] == pl.String:
        there &= pl.col(column).str.strip_chars() != ""
    return pl.when(there).then(pl.lit(part)).otherwise(None)


def _joined(parts: list[str]) -> str:
    if not parts:
        return UNKNOWN
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
