"""A query's text as every group reads it: the price limit cut out first, then tokens, numbers and measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.words.measures import read_measures
from features.words.price_limits import PricedText, split_price_limit
from features.words.tokens import query_terms, tokenise


@dataclass(frozen=True)
class QueryWords:
    """Queries, one entry each.

    tokens: all of the text without its price limit; wanted: `terms` (tokens that are searched for), `numbers`
    and `measures`.
    """

    limits: list[PricedText]
    tokens: list[list[str]]
    wanted: Mapping[str, list[list[str]]]

    @classmethod
    def read(cls, texts: Sequence[str | None]) -> QueryWords:
        limits = [split_price_limit(text or "") for text in texts]
        rest = pl.Series([limit.rest for limit in limits], dtype=pl.String)
        tokens: list[list[str]] = tokenise(rest).to_list()
        numbers = read_measures(rest)
        wanted = {
            "terms": [query_terms(query) for query in tokens],
            "numbers": numbers.numbers.to_list(),
            "measures": numbers.measures.to_list(),
        }
        return cls(limits, tokens, wanted)
