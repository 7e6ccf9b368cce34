"""A query read in one go has the tokens and measures that a product's text of these words has."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.words.measures import matches_of, matches_of_ascii, read_measures
from features.words.price_limits import split_price_limit
from features.words.query_words import QueryWords
from features.words.tokens import query_terms, tokenise, tokens_of_ascii

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
# What the rules turn on, in any order: the two libraries that read ASCII words must not part anywhere.
BITS = st.sampled_from(
    ["'s", "'", "-", "ies", "s", "sse", "xe", "x", '"', "1,000", "1/2", ".5", "in", "ft.", "sq. ft", "#", "_"]
)
ODD_BITS = st.sampled_from([" ", "pack of ", "%", "8", "B", "ab", "$", "\x1c", "\x0b", "\n", "\x00"])
ASCII = st.lists(BITS | ODD_BITS | st.text(st.characters(max_codepoint=127), max_size=3), max_size=9).map(
    "".join
)
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


@settings(max_examples=300)
@given(st.lists(ASCII, min_size=1, max_size=4))
def test_ascii_words_are_read_one_by_one_as_columns_read_them(texts: list[str]) -> None:
    assert [tokens_of_ascii(text) for text in texts] == tokenise(pl.Series(texts)).to_list()
    columns = pl.DataFrame({"text": texts}).select(matches_of(pl.col("text")))
    assert [matches_of_ascii(text) for text in texts] == columns["text"].to_list()
