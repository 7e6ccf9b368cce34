"""What a shopper may be about to type: titles, brands and categories that begin as the words do."""

from __future__ import annotations

import re
from bisect import bisect_left

import polars as pl

from features.batch import QueryBatch
from features.build import FeatureBuilder
from features.groups.lexical import LexicalGroup

_LAST = "\U0010ffff"


class Suggestions:
    """Sorted texts in lower case, so that a beginning is found by halving."""

    def __init__(self, builder: FeatureBuilder) -> None:
        self._builder = builder
        products = builder.catalogue.products
        self._titles = products["title"] if "title" in products.columns else None
        titles = pl.Series(dtype=pl.String) if self._titles is None else self._titles
        lowered = titles.drop_nulls().unique().sort()
        by_title = pl.DataFrame({"key": lowered.str.to_lowercase(), "title": lowered}).sort("key")
        self._keys, self._named = by_title["key"], by_title["title"]
        self._short = {
            name: sorted(_beginnings(products[name].drop_nulls().unique().to_list()))
            for name in ("brand", "category")
            if name in products.columns
        }

    def of(self, typed: str, most: int) -> list[dict[str, str]]:
        """kind, text; brands and categories first, then titles that begin so, then titles that hold the words."""
        wanted = typed.strip().lower()
        if not wanted:
            return []
        found = [
            {"kind": kind, "text": text}
            for kind, entries in self._short.items()
            for text in _beginning_with(entries, wanted, max(1, most // 3))
        ]
        titles = [*self._titles_beginning(wanted, most), *self._titles_holding(wanted, most)]
        found += [{"kind": "title", "text": title} for title in dict.fromkeys(titles)]
        return found[:most]

    def _titles_beginning(self, wanted: str, most: int) -> list[str]:
        first = int(self._keys.search_sorted(wanted))
        keys = self._keys.slice(first, most)
        return [self._named[first + n] for n, key in enumerate(keys) if key.startswith(wanted)]

    def _titles_holding(self, wanted: str, most: int) -> list[str]:
        lexical = self._builder.groups.get("lexical")
        if self._titles is None or not isinstance(lexical, LexicalGroup):
            return []
        query = QueryBatch(pl.DataFrame({"query_id": ["typed"], "text": [wanted]}))
        rows = lexical.best(query, most).items
        return [title for title in self._titles.gather(rows) if title is not None]


def _beginnings(texts: list[str]) -> list[tuple[str, str]]:
    """Each text by its own beginning and by that of each of its words."""
    return [(text.lower()[found.start() :], text) for text in texts for found in re.finditer(r"\w+", text)]


def _beginning_with(entries: list[tuple[str, str]], wanted: str, most: int) -> list[str]:
    start, end = bisect_left(entries, (wanted, "")), bisect_left(entries, (wanted + _LAST, ""))
    return list(dict.fromkeys(text for _, text in entries[start:end]))[:most]
