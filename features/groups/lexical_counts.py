"""Which words, numbers and measures each text of a catalogue has: read from the texts, or where few products changed
from those and what was read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

import numpy as np
import polars as pl

from features.words.measures import read_measures
from features.words.packed_strings import PackedStrings
from features.words.term_counts import Counts, FieldCounts, Vocabulary, merged
from features.words.tokens import TokenisedColumns

KINDS = ("terms", "numbers", "measures")
ALL = "all"
LONG = ("title", ALL)  # texts in which a phrase or a measure of the query may stand


@dataclass(frozen=True, eq=False)
class LexicalCounts:
    """vocabularies: by kind; counts: by kind and field, products × terms: of terms every field, of numbers and measures
    those of long texts; padded: the long texts as tokens with a blank around each."""

    vocabularies: Mapping[str, Vocabulary]
    counts: Mapping[str, Counts]
    padded: Mapping[str, pl.Series]

    @classmethod
    def read(cls, fields: Mapping[str, pl.Series], tokens: TokenisedColumns) -> Self:
        """fields: texts by name; tokens: of the same columns."""
        found = {name: read_measures(field) for name, field in fields.items()}
        lists = {
            "terms": {name: tokens[name] for name in fields},
            "numbers": {name: measures.numbers for name, measures in found.items()},
            "measures": {name: measures.measures for name, measures in found.items()},
        }
        vocabularies = {kind: Vocabulary.of(*lists[kind].values()) for kind in KINDS}
        if not fields:
            return cls(vocabularies, {}, {})
        counts = {}
        for kind in KINDS:
            by_field = {name: vocabularies[kind].counts(lists[kind][name]) for name in fields}
            by_field[ALL] = reduce(add, by_field.values())
            counts[kind] = {name: one for name, one in by_field.items() if kind == "terms" or name in LONG}
        padded = {name: " " + lists["terms"][name].list.join(" ") + " " for name in fields}
        # The bar between fields keeps a phrase within one.
        joined = pl.concat_str(pl.all(), separator="|", ignore_nulls=True)
        padded[ALL] = pl.DataFrame(padded).select(text=joined)["text"]
        return cls(vocabularies, counts, {name: text for name, text in padded.items() if name in LONG})

    @classmethod
    def kept(
        cls,
        fields: Sequence[str],
        vocabularies: Mapping[str, Vocabulary],
        counts: Mapping[str, FieldCounts],
        padded: Mapping[str, PackedStrings],
    ) -> Self:
        """As an index keeps them; fields: all names but `all`, in order."""
        by_kind = {}
        for kind in KINDS:
            split = counts[kind].split()
            names = fields if kind == "terms" else [name for name in (*fields, ALL) if name in LONG]
            by_field = dict(zip(names, split, strict=True))
            by_kind[kind] = {ALL: reduce(add, split), **by_field} if kind == "terms" else by_field
        return cls(vocabularies, by_kind, {name: text.series() for name, text in padded.items()})

    def with_changed(self, changed: LexicalCounts, rows: np.ndarray) -> LexicalCounts:
        """Of products whose texts are row rows[i] of these, and from there on of the changed ones.

        As read from all texts: terms that no product has any more are gone.
        """
        vocabularies, counts = {}, {}
        for kind in KINDS:
            before, after = ((one.vocabularies[kind], one.counts[kind]) for one in (self, changed))
            vocabularies[kind], counts[kind] = merged(before, after, rows, ALL)
        padded = {
            name: pl.concat([text.fill_null(""), changed.padded[name].fill_null("")]).gather(rows)
            for name, text in self.padded.items()
        }
        return LexicalCounts(vocabularies, counts, padded)
