"""Kinds of queries, so that a mean cannot hide who pays for it: how long, how often judged, at what price, …

A segment is read off the query's words, its files and its judged products, never off any scores. Its family
`kind` is what the query has; the others cut across it.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from features.batch import has_values
from features.words.brand_names import BrandNames
from features.words.price_limits import split_price_limit
from features.words.tokens import tokenise
from ltr.data.kinds import FEWEST, parts_of, query_kinds


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_TIERS = ("low prices", "middle prices", "high prices")
_COLOURS = _words(
    "beige black blue bronze brown burgundy charcoal copper coral cream crimson cyan fuchsia gold golden green grey "
    "gray indigo ivory khaki lavender lilac lime magenta maroon mauve mint multicolour multicolor mustard navy olive "
    "orange peach pink plum purple red rose rust salmon silver tan taupe teal turquoise violet white yellow"
)
_PATTERNS = _words(
    "animal argyle camo camouflage check checked checkered chequered colourblock dot dotted embroidered floral "
    "geometric gingham graphic herringbone houndstooth leopard paisley patterned pinstripe plaid plain polka print "
    "printed quilted ribbed self-design solid spotted striped stripe tartan tie-dye tropical zebra zigzag"
)

_LONG = {"query_id": pl.String, "family": pl.String, "segment": pl.String}


def query_segments(
    queries: pl.DataFrame, pairs: pl.DataFrame, products: pl.DataFrame, relevant_from: float
) -> pl.DataFrame:
    """query_id, family, segment of the judged queries: those of `all_segments` that are worth a test each.

    Left out: segments of fewer than FEWEST queries, those of every query, and those that hold the very queries
    of an earlier one, whose test would be made twice.
    """
    rows = all_segments(queries, pairs, products, relevant_from)
    return distinct(rows, pairs.join(queries, on="query_id", how="semi")["query_id"])


def all_segments(
    queries: pl.DataFrame, pairs: pl.DataFrame, products: pl.DataFrame, relevant_from: float
) -> pl.DataFrame:
    """query_id, family, segment of the judged queries; a query may be in several segments of `names`.

    queries: query_id, text, image, media.* and segment where they are known. pairs: query_id, product_id, grade.
    """
    asked = queries.join(pairs.select("query_id").unique(), on="query_id", how="semi").sort("query_id")
    relevant = pairs.filter(pl.col("grade") >= relevant_from).join(products, on="product_id")
    found = [
        _kinds(asked),
        _length(asked),
        _judged(pairs),
        _photo(asked),
        _price(relevant),
        _named(asked, products),
        _most_common(relevant, "brand", pl.col("brand")),
        _most_common(relevant, "category", pl.col("category").str.split(">").list.first().str.strip_chars()),
    ]
    return pl.concat([pl.DataFrame(schema=_LONG), *(part.select(*_LONG) for part in found if part.height)])


def distinct(rows: pl.DataFrame, queries: pl.Series) -> pl.DataFrame:
    """Of segments (query_id, family, segment), as far as these queries are in them, the first of each set.

    A set of fewer than FEWEST of the queries, or of all of them, is none.
    """
    rows = rows.filter(pl.col("query_id").is_in(queries.implode()))
    sets = rows.group_by("family", "segment", maintain_order=True).agg(pl.col("query_id").sort())
    wide = (pl.col("query_id").list.len() >= FEWEST) & (pl.col("query_id").list.len() < queries.n_unique())
    kept = sets.filter(wide).unique("query_id", keep="first", maintain_order=True)
    return rows.join(kept, on=["family", "segment"], how="semi", maintain_order="left")


def _in_family(frame: pl.DataFrame, family: str, segment: pl.Expr) -> pl.DataFrame:
    return frame.select("query_id", family=pl.lit(family), segment=segment).drop_nulls("segment")


def _kinds(asked: pl.DataFrame) -> pl.DataFrame:
    rows = [
        (query_id, family, name) for family, name, ids in parts_of(query_kinds(asked)) for query_id in ids
    ]
    return pl.DataFrame(rows, schema=_LONG, orient="row")


def _length(asked: pl.DataFrame) -> pl.DataFrame:
    words = asked.with_columns(words=_tokens(asked).list.len())
    name = (
        pl.when(pl.col("words") == 0)
        .then(None)
        .when(pl.col("words") <= 2)
        .then(pl.lit("1 or 2 words"))
        .when(pl.col("words") <= 4)
        .then(pl.lit("3 or 4 words"))
        .otherwise(pl.lit("5 words or more"))
    )
    return _in_family(words, "length", pl.when(pl.col("words").is_not_null()).then(name))


def _judged(pairs: pl.DataFrame) -> pl.DataFrame:
    """The half of the queries with the longer judged lists is the head, as far as judgements tell."""
    counts = pairs.group_by("query_id").agg(judged=pl.len()).sort("query_id")
    middle = counts["judged"].median()
    if counts["judged"].n_unique() < 2:
        return pl.DataFrame()
    name = (
        pl.when(pl.col("judged") > middle)
        .then(pl.lit("head: longer lists"))
        .otherwise(pl.lit("tail: shorter lists"))
    )
    return _in_family(counts, "judged", name)


def _photo(asked: pl.DataFrame) -> pl.DataFrame:
    if "image" not in asked.columns:
        return pl.DataFrame()
    name = (
        pl.when(pl.col("image").is_null()).then(pl.lit("without a photo")).otherwise(pl.lit("with a photo"))
    )
    return _in_family(asked, "photo", name)


def _price(relevant: pl.DataFrame) -> pl.DataFrame:
    """Thirds of the queries by the median price of what is relevant to them."""
    if "price" not in relevant.columns:
        return pl.DataFrame()
    prices = relevant.group_by("query_id").agg(pl.col("price").median()).drop_nulls().sort("query_id")
    if prices["price"].n_unique() < len(_TIERS):
        return pl.DataFrame()
    third = ((pl.col("price").rank() - 1) * len(_TIERS) // pl.len()).cast(
        pl.Int32
    )  # equal prices lie together
    return _in_family(prices, "price", third.replace_strict(dict(enumerate(_TIERS)), return_dtype=pl.String))


def _named(asked: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """What the words of a query name: a colour, a pattern, a price limit, a brand of the catalogue."""
    if "text" not in asked.columns:
        return pl.DataFrame()
    brands = (
        BrandNames.of(tokenise(products["brand"].cast(pl.String))) if "brand" in products.columns else None
    )
    rows = [
        (query_id, "names", f"names a {what}")
        for query_id, text, tokens in zip(asked["query_id"], asked["text"], _tokens(asked), strict=True)
        if text
        for what in _names(text, list(tokens), brands)
    ]
    return pl.DataFrame(rows, schema=_LONG, orient="row").sort("segment", "query_id")


def _names(text: str, tokens: list[str], brands: BrandNames | None) -> Iterator[str]:
    words = set(text.lower().split()) | set(tokens)
    if words & _COLOURS:
        yield "colour"
    if words & _PATTERNS:
        yield "pattern"
    limit = split_price_limit(text)
    if limit.low is not None or limit.high is not None:
        yield "price limit"
    if brands is not None and brands.named_in(tokens):
        yield "brand"


def _most_common(relevant: pl.DataFrame, column: str, value: pl.Expr) -> pl.DataFrame:
    """The value that half or more of a query's relevant products share."""
    if not has_values(relevant, column):
        return pl.DataFrame()
    counts = relevant.select("query_id", segment=value).group_by("query_id", "segment").agg(count=pl.len())
    share = pl.col("count") / pl.col("count").sum().over("query_id")
    shared = counts.filter((share >= 0.5) & pl.col("segment").is_not_null())
    first = shared.sort("query_id", "segment").unique("query_id", keep="first", maintain_order=True)
    return _in_family(first, column, pl.col("segment")).sort("segment", "query_id")


def _tokens(asked: pl.DataFrame) -> pl.Series:
    text = asked["text"] if "text" in asked.columns else pl.Series([None] * asked.height, dtype=pl.String)
    return tokenise(text.cast(pl.String))
