"""A query read in one go has the tokens and measures that a product's text of these words has."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.words.measures import read_measures
from features.words.price_limits import split_price_limit
from features.words.query_words import QueryWords
from features.words.tokens import query_terms, tokenise

ODD = [
    "13.3 inch",
    "7 1/2 volt",
    "赤い靴 sneaker",
    "Café No. 5",
    "men's t-shirt",
    "2 pack under 50",
    "#8",
    "",
    "🙂",
]
TEXTS = st.none() | st.sampled_from(ODD) | st.text(max_size=30)


@settings(max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_it_reads_as_columns_are_read(texts: list[str | None]) -> None:
    found = QueryWords.read(texts)
    rest = pl.Series([split_price_limit(text or "").rest for text in texts], dtype=pl.String)
    assert found.tokens == tokenise(rest).to_list()
    assert found.wanted["terms"] == [query_terms(tokens) for tokens in found.tokens]
    measures = read_measures(rest)
    assert found.wanted["numbers"] == measures.numbers.to_list()
    assert found.wanted["measures"] == measures.measures.to_list()
