"""A query's text as every group reads it: the price limit cut out, then tokens with typos mended, numbers, measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.words.measures import matches_of, matches_of_ascii, read_matches
from features.words.price_limits import PricedText, split_price_limit
from features.words.tokens import BLANKLESS, plain_of, query_terms, tokenise, tokens_of, tokens_of_ascii
from features.words.typos import Typos

_FEW = 64  # texts, a request's, that are read one by one


@dataclass(frozen=True)
class QueryWords:
    """Queries, one entry each.

    tokens: all of the text without its price limit, as they are read; wanted: `terms` (tokens that are searched for),
    `numbers` and `measures`; read_as: what each token was read as that no product has and that is near one.
    """

    limits: list[PricedText]
    tokens: list[list[str]]
    wanted: Mapping[str, list[list[str]]]
    read_as: list[dict[str, str]]

    @classmethod
    def read(cls, texts: Sequence[str | None], typos: Typos | None = None) -> QueryWords:
        """typos: None for words as they were typed."""
        limits = [split_price_limit(text or "") for text in texts]
        typed, matches = _read([limit.rest for limit in limits])
        tokens = typed if typos is None else [typos.read(query) for query in typed]
        pairs = (zip(*both, strict=True) for both in zip(typed, tokens, strict=True))
        read_as = [{word: read for word, read in of_query if word != read} for of_query in pairs]
        numbers = [read_matches(of_text) for of_text in matches]
        wanted = {
            "terms": [query_terms(query) for query in tokens],
            "numbers": [of_text for of_text, _ in numbers],
            "measures": [of_text for _, of_text in numbers],
        }
        return cls(limits, tokens, wanted, read_as)


def _read(texts: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    """Tokens, and matches of numbers and measures, of each text."""
    if len(texts) <= _FEW and all(map(str.isascii, texts)):
        return [tokens_of_ascii(text) for text in texts], [matches_of_ascii(text) for text in texts]
    text, plain = pl.col("text"), pl.col("plain")
    found = (  # in one go: what a request waits for is the number of these
        pl.LazyFrame({"text": texts}, schema={"text": pl.String})
        .select("text", plain=plain_of(text), matches=matches_of(text))
        .with_columns(tokens=tokens_of(plain), odd=plain.str.contains(BLANKLESS))
        .collect()
    )
    tokens = tokenise(found["text"]) if found["odd"].any() else found["tokens"]
    return tokens.to_list(), found["matches"].to_list()
