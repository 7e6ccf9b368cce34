"""What query and product say in the same words: BM25, coverage, phrase, brand, numbers, price limit.

Which columns there are depends on the catalogue alone: a field that no product has makes none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from features.errors import InputError
from features.groups.pair_rows import rows_of
from features.groups.standings import rank_within, z_within
from features.words.bm25 import Bm25
from features.words.brand_names import BrandNames
from features.words.measures import read_measures
from features.words.price_limits import PricedText, split_price_limit
from features.words.term_counts import PairTerms, TermLists, Vocabulary
from features.words.tokens import TokenisedColumns, query_terms, tokenise

_KINDS = ("terms", "numbers", "measures")
_LONG = ("title", "all")  # texts in which a phrase or a measure of the query may stand
_BY_STANDING = ("bm25_title", "bm25_all")

Columns = Iterator[tuple[str, np.ndarray]]
"""Names without the group, and values of the pairs, (pairs,), NaN for missing."""


class LexicalConfig(BaseModel):
    """Which product texts are searched, and BM25's two constants (defaults: Anserini's)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: tuple[str, ...] = Field(
        ("title", "description", "brand", "category"),
        min_length=1,
        description="text columns of the products; those without any text are left out",
    )
    k1: float = Field(0.9, ge=0, description="how slowly a repeated term's worth saturates")
    b: float = Field(0.4, ge=0, le=1, description="how far long texts are marked down, 0 to 1")


@dataclass(frozen=True)
class _Text:
    """One field of every product, or all fields together: rows are products.

    padded: the tokens with spaces around each, so that a phrase is found at whole tokens only;
    counts: of each kind in `_KINDS`.
    """

    present: np.ndarray
    padded: pl.Series
    counts: Mapping[str, sparse.csr_array]


@dataclass(frozen=True)
class _Queries:
    """Queries, read once each: one entry a query. A price limit is cut out before all else is read."""

    tokens: list[list[str]]
    wanted: Mapping[str, list[list[str]]]
    limits: list[PricedText]

    @classmethod
    def read(cls, texts: pl.Series) -> _Queries:
        limits = [split_price_limit(text or "") for text in texts]
        rest = pl.Series([limit.rest for limit in limits], dtype=pl.String)
        found = _read(rest, tokenise(rest))
        lists = {kind: column.to_list() for kind, column in found.items()}
        return cls(
            lists["terms"], lists | {"terms": [query_terms(query) for query in lists["terms"]]}, limits
        )


class LexicalIndex:
    """The texts of one catalogue, tokenised and counted once.

    products: product_id, the configured fields, and brand and price where there are any; tokens: of the
    products, where another has read them.
    Raises InputError for a configured field that is not a text column of `products`.
    """

    def __init__(
        self, products: pl.DataFrame, config: LexicalConfig, tokens: TokenisedColumns | None = None
    ) -> None:
        tokens = tokens or TokenisedColumns(products)
        fields = {name: _text_column(products, name) for name in config.fields}
        # In order of product_id, so that ties in a search do not hang on the catalogue's order.
        order = products["product_id"].arg_sort()
        self._products = products.select("product_id")[order]
        lists = {
            name: _read(field[order], tokens[name][order])
            for name, field in fields.items()
            if field.null_count() < len(field)
        }
        self._vocabularies = {kind: Vocabulary(*(found[kind] for found in lists.values())) for kind in _KINDS}
        self._texts = {name: self._counted(found) for name, found in lists.items()}
        if self._texts:
            self._texts["all"] = _together(list(self._texts.values()))
        self._bm25 = {
            name: Bm25(text.counts["terms"], text.present, k1=config.k1, b=config.b)
            for name, text in self._texts.items()
        }
        self._brands = BrandNames(tokenise(products["brand"][order])) if _has(products, "brand") else None
        self._prices = _prices(products[order])

    def with_prices(self, products: pl.DataFrame) -> LexicalIndex:
        """The same index where the same products cost what `products` says."""
        other = copy.copy(self)
        other._prices = _prices(products[products["product_id"].arg_sort()])
        return other

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        """Lexical features of each pair, Float32, row-aligned with `pairs`.

        `_rank` and `_z` are the standing among the query's candidates in `pairs`. All are null for
        a query without a word to search for, save those of its price limit; a field's are null where
        the product lacks the field, and 0 where it has it and nothing matches. Raises InputError for
        pairs of unknown queries or products.
        """
        products = rows_of(pairs["product_id"], self._products)
        used, place = np.unique(rows_of(pairs["query_id"], queries), return_inverse=True)
        read = _Queries.read(queries["text"].cast(pl.String)[used])
        columns = {
            f"lexical.{name}": values
            for part in (self._matches, self._brand, self._price_limit, self._lengths)
            for name, values in part(read, products, place)
        }
        frame = pl.DataFrame(columns).cast(pl.Float32).with_columns(pl.all().fill_nan(None))
        standing = [f"lexical.{name}" for name in _BY_STANDING if f"lexical.{name}" in frame.columns]
        return (
            frame.with_columns(pairs["query_id"])
            .with_columns(within(name) for name in standing for within in (rank_within, z_within))
            .drop("query_id")
        )

    def retrieve(self, queries: pl.DataFrame, n: int) -> pl.DataFrame:
        """The n best products of the whole catalogue by BM25 over all text: query_id, product_id, score.

        Best first; fewer where fewer share a term with the query; ties go to the lower product_id.
        """
        read = _Queries.read(queries["text"].cast(pl.String))
        terms = TermLists.of(read.wanted["terms"], self._vocabularies["terms"])
        places = range(queries.height) if self._texts else ()
        hits = [self._bm25["all"].top(terms[place], n) for place in places]
        none = (np.zeros(0, dtype=np.int64), np.zeros(0))
        rows, scores = (np.concatenate(part) for part in zip(none, *hits, strict=True))
        place = np.repeat(np.asarray(places, dtype=np.int64), [len(found) for found, _ in hits])
        return pl.DataFrame(
            {
                "query_id": queries["query_id"][place],
                "product_id": self._products["product_id"][rows],
                "score": scores,
            }
        )

    def _counted(self, lists: Mapping[str, pl.Series]) -> _Text:
        counts = {kind: self._vocabularies[kind].counts(lists[kind]) for kind in _KINDS}
        return _Text(lists["terms"].is_not_null().to_numpy(), _padded(lists["terms"]), counts)

    def _matches(self, read: _Queries, products: np.ndarray, place: np.ndarray) -> Columns:
        """BM25, coverage, phrase, numbers and measures, field by field."""
        at = {
            kind: PairTerms.of(products, place, TermLists.of(read.wanted[kind], self._vocabularies[kind]))
            for kind in _KINDS
        }
        phrases = _padded(pl.Series(read.tokens, dtype=pl.List(pl.String)))[place]
        for name, text in self._texts.items():
            missing = ~text.present[products] | at["terms"].empty
            for feature, values in self._of_text(name, at):
                yield feature, np.where(missing, np.nan, values)
            if name in _LONG:
                found = _contains(text.padded[products], phrases)
                yield f"phrase_{name}", np.where(missing, np.nan, found)

    def _of_text(self, name: str, at: Mapping[str, PairTerms]) -> Columns:
        counts, bm25 = self._texts[name].counts, self._bm25[name]
        terms = at["terms"]
        hits = terms.look_up(counts["terms"])
        yield f"bm25_{name}", bm25.of_pairs(terms, hits)
        yield f"covered_{name}", terms.covered(hits)
        if name == "all":
            yield "covered_idf", terms.covered(hits, bm25.idf[terms.term])
        if name in _LONG:
            for kind in ("numbers", "measures"):
                yield f"{kind}_{name}", at[kind].covered(at[kind].look_up(counts[kind]))

    def _brand(self, read: _Queries, products: np.ndarray, place: np.ndarray) -> Columns:
        if self._brands is not None:
            named = [self._brands.named_in(query) for query in read.tokens]
            yield "brand_named", self._brands.agreement(products, place, named)

    def _price_limit(self, read: _Queries, products: np.ndarray, place: np.ndarray) -> Columns:
        """Whether the price keeps the limit, and price / limit (the upper one, if there are two)."""
        if self._prices is None:
            return
        price = self._prices[products]
        low = np.array([limit.low for limit in read.limits], dtype=np.float64)[place]
        high = np.array([limit.high for limit in read.limits], dtype=np.float64)[place]
        limit = np.where(np.isnan(high), low, high)
        kept = ~(price < low) & ~(price > high)  # comparison with a missing bound is false
        yield "price_limit_satisfied", np.where(np.isnan(price + limit), np.nan, kept)
        yield "price_limit_ratio", price / limit

    def _lengths(self, read: _Queries, products: np.ndarray, place: np.ndarray) -> Columns:
        """Terms of the query and tokens of the title: what the other features are to be judged by."""
        terms = np.array([len(query) or np.nan for query in read.wanted["terms"]], dtype=np.float64)[place]
        yield "query_terms", terms
        if "title" in self._texts:
            missing = ~self._texts["title"].present[products] | np.isnan(terms)
            yield "title_terms", np.where(missing, np.nan, self._bm25["title"].lengths[products])


def _read(texts: pl.Series, tokens: pl.Series) -> dict[str, pl.Series]:
    """Lists of each kind in `_KINDS`, one a text, null for null."""
    found = read_measures(texts)
    return {"terms": tokens, "numbers": found.numbers, "measures": found.measures}


def _together(texts: Sequence[_Text]) -> _Text:
    """All fields as one text; the bar between them keeps a phrase within one field."""
    padded = pl.DataFrame([text.padded.alias(str(place)) for place, text in enumerate(texts)])
    return _Text(
        reduce(np.logical_or, [text.present for text in texts]),
        padded.select(text=pl.concat_str(pl.all(), separator="|", ignore_nulls=True))["text"],
        {kind: reduce(add, [text.counts[kind] for text in texts]) for kind in _KINDS},
    )


def _padded(tokens: pl.Series) -> pl.Series:
    return " " + tokens.list.join(" ") + " "


def _contains(texts: pl.Series, phrases: pl.Series) -> np.ndarray:
    """Whether each text contains the phrase beside it, (n,) bool; a null text does not."""
    frame = pl.DataFrame({"text": texts, "phrase": phrases})
    found = frame.select(pl.col("text").str.contains(pl.col("phrase"), literal=True))["text"]
    return found.fill_null(value=False).to_numpy()


def _prices(products: pl.DataFrame) -> np.ndarray | None:
    return products["price"].cast(pl.Float64).to_numpy() if _has(products, "price") else None


def _has(products: pl.DataFrame, name: str) -> bool:
    return name in products.columns and products[name].null_count() < products.height


def _text_column(products: pl.DataFrame, name: str) -> pl.Series:
    dtype = products.schema.get(name)
    if dtype not in (pl.String, pl.Null):
        raise InputError(
            where=f"lexical.fields, field {name!r}",
            expected="a text column of the products",
            got="no such column" if dtype is None else f"a column of {dtype}",
            cure=f"choose from {', '.join(c for c, t in products.schema.items() if t == pl.String)}",
        )
    return products[name].cast(pl.String)
