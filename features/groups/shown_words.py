"""The words that a photo shows, told from its vector by linear probes fitted on the catalogue itself.

Any frozen encoder links photos to words in this way, also one that shares no space with text. What
holds of photos holds of any other modality (see media). No judgement is used: only which words the
catalogue's own texts say of what its own photos show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.encoders import vectors
from features.encoders.vectors import RowVectors
from features.groups.pair_rows import rows_of
from features.groups.similarity import MediaVectors, TextField
from features.groups.standings import z_within
from features.groups.word_probes import WordProbes
from features.words.price_limits import split_price_limit
from features.words.term_counts import PairTerms, TermLists, Vocabulary
from features.words.tokens import STOP_WORDS, TokenisedColumns, query_terms, tokenise

_NUMBER = r"^[\d.]+$"
_NEVER = 1e-3  # a word's chance in a photo that does not show it: rarer than any word of the catalogue


class ShownWordsConfig(BaseModel):
    """From which texts of the catalogue the words are learnt that its photos show."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: tuple[TextField, ...] = Field(
        ("title", "description"), min_length=1, description="those absent from the catalogue are left out"
    )
    min_products: int = Field(20, ge=2, description="a word that fewer products say is not looked for")


@dataclass(frozen=True)
class _Seen:
    """A modality of the catalogue: the vector of each product, and the probes read off them."""

    modality: str
    vectors: MediaVectors
    texts: _Texts

    @cached_property
    def catalogue(self) -> RowVectors:
        return self.vectors.catalogue()

    @cached_property
    def probes(self) -> WordProbes:
        vectors, rows = self.catalogue
        told = np.flatnonzero((rows >= 0) & self.texts.present)
        return WordProbes.fit(vectors, rows[told], self.texts.says[told])


class _Texts:
    """Which product says which of the words that are common enough, in any of its fields."""

    def __init__(self, columns: TokenisedColumns, fields: Collection[str], min_products: int) -> None:
        tokens = [_words(columns[name]) for name in fields]
        some = pl.any_horizontal(column.is_not_null() for column in tokens)
        self.present = pl.select(some).to_series().to_numpy()
        self._vocabulary = Vocabulary(*tokens)
        counts = reduce(add, (self._vocabulary.counts(column) for column in tokens))
        common = np.flatnonzero(np.bincount(counts.indices, minlength=counts.shape[1]) >= min_products)
        self._place = np.full(self._vocabulary.size, -1)
        self._place[common] = np.arange(len(common))
        self.says = (counts[:, common] > 0).astype(np.float32)

    def asked(self, queries: pl.Series) -> TermLists:
        """The words to look for, query by query, as columns of `says`: others, and a price limit's, are left out."""
        texts = [split_price_limit(text or "").rest for text in queries.cast(pl.String)]
        tokens = tokenise(pl.Series(texts, dtype=pl.String)).to_list()
        terms = TermLists.of([query_terms(query) for query in tokens], self._vocabulary)
        places = self._place[terms.codes]
        common = places >= 0
        return TermLists(places[common], np.concatenate([[0], np.cumsum(common)])[terms.starts])


class ShownWordsIndex:
    """What the photos of one catalogue show; probes are fitted when a pair first asks for them.

    media: by modality, the vectors of products and of queries (`SimilarityIndex.media`); tokens: of
    the products, where another has read them. A catalogue without the configured texts, or without
    media, makes no features.
    """

    def __init__(
        self,
        products: pl.DataFrame,
        config: ShownWordsConfig,
        media: Mapping[str, MediaVectors],
        tokens: TokenisedColumns | None = None,
    ) -> None:
        self._products = products.select("product_id")
        fields = [
            name
            for name in config.fields
            if name in products.columns and products[name].null_count() < products.height
        ]
        self._seen: list[_Seen] = []
        if fields and media:
            self._texts = _Texts(tokens or TokenisedColumns(products), fields, config.min_products)
            if self._texts.says.shape[1]:
                self._seen = [_Seen(name, vectors, self._texts) for name, vectors in media.items()]

    @property
    def columns(self) -> list[str]:
        return [
            f"{seen.modality}.{name}{suffix}"
            for seen in self._seen
            for name in ("words", "words_least", "words_unsaid", f"{seen.vectors.word}_words")
            for suffix in ("", "_z")
        ]

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        """Per modality, Float32, row-aligned with `pairs`; `_z`: standing among the query's candidates.

        words: mean log-probability that the product's photo shows the query's words (the geometric mean
        of the chances); words_least: of the word it shows least, in standard deviations over the
        catalogue; words_unsaid: mean of the words that the product's own text leaves out, likewise, null
        where it says all. All null for a query without a known word. photo_words: cosine of what the
        query's photo and the product's show, over all words. Null where a photo is missing.
        """
        if not self._seen:
            return pl.DataFrame()
        products = rows_of(pairs["product_id"], self._products)
        used, place = np.unique(rows_of(pairs["query_id"], queries), return_inverse=True)
        found: dict[str, np.ndarray | pl.Series] = {}
        for seen in self._seen:
            found |= {f"{seen.modality}.{n}": v for n, v in self._of(seen, queries[used], products, place)}
        frame = pl.DataFrame(found).cast(pl.Float32).with_columns(pl.all().fill_nan(None))
        standing = [z_within(name) for name in found]
        return frame.with_columns(pairs["query_id"]).with_columns(standing).select(self.columns)

    def _of(
        self, seen: _Seen, queries: pl.DataFrame, products: np.ndarray, place: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray | pl.Series]]:
        yield from self._worded(seen, queries, products, place)
        theirs = seen.vectors.of_queries(queries)
        name = f"{seen.vectors.word}_words"
        if (theirs.rows < 0).all():  # and the probes are not fitted for nothing
            yield name, np.full(len(products), np.nan)
        else:
            asked, offered = (
                seen.probes.profiles(side) for side in (theirs.take(place), seen.catalogue.take(products))
            )
            yield name, vectors.of_pairs(asked, offered)

    def _worded(
        self, seen: _Seen, queries: pl.DataFrame, products: np.ndarray, place: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Of each pair, what the product's photo shows of the query's words."""
        none = pl.repeat(None, queries.height, dtype=pl.String, eager=True)
        asked = self._texts.asked(queries["text"] if "text" in queries.columns else none)
        at = PairTerms.of(products, place, asked)
        said = at.look_up(self._texts.says)
        if not len(said):
            for name in ("words", "words_least", "words_unsaid"):
                yield name, np.full(len(products), np.nan)
            return
        fitted = self._texts.present[at.document]
        chance = seen.probes.chances(seen.catalogue.take(at.document), at.term, said, fitted)
        standing = seen.probes.standing(chance, at.term)
        yield "words", at.mean(np.log(np.clip(chance, _NEVER, 1)))
        yield "words_least", at.least(standing)
        yield "words_unsaid", at.mean(standing, said == 0)


def _words(tokens: pl.Series) -> pl.Series:
    """Without stop words and numbers, which no photo shows."""
    element = pl.element()
    kept = ~element.is_in(sorted(STOP_WORDS)) & ~element.str.contains(_NUMBER)
    return tokens.list.eval(element.filter(kept))
