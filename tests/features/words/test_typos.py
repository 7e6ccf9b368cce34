"""Words that no product has, read as the nearest word that one has."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.words.term_counts import Vocabulary
from features.words.typos import SHORTEST, CountedWords, Typos, one_letter_away


def typos_of(documents: dict[str, int]) -> Typos:
    """Of a catalogue in which so many products have each word."""
    words = sorted(documents)
    counts = np.array([*(documents[word] for word in words), 0])
    return Typos([CountedWords(Vocabulary.of(pl.Series([words])), counts)])


SHOP = typos_of({"shower": 3, "slower": 1, "curtain": 2, "drill": 1, "m18x30": 1, "größe": 1, "диван": 1})


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("shwoer", "shower"),  # swapped
        ("showr", "shower"),  # left out
        ("showerr", "shower"),  # put in
        ("shaower", "shower"),
        ("shover", "shower"),  # changed
        ("hower", "shower"),  # the first letter, too
        ("sower", "shower"),  # or slower, which fewer products have
        ("диваь", "диван"),  # letters are the catalogue's own
        ("gröse", "größe"),
        ("grose", "grose"),  # two letters away
        ("drll", "drll"),  # too short to tell
        ("m18x31", "m18x31"),  # another number is another product
        ("slower", "slower"),  # some product has it
        ("lamps", "lamps"),
    ],
)
def test_a_word_is_read_as_the_nearest_or_kept(asked: str, read: str) -> None:
    assert SHOP.read([asked]) == [read]


def test_of_several_the_word_that_most_products_have_and_of_equals_the_first() -> None:
    assert typos_of({"shirt": 2, "short": 5, "shore": 9}).read(["shxrt"]) == ["short"]
    assert typos_of({"shirt": 2, "short": 2}).read(["shxrt"]) == ["shirt"]


def test_a_catalogue_without_words_keeps_all() -> None:
    assert typos_of({}).read(["shower", ""]) == ["shower", ""]


def distance(a: str, b: str) -> int:
    """Damerau's, where no stretch is changed twice: by the recurrence, not by what is tried."""
    rows = [[max(i, j) if not min(i, j) else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            differs = a[i - 1] != b[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + differs)
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


words = st.text("abcé", min_size=1, max_size=7)


@given(st.dictionaries(words, st.integers(1, 5), max_size=30), st.lists(words, max_size=8))
def test_what_is_read_is_what_distances_say(documents: dict[str, int], asked: Sequence[str]) -> None:
    for word, read in zip(asked, typos_of(documents).read(asked), strict=True):
        letters = {letter for known in documents if len(known) >= SHORTEST - 1 for letter in known}
        near = [
            known for known in documents if distance(word, known) == 1 and _writable(word, known, letters)
        ]
        if word in documents or len(word) < SHORTEST or not near:
            assert read == word
        else:
            assert read == min(near, key=lambda known: (-documents[known], known))


def _writable(word: str, known: str, letters: set[str]) -> bool:
    """Whether no letter is needed that only short words of the catalogue have."""
    return set(known) <= letters | set(word)


def test_all_that_is_tried_is_one_slip_away() -> None:
    tried = one_letter_away("abca", "ab")
    assert all(distance("abca", one) <= 1 for one in tried)
    assert {"bca", "aabca", "abcab", "acba", "bbca"} <= tried
