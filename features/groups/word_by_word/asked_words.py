"""Word by word, whether a product has what the query asks for: its text says it or a related word, its photo shows it.

Where the words of a whole text are compared at once, a product that has most of what is asked looks like one that has
it all. Here each word is looked for by itself, in text and photo alike, and the word that is met least counts too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from features.batch import PairBatch
from features.encoders import vectors
from features.encoders.comparisons import Comparison, TextField
from features.encoders.vectors import RowVectors
from features.feature_schema import Feature
from features.groups.protocol import Arrays, Group, GroupSettings
from features.groups.standings import z_score
from features.groups.word_by_word.related_words import Relations, VisibleWords, by_meaning, most
from features.groups.word_by_word.said_words import SaidWords
from features.groups.word_by_word.shown_words import examples_of, media_of
from features.index import CatalogueIndex, Change
from features.words.term_counts import PairTerms, TermLists
from features.words.typos import KnownWords

_MOST_WORDS = 10_000  # that are related to others: the most frequent ones


class AskedWordsConfig(GroupSettings):
    """From which texts of the catalogue its words come."""

    fields: tuple[TextField, ...] = Field(
        ("title", "description", "category", "brand"),
        min_length=1,
        description="those absent from the catalogue are left out",
    )
    min_products: int = Field(3, ge=1, description="a word that fewer products say is related to no other")


class AskedWordsGroup(Group):
    """Of the query's words that the catalogue knows; `_least`: of the word that is met least, else their mean.

    asked_said: 1 where the text says the word, less for a related one, 0 for none. asked_shown: what the photo shows of
    the word, 1 as much as the photos of products that say it, 0 the average; of words that photos show. asked_met: the
    greater of both, where there are both: it goes with either. Missing for a query without such a word; asked_shown
    also where a photo is missing. photo_asked: cosine of what the product's photo shows and what the query's shows, but
    for what its words ask otherwise (see `asked_photos`); `_z`: standing in the list. Missing where a photo is missing.
    """

    kind = "asked_words"
    settings: ClassVar[type[AskedWordsConfig]] = AskedWordsConfig

    def __init__(
        self,
        catalogue: CatalogueIndex,
        said: SaidWords,
        meaning: Relations,
        visible: Mapping[str, VisibleWords],
        *,
        texts: bool,
    ) -> None:
        """visible: by modality; texts: whether a text encoder relates the words."""
        self._catalogue, self._vectors, self._media = catalogue, catalogue.vectors, media_of(catalogue)
        self._words, self._meaning = said, meaning
        self._visible, self._texts = visible, texts

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: AskedWordsConfig) -> Self:
        return cls._related(catalogue, settings, SaidWords.of(catalogue, settings.fields))

    def reindexed(self, catalogue: CatalogueIndex, settings: AskedWordsConfig, change: Change) -> Self:
        """Only texts of products that changed are read; what words stand for hangs on the whole catalogue."""
        said = self._words.changed(catalogue, settings.fields, change)
        return self._related(catalogue, settings, said)

    @classmethod
    def _related(cls, catalogue: CatalogueIndex, settings: AskedWordsConfig, said: SaidWords) -> Self:
        size, counts = said.vocabulary.size, said.counts
        if not said.fields:
            return cls(catalogue, said, _unrelated(size), {}, texts=False)
        frequent = np.argsort(-counts, kind="stable")[:_MOST_WORDS]
        common = np.sort(frequent[counts[frequent] >= settings.min_products])
        texts = catalogue.vectors.searched.get("text")
        meaning = _unrelated(size)
        if texts is not None:
            found = catalogue.vectors.of_words(texts.query, said.vocabulary.terms.series().gather(common))
            rows = np.full(size, -1)
            rows[common] = found.rows
            meaning = by_meaning(RowVectors(found.vectors, rows))
        visible, present = {}, said.present(catalogue.products)
        says = said.matrix[:, common]
        for by in media_of(catalogue):
            photos = catalogue.vectors.of_products(by.product)
            examples = examples_of(catalogue, by, present)
            visible[by.group] = VisibleWords.fit(photos, *examples, says, common, size)
        return cls(catalogue, said, meaning, visible, texts=texts is not None)

    @property
    def features(self) -> tuple[Feature, ...]:
        both = ("asked_shown", "asked_met") if self._texts else ("asked_shown",)
        names = ["text.asked_said"] if self._texts else []
        names += [f"{group}.{name}" for group in self._visible for name in both]
        worded = [name + suffix for name in names for suffix in ("", "_least")]
        alike = [f"{by.group}.{by.word}_asked{suffix}" for by in self._seen for suffix in ("", "_z")]
        return tuple(map(Feature, worded + alike))

    @property
    def known_words(self) -> list[KnownWords]:
        return [self._words]

    @property
    def _seen(self) -> list[Comparison]:
        return [by for by in self._media if by.group in self._visible]

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        if not self.features:
            return
        asked = self._asked(batch)
        at = PairTerms.of(batch.product_rows, batch.query_rows, asked)
        said = [self._said(at)] if self._texts else []
        found = list(said)
        for visible in self._visible.values():
            entry, place = visible.related.expand(at.term)
            values = (
                visible.shown[at.document[entry], visible.related.words[place]]
                * visible.related.weights[place]
            )
            shown = most(entry, values, len(at.term))
            found += [shown, *(np.fmax(text, np.minimum(shown, 1)) for text in said)]
        for column, values in enumerate(found):
            known = ~np.isnan(values)
            out[:, 2 * column] = at.mean(np.where(known, values, 0), known)
            least = at.least(np.where(known, values, np.inf))
            out[:, 2 * column + 1] = np.where(np.isinf(least), np.nan, least)
        for column, by in enumerate(self._seen, len(found)):
            out[:, 2 * column] = self._alike(by, batch, asked)
            out[:, 2 * column + 1] = z_score(out[:, 2 * column], batch.starts, batch.among)

    def _alike(self, by: Comparison, batch: PairBatch, asked: TermLists) -> np.ndarray:
        visible, photos = self._visible[by.group], self._vectors.of_queries(batch.queries, by.query)
        if not len(photos.vectors):
            return np.full(len(batch), np.nan)
        wanted = visible.wanted(photos, asked).take(batch.query_rows)
        offered = RowVectors(visible.asked.profiles, self._vectors.of_products(by.product).rows)
        return vectors.of_pairs(wanted, offered.take(batch.product_rows))

    def _asked(self, batch: PairBatch) -> TermLists:
        """The query's words that the catalogue knows."""
        wanted = self._catalogue.words_of(batch.queries).wanted["terms"]
        terms = TermLists.of(wanted, self._words.vocabulary)
        known = terms.codes < self._words.vocabulary.size - 1
        return TermLists(terms.codes[known], np.concatenate([[0], np.cumsum(known)])[terms.starts])

    def _said(self, at: PairTerms) -> np.ndarray:
        """(m,) of each entry, how far the product's text says the word."""
        entry, place = self._meaning.expand(at.term)
        related = PairTerms(len(at.term), entry, at.document[entry], self._meaning.words[place])
        return most(
            entry,
            self._meaning.weights[place] * (self._words.says.look_up(related)[0] > 0),
            len(at.term),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        found = self._words.arrays()
        found |= self._meaning.arrays("meaning") | {"texts": np.array(self._texts)}
        for group, visible in self._visible.items():
            found |= visible.arrays(f"visible.{group}")
        return found

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: AskedWordsConfig, arrays: Arrays) -> Self:  # noqa: ARG003
        visible = {
            by.group: VisibleWords.from_arrays(arrays, f"visible.{by.group}") for by in media_of(catalogue)
        }
        meaning, texts = Relations.from_arrays(arrays, "meaning"), bool(arrays["texts"])
        return cls(catalogue, SaidWords.from_arrays(arrays), meaning, visible, texts=texts)


def _unrelated(words: int) -> Relations:
    """So many words, each related to itself alone."""
    return by_meaning(RowVectors(np.zeros((0, 1), dtype=np.float32), np.full(words, -1)))
