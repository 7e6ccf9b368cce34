"""What query and product say in the same words: BM25, coverage, phrase, brand, numbers, price limit.

Which columns there are depends on the catalogue alone: a field that no product has makes none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Self

import numpy as np
import polars as pl
from pydantic import Field

from features.batch import PairBatch, QueryBatch, has_values
from features.encoders.vectors import Hits
from features.errors import InputError
from features.feature_schema import Feature
from features.groups.lexical_counts import ALL, KINDS, LONG, LexicalCounts
from features.groups.protocol import Arrays, Group, GroupSettings
from features.groups.standings import rank_share, z_score
from features.index import CatalogueIndex, Change
from features.words.bm25 import Bm25, Postings
from features.words.brand_names import BrandNames
from features.words.packed_strings import PackedStrings
from features.words.query_words import QueryWords
from features.words.term_counts import FieldCounts, PairTerms, TermLists, Vocabulary
from features.words.tokens import STOP_WORDS, TokenisedColumns, tokenise
from features.words.typos import CountedWords, KnownWords
from features.words.word_hashes import padded, word_hash

SHORT = ("title", "brand", "category")  # texts of a few telling words

Columns = Iterator[tuple[str, np.ndarray]]
"""Names without the group, and values of the pairs, (pairs,), NaN for missing."""


class LexicalConfig(GroupSettings):
    """Which product texts are searched, and BM25's two constants (defaults: Anserini's)."""

    fields: tuple[str, ...] = Field(
        ("title", "description", "brand", "category"),
        min_length=1,
        description="text columns of the products; those without any text are left out",
    )
    k1: float = Field(0.9, ge=0, description="how slowly a repeated term's worth saturates")
    b: float = Field(0.4, ge=0, le=1, description="how far long texts are marked down, 0 to 1")


@dataclass(frozen=True, eq=False)
class _Text:
    """One field of every product, or all fields together.

    present: (n,) bool; padded: the tokens with a blank around each, so that a phrase is found at whole tokens
    only, of long texts alone.
    """

    present: np.ndarray
    bm25: Bm25
    padded: PackedStrings | None


class LexicalGroup(Group):
    """`_rank` and `_z` are the standing in the list.

    All are missing for a query without a word to search for, save those of its price limit; a field's are
    missing where the product lacks the field, and 0 where it has it and nothing matches.
    """

    kind = "lexical"
    settings: ClassVar[type[LexicalConfig]] = LexicalConfig

    def __init__(
        self,
        catalogue: CatalogueIndex,
        texts: Mapping[str, _Text],
        vocabularies: Mapping[str, Vocabulary],
        counts: Mapping[str, FieldCounts],
        postings: Postings | None,
        brands: BrandNames | None,
        prices: np.ndarray | None,
    ) -> None:
        """counts: of terms in each field but `all`, of numbers and measures in each long text."""
        self._words_of = catalogue.words_of
        self._texts, self._vocabularies, self._counts = texts, vocabularies, counts
        self._postings, self._brands, self._prices = postings, brands, prices
        self._features = tuple(Feature(f"lexical.{name}") for name in self._names())

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: LexicalConfig) -> Self:
        """Raises InputError for a configured field that is not a text column of the products."""
        fields = _fields(catalogue.products, settings)
        return cls._of(LexicalCounts.read(fields, catalogue.tokens), fields, catalogue, settings)

    def reindexed(self, catalogue: CatalogueIndex, settings: LexicalConfig, change: Change) -> Self:
        """Only texts of products that changed are read."""
        fields = _fields(catalogue.products, settings)
        if not fields or [*fields, ALL] != list(self._texts):
            return self.index(catalogue, settings)
        new, rows = change.rows_of_both(list(fields))
        part = {name: field.gather(new) for name, field in fields.items()}
        read = LexicalCounts.read(part, TokenisedColumns(pl.DataFrame(part)))
        padded = {name: text.padded for name, text in self._texts.items() if text.padded is not None}
        before = LexicalCounts.kept(list(fields), self._vocabularies, self._counts, padded)
        return self._of(before.with_changed(read, rows), fields, catalogue, settings)

    @classmethod
    def _of(
        cls,
        read: LexicalCounts,
        fields: Mapping[str, pl.Series],
        catalogue: CatalogueIndex,
        settings: LexicalConfig,
    ) -> Self:
        products = catalogue.products
        brands = BrandNames.of(tokenise(products["brand"])) if has_values(products, "brand") else None
        if not fields:
            return cls(catalogue, {}, read.vocabularies, {}, None, brands, _prices(products))
        present = {name: field.is_not_null().to_numpy() for name, field in fields.items()}
        present[ALL] = reduce(np.logical_or, present.values())
        texts = {}
        for name, counts in {name: read.counts["terms"][name] for name in (*fields, ALL)}.items():
            bm25 = Bm25.of(counts, present[name], k1=settings.k1, b=settings.b)
            padded = PackedStrings.of(read.padded[name]) if name in LONG else None
            texts[name] = _Text(present[name], bm25, padded)
        kept = {
            kind: FieldCounts.of(
                [by[name] for name in (*fields, ALL) if name in by and (kind != "terms" or name != ALL)]
            )
            for kind, by in read.counts.items()
        }
        postings = Postings.of(read.counts["terms"][ALL], texts[ALL].bm25)
        return cls(catalogue, texts, read.vocabularies, kept, postings, brands, _prices(products))

    @property
    def features(self) -> tuple[Feature, ...]:
        return self._features

    def with_numbers(self, products: pl.DataFrame) -> Self:
        """The same words where the products cost what `products` says."""
        other = copy.copy(self)
        other._prices = _prices(products)
        return other

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        words = self._words_of(batch.queries)
        column = 0
        standing = {}
        for part in (self._matches, self._brand, self._price_limit, self._lengths):
            for name, values in part(words, batch):
                out[:, column] = values
                if name.startswith("bm25_") and name.removeprefix("bm25_") in LONG:
                    standing[name] = out[:, column]
                column += 1
        for values in standing.values():
            out[:, column] = rank_share(values, batch.starts, batch.among)
            out[:, column + 1] = z_score(values, batch.starts, batch.among)
            column += 2

    @property
    def known_words(self) -> list[KnownWords]:
        """Of all texts, and of the brands, which need not be among the texts."""
        found: list[KnownWords] = [] if self._brands is None else [self._brands]
        if self._postings is None:
            return found
        return [CountedWords(self._vocabularies["terms"], np.diff(self._postings.starts)), *found]

    @property
    def finds_by(self) -> list[str]:
        return ["BM25"]

    def find(self, queries: QueryBatch, n: int, within: np.ndarray | None = None) -> list[Hits]:
        return [self.best(queries, n, within)]

    def best(self, queries: QueryBatch, n: int, within: np.ndarray | None = None) -> Hits:
        """The n best products of the whole catalogue for each query by BM25 over all text, best first.

        Fewer where fewer share a term with the query; ties go to the lower row. `cosines` are the scores.
        within: (products,) bool, those that may be found.
        """
        return self._best(self._asked(queries, "terms"), n, within)

    def best_by_terms(
        self, wanted: Sequence[Sequence[str]], n: int, within: np.ndarray | None = None
    ) -> Hits:
        """As `best`, of a list of terms a query."""
        return self._best(TermLists.of(wanted, self._vocabularies["terms"]), n, within)

    def words_of_products(self, rows: np.ndarray) -> np.ndarray:
        """(m, most words of one) uint32: by hash the words that title, brand and category of these products say."""
        place, codes = self._said_in_short(rows)
        return padded(len(rows), place, self._vocabularies["terms"].hashes[codes])

    def words_of_product(self, row: int) -> list[str]:
        """The same of one product, as words."""
        terms = self._vocabularies["terms"].terms
        said = {terms[code].decode() for code in self._said_in_short(np.array([row]))[1].tolist()}
        return sorted(said - STOP_WORDS)

    def words_of_query(self, query: QueryBatch) -> list[str]:
        """Those that are searched for, of a batch of one."""
        return sorted(set(self._words_of(query).wanted["terms"][0]))

    def _said_in_short(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of title, brand and category of these products: the place in (m,) and the code of each word."""
        counts = self._counts.get("terms")
        if counts is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return counts.terms_of(rows, [at for at, name in enumerate(self._texts) if name in SHORT])

    def words_of_queries(self, queries: QueryBatch) -> np.ndarray:
        """(queries, most words of one) uint32: by hash the words that are searched for, also those nothing says."""
        words = self._words_of(queries).wanted["terms"]
        place = np.repeat(np.arange(len(words)), [len(query) for query in words])
        hashes = np.array([word_hash(word) for query in words for word in query], dtype=np.uint32)
        return padded(len(words), place, hashes)

    def _best(self, terms: TermLists, n: int, within: np.ndarray | None) -> Hits:
        none = Hits(*(np.zeros(0, dtype=kind) for kind in (np.int64, np.int64, np.float64)))
        if self._postings is None:
            return none
        bm25 = self._texts[ALL].bm25
        hits = [self._postings.best(bm25, terms[place], n, within) for place in range(len(terms))]
        rows, scores = ([none[1], *(rows for rows, _ in hits)], [none[2], *(scores for _, scores in hits)])
        places = np.repeat(np.arange(len(terms)), [len(found) for found, _ in hits])
        return Hits(places, np.concatenate(rows), np.concatenate(scores))

    def _asked(self, queries: QueryBatch, kind: str) -> TermLists:
        """The queries' words of one of KINDS, looked up once a batch."""
        vocabulary = self._vocabularies[kind]
        wanted = self._words_of(queries).wanted[kind]
        return queries.once(vocabulary, lambda: TermLists.of(wanted, vocabulary))

    def arrays(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, text in self._texts.items():
            found |= {f"text.{name}.present": text.present} | text.bm25.arrays(f"text.{name}.bm25")
            found |= text.padded.arrays(f"text.{name}.padded") if text.padded else {}
        for kind in KINDS:
            found |= self._vocabularies[kind].terms.arrays(f"{kind}.vocabulary")
            found |= self._counts[kind].arrays(f"{kind}.counts") if kind in self._counts else {}
        found |= self._postings.arrays("postings") if self._postings else {}
        found |= self._brands.arrays("brands") if self._brands else {}
        return found if self._prices is None else found | {"prices": self._prices}

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: LexicalConfig, arrays: Arrays) -> Self:
        names = [name for name in (*settings.fields, ALL) if f"text.{name}.present" in arrays]
        texts = {
            name: _Text(
                arrays[f"text.{name}.present"],
                Bm25.from_arrays(arrays, f"text.{name}.bm25"),
                PackedStrings.from_arrays(arrays, f"text.{name}.padded") if name in LONG else None,
            )
            for name in names
        }
        vocabularies = {
            kind: Vocabulary(PackedStrings.from_arrays(arrays, f"{kind}.vocabulary")) for kind in KINDS
        }
        counts = {kind: FieldCounts.from_arrays(arrays, f"{kind}.counts") for kind in KINDS if texts}
        postings = Postings.from_arrays(arrays, "postings") if texts else None
        brands = BrandNames.from_arrays(arrays, "brands") if "brands.of_product" in arrays else None
        return cls(catalogue, texts, vocabularies, counts, postings, brands, arrays.get("prices"))

    def _names(self) -> Iterator[str]:
        """In the order in which `block` writes them."""
        for name in self._texts:
            yield from (f"bm25_{name}", f"covered_{name}")
            yield from ["covered_idf"] if name == ALL else []
            yield from [f"{kind}_{name}" for kind in ("numbers", "measures", "phrase") if name in LONG]
        yield from ["brand_named"] if self._brands else []
        yield from ["price_limit_satisfied", "price_limit_ratio"] if self._prices is not None else []
        yield "query_terms"
        yield from ["title_terms"] if "title" in self._texts else []
        yield from [f"bm25_{name}_{end}" for name in LONG if name in self._texts for end in ("rank", "z")]

    def _matches(self, words: QueryWords, batch: PairBatch) -> Columns:
        """BM25, coverage, numbers, measures and phrase, field by field."""
        if not self._texts:
            return
        at, hits = {}, {}
        for kind in KINDS:
            at[kind] = PairTerms.of(batch.product_rows, batch.query_rows, self._asked(batch.queries, kind))
            hits[kind] = self._counts[kind].look_up(at[kind])
        of_terms = np.vstack([hits["terms"], hits["terms"].sum(axis=0)])
        long = [name for name in self._texts if name in LONG]
        for place, (name, text) in enumerate(self._texts.items()):
            missing = ~text.present[batch.product_rows] | at["terms"].empty
            for feature, values in self._of_text(name, text, at["terms"], of_terms[place]):
                yield feature, np.where(missing, np.nan, values)
            if name in LONG:
                for kind in ("numbers", "measures"):
                    covered = at[kind].covered(hits[kind][long.index(name)])
                    yield f"{kind}_{name}", np.where(missing, np.nan, covered)
                whole = at["terms"].having(of_terms[place]) == at["terms"].size
                found = _phrases(text.padded, words.tokens, batch, np.flatnonzero(whole & ~missing))
                yield f"phrase_{name}", np.where(missing, np.nan, found)

    @staticmethod
    def _of_text(name: str, text: _Text, terms: PairTerms, hits: np.ndarray) -> Columns:
        yield f"bm25_{name}", text.bm25.of_pairs(terms, hits)
        yield f"covered_{name}", terms.covered(hits)
        if name == ALL:
            yield "covered_idf", terms.covered(hits, text.bm25.idf[terms.term])

    def _brand(self, words: QueryWords, batch: PairBatch) -> Columns:
        if self._brands is not None:
            named = [self._brands.named_in(query) for query in words.tokens]
            yield "brand_named", self._brands.agreement(batch.product_rows, batch.query_rows, named)

    def _price_limit(self, words: QueryWords, batch: PairBatch) -> Columns:
        """Whether the price keeps the limit, and price / limit (the upper one, if there are two)."""
        if self._prices is None:
            return
        price = self._prices[batch.product_rows]
        low = np.array([limit.low for limit in words.limits], dtype=np.float64)[batch.query_rows]
        high = np.array([limit.high for limit in words.limits], dtype=np.float64)[batch.query_rows]
        limit = np.where(np.isnan(high), low, high)
        kept = ~(price < low) & ~(price > high)  # comparison with a missing bound is false
        yield "price_limit_satisfied", np.where(np.isnan(price + limit), np.nan, kept)
        yield "price_limit_ratio", price / limit

    def _lengths(self, words: QueryWords, batch: PairBatch) -> Columns:
        """Terms of the query and tokens of the title: what the other features are to be judged by."""
        asked = np.array([len(query) or np.nan for query in words.wanted["terms"]], dtype=np.float64)
        terms = asked[batch.query_rows]
        yield "query_terms", terms
        if "title" in self._texts:
            title = self._texts["title"]
            missing = ~title.present[batch.product_rows] | np.isnan(terms)
            yield "title_terms", np.where(missing, np.nan, title.bm25.lengths[batch.product_rows])


def _phrases(
    texts: PackedStrings | None, tokens: Sequence[Sequence[str]], batch: PairBatch, rows: np.ndarray
) -> np.ndarray:
    """Whether each pair's text has the query's tokens one behind the other, (pairs,) bool; false but in `rows`.

    rows: pairs whose text has every term of the query: no other can have the phrase.
    """
    found = np.zeros(len(batch), dtype=bool)
    if texts is not None and len(rows):
        padded = [f" {' '.join(query)} ".encode() for query in tokens]
        pairs = zip(batch.query_rows[rows].tolist(), batch.product_rows[rows].tolist(), strict=True)
        found[rows] = [padded[query] in texts[product] for query, product in pairs]
    return found


def _fields(products: pl.DataFrame, settings: LexicalConfig) -> dict[str, pl.Series]:
    """The configured texts that some product has; InputError for one that is no text column."""
    fields = {name: _text_column(products, name) for name in settings.fields}
    return {name: field for name, field in fields.items() if field.null_count() < len(field)}


def _prices(products: pl.DataFrame) -> np.ndarray | None:
    return products["price"].cast(pl.Float64).to_numpy() if has_values(products, "price") else None


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
