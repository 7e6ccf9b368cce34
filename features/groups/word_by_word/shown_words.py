"""The words that a photo shows, told from its vector by linear probes fitted on the catalogue itself.

Any frozen encoder links photos to words in this way, also one that shares no space with text. What
holds of photos holds of any other modality (see media). No judgement is used: only which words the
catalogue's own texts say of what its own photos show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl
from pydantic import Field

from features.batch import PairBatch, QueryBatch
from features.encoders import vectors
from features.encoders.comparisons import Comparison, TextField
from features.encoders.nearest import VectorSearch
from features.encoders.vectors import Hits, RowVectors
from features.feature_schema import Feature
from features.groups.protocol import Arrays, Group, GroupSettings
from features.groups.standings import z_score
from features.groups.word_by_word.said_words import SaidWords
from features.groups.word_by_word.word_probes import Scatter, WordProbes
from features.index import CatalogueIndex, Change
from features.words.query_words import QueryWords
from features.words.term_counts import PairTerms, TermLists
from features.words.typos import KnownWords

_NEIGHBOURS = 10  # photos that show what the query's shows, whose titles are taken as its words
_WORDS = 5  # that a query's photo shows, by which products are looked for
_NEVER = 1e-3  # a word's chance in a photo that does not show it: rarer than any word of the catalogue


class ShownWordsConfig(GroupSettings):
    """From which texts of the catalogue the words come that its photos show."""

    fields: tuple[TextField, ...] = Field(
        ("title", "description", "category"),
        min_length=1,
        description="those absent from the catalogue are left out",
    )
    min_products: int = Field(10, ge=2, description="a word that fewer products say is not looked for")


@dataclass(frozen=True, eq=False)
class _Texts:
    """Which product says which words, and which of them are common enough.

    present: (n,) bool, has a text at all; place: (words,) the row in the probes of each word, -1 for rare ones.
    """

    said: SaidWords
    present: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, said: SaidWords, products: pl.DataFrame, min_products: int) -> _Texts:
        common = said.counts >= min_products
        return cls(said, said.present(products), np.where(common, np.cumsum(common) - 1, -1))

    @property
    def common(self) -> np.ndarray:
        """The words that are common enough, in the order of the probes."""
        return np.flatnonzero(self.place >= 0)

    def asked(self, words: QueryWords) -> TermLists:
        """The common words to look for, query by query; a price limit's are left out."""
        terms = TermLists.of(words.wanted["terms"], self.said.vocabulary)
        common = self.place[terms.codes] >= 0
        return TermLists(terms.codes[common], np.concatenate([[0], np.cumsum(common)])[terms.starts])

    def arrays(self) -> dict[str, np.ndarray]:
        return {"present": self.present, "place": self.place} | self.said.arrays()

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> _Texts:
        return cls(SaidWords.from_arrays(arrays), arrays["present"], arrays["place"])


@dataclass(frozen=True, eq=False)
class _Seen:
    """A modality of the catalogue: the probes read off its vectors, and what they say of each vector.

    leverages: (u, penalties), see `Scatter`, profiles: (u, k), see `WordProbes`, of the vectors; search: among them.
    """

    by: Comparison
    probes: WordProbes
    leverages: np.ndarray
    profiles: np.ndarray
    search: VectorSearch

    def profiles_of(self, vectors: RowVectors) -> RowVectors:
        """What the photos of queries show."""
        return RowVectors(self.probes.profiles_of_queries(vectors.vectors), vectors.rows)


class ShownWordsGroup(Group):
    """Per modality; `_z`: standing in the list.

    words: mean log-probability that the product's photo shows the query's words (the geometric mean
    of the chances); words_least: of the word it shows least, in standard deviations over the
    catalogue; words_unsaid: mean of the words that the product's own text leaves out, likewise, missing
    where it says all; both of words that tell products apart. All missing for a query without a known
    word. photo_words: how alike is what the query's photo and the product's show (see `WordProbes.profiles`).
    Missing where a photo is missing.

    A catalogue without the configured texts, or without media, makes no features.
    """

    kind = "shown_words"
    settings: ClassVar[type[ShownWordsConfig]] = ShownWordsConfig

    def __init__(self, catalogue: CatalogueIndex, texts: _Texts | None, seen: list[_Seen]) -> None:
        self._catalogue, self._vectors = catalogue, catalogue.vectors
        self._texts, self._seen = texts, seen

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: ShownWordsConfig) -> Self:
        said = SaidWords.of(catalogue, settings.fields) if media_of(catalogue) else None
        return cls._fitted(catalogue, settings, said, {})

    def reindexed(self, catalogue: CatalogueIndex, settings: ShownWordsConfig, change: Change) -> Self:
        """Only texts of products that changed are read; the probes are of the whole catalogue."""
        if self._texts is None or not media_of(catalogue):
            return self.index(catalogue, settings)
        said = self._texts.said.changed(catalogue, settings.fields, change)
        searches = {seen.by.group: seen.search for seen in self._seen}
        return self._fitted(catalogue, settings, said, searches)

    @classmethod
    def _fitted(
        cls,
        catalogue: CatalogueIndex,
        settings: ShownWordsConfig,
        said: SaidWords | None,
        searches: Mapping[str, VectorSearch],
    ) -> Self:
        """searches: by modality, among the profiles of an earlier state of the catalogue."""
        texts = None if said is None else _Texts.of(said, catalogue.products, settings.min_products)
        if texts is None or not len(texts.common):
            return cls(catalogue, None, [])
        says = texts.said.matrix[:, texts.common]
        seen = []
        for by in media_of(catalogue):
            found, rows = catalogue.vectors.of_products(by.product)
            examples, scatter, leverages = examples_of(catalogue, by, texts.present)
            probes = WordProbes.fit(scatter, found, rows[examples], says[examples])
            profiles = RowVectors(probes.profiles(found), rows)
            known = searches.get(by.group)
            search = VectorSearch.of(profiles) if known is None else known.refilled(profiles)
            seen.append(_Seen(by, probes, leverages, profiles.vectors, search))
        return cls(catalogue, texts, seen)

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(
            Feature(f"{seen.by.group}.{name}{suffix}")
            for seen in self._seen
            for name in ("words", "words_least", "words_unsaid", f"{seen.by.word}_words")
            for suffix in ("", "_z")
        )

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        if self._texts is None:
            return
        asked = self._texts.asked(self._catalogue.words_of(batch.queries))
        at = PairTerms.of(batch.product_rows, batch.query_rows, asked)
        said = self._texts.said.says.look_up(at)[0]
        column = 0
        for seen in self._seen:
            for values in (*self._worded(seen, at, said), self._alike(seen, batch)):
                out[:, column] = values
                out[:, column + 1] = z_score(out[:, column], batch.starts, batch.among)
                column += 2

    @property
    def known_words(self) -> list[KnownWords]:
        return [] if self._texts is None else [self._texts.said]

    @property
    def finds_by(self) -> list[str]:
        titles = ["titles"] if "text" in self._vectors.searched else []
        return [
            f"{seen.by.group}.{way}"
            for seen in self._seen
            for way in ("words", f"{seen.by.word}_words", *titles)
        ]

    def find(self, queries: QueryBatch, n: int, within: np.ndarray | None = None) -> list[Hits]:
        """By the query's words in photos, by what the query's photo shows, and by the titles of what shows the like."""
        if self._texts is None:
            return []
        asked = self._texts.asked(self._catalogue.words_of(queries))
        words = [self._texts.place[asked[query]] for query in range(len(asked))]
        found = []
        for seen in self._seen:
            photos = self._vectors.of_queries(queries, seen.by.query)
            near = seen.search.nearest(seen.profiles_of(photos), max(n, _NEIGHBOURS), within)
            found += [self._showing(seen, words, n, within), near.first(n)]
            if "text" in self._vectors.searched:
                title = self._vectors.searched["text"].product
                titles = _means(self._vectors.of_products(title), near.first(_NEIGHBOURS), len(queries))
                found.append(self._vectors.search(title).nearest(titles, n, within))
        return found

    @property
    def modalities(self) -> list[str]:
        """Those whose words are known."""
        return [seen.by.group for seen in self._seen]

    def shown_to(self, queries: QueryBatch) -> list[list[list[str]]]:
        """By modality, of each query the words that its photo shows most; none without a photo."""
        if self._texts is None:
            return []
        texts, found = self._texts, []
        codes, terms = texts.common, texts.said.vocabulary.terms
        for seen in self._seen:
            photos = self._vectors.of_queries(queries, seen.by.query)
            words = seen.probes.most_shown(photos.vectors, _WORDS)
            of_photos = [[terms[codes[word]].decode() for word in one] for one in words]
            found.append([of_photos[row] if row >= 0 else [] for row in photos.rows.tolist()])
        return found

    def _showing(self, seen: _Seen, words: Sequence[np.ndarray], n: int, within: np.ndarray | None) -> Hits:
        """Products whose photo shows each query's words more than the mean product's, those that do most first.

        words: of each query, rows of the probes.
        """
        sought = [seen.probes.looked_for(one) for one in words]
        lengths = np.array([np.linalg.norm(one) for one, _ in sought])
        rows = np.where(lengths > 0, np.arange(len(sought)), -1)
        units = [one / (length or 1.0) for (one, _), length in zip(sought, lengths, strict=True)]
        queries = RowVectors(np.array(units, dtype=np.float32).reshape(len(sought), -1), rows)
        found = self._vectors.search(seen.by.product).nearest(queries, n, within, above=-np.inf)
        standing = (
            found.cosines * lengths[found.queries] + np.array([mean for _, mean in sought])[found.queries]
        )
        return Hits(*(part[standing > 0] for part in found))

    def arrays(self) -> dict[str, np.ndarray]:
        if self._texts is None:
            return {}
        found = self._texts.arrays()
        for seen in self._seen:
            found |= seen.probes.arrays(f"{seen.by.group}.probes")
            found |= {
                f"{seen.by.group}.leverages": seen.leverages,
                f"{seen.by.group}.profiles": seen.profiles,
            }
            found |= {f"{seen.by.group}.search.{k}": array for k, array in seen.search.arrays().items()}
        return found

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: ShownWordsConfig, arrays: Arrays) -> Self:  # noqa: ARG003
        if "present" not in arrays:
            return cls(catalogue, None, [])
        seen = [
            _opened(by, catalogue.vectors.of_products(by.product).rows, arrays) for by in media_of(catalogue)
        ]
        return cls(catalogue, _Texts.from_arrays(arrays), seen)

    def _worded(self, seen: _Seen, at: PairTerms, said: np.ndarray) -> Iterator[np.ndarray]:
        """Of each pair, what the product's photo shows of the query's words."""
        if not len(said) or self._texts is None:
            yield from [np.full(at.pairs, np.nan)] * 3
            return
        products = self._vectors.of_products(seen.by.product).take(at.document)
        words = self._texts.place[at.term]
        own = seen.probes.of_words(seen.leverages, products.rows, words)
        leverage = np.where(self._texts.present[at.document], own, 0.0)
        chance = seen.probes.chances(products, words, said, leverage)
        standing = seen.probes.standing(chance, words)
        differs = seen.probes.differs[words]
        yield at.mean(np.log(np.clip(chance, _NEVER, 1)))
        least = at.least(np.where(differs, standing, np.inf))
        yield np.where(np.isinf(least), np.nan, least)
        yield at.mean(standing, (said == 0) & differs)

    def _alike(self, seen: _Seen, batch: PairBatch) -> np.ndarray:
        """Cosine of what the query's photo and the product's show."""
        asked = self._vectors.of_queries(batch.queries, seen.by.query)
        if not len(asked.vectors):
            return np.full(len(batch), np.nan)
        offered = RowVectors(seen.profiles, self._vectors.of_products(seen.by.product).rows)
        return vectors.of_pairs(
            seen.profiles_of(asked).take(batch.query_rows), offered.take(batch.product_rows)
        )


def _opened(by: Comparison, rows: np.ndarray, arrays: Arrays) -> _Seen:
    """rows: (n,) each product's vector of that modality."""
    prefix = f"{by.group}.search."
    profiles = arrays[f"{by.group}.profiles"]
    parts = {name.removeprefix(prefix): part for name, part in arrays.items() if name.startswith(prefix)}
    search = VectorSearch.from_arrays(RowVectors(profiles, rows), parts)
    probes = WordProbes.from_arrays(arrays, f"{by.group}.probes")
    return _Seen(by, probes, arrays[f"{by.group}.leverages"], profiles, search)


def _means(items: RowVectors, near: Hits, queries: int) -> RowVectors:
    """Of each query, the mean vector of its hits, of unit length; none where no hit has one."""
    there = items.rows[near.items] >= 0
    query, item = near.queries[there], near.items[there]
    sums = np.zeros((queries, items.vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, query, items.vectors[items.rows[item]])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    rows = np.where(lengths[:, 0] > 0, np.arange(queries), -1)
    return RowVectors(np.divide(sums, lengths, out=sums, where=lengths > 0), rows)


def media_of(catalogue: CatalogueIndex) -> list[Comparison]:
    """The like-with-like cosines of photos and other modalities than text."""
    return [by for group, by in catalogue.vectors.searched.items() if group != "text"]


def examples_of(
    catalogue: CatalogueIndex, by: Comparison, present: np.ndarray
) -> tuple[np.ndarray, Scatter, np.ndarray]:
    """Products with a photo that are `present` (n,) bool, rising; how the photos spread, and the leverages of all."""
    photos = catalogue.vectors.of_products(by.product)
    examples = np.flatnonzero((photos.rows >= 0) & present)

    def read() -> tuple[Scatter, np.ndarray]:
        scatter = Scatter.of(photos.vectors, photos.rows[examples])
        return scatter, scatter.leverages(photos.vectors)

    return examples, *catalogue.once(("scatter", by.product, examples.tobytes()), read)
