"""The kind of a query is what it has, whatever anybody calls it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.data.kinds import FEWEST, UNKNOWN, in_order, parts_of, query_kinds

QUERIES = pl.DataFrame(
    {
        "query_id": ["w", "p", "b", "a", "all", "blank"],
        "text": ["red", None, "red", None, "red", "  "],
        "image": [None, b"photo", b"photo", None, b"photo", b"photo"],
        "media.audio": [None, None, None, "clip.wav", "clip.wav", None],
    }
)


def test_a_kind_names_what_a_query_has() -> None:
    found = query_kinds(QUERIES)
    assert dict(found.select("query_id", "kind").rows()) == {
        "w": "words",
        "p": "photo",
        "b": "words and photo",
        "a": "audio",
        "all": "words, photo and audio",
        "blank": "photo",
    }
    assert in_order(found["kind"])[:3] == ["words", "photo", "words and photo"]


@pytest.mark.parametrize("columns", [["query_id"], ["query_id", "text"]])
def test_a_query_that_shows_nothing_is_of_no_known_kind(columns: list[str]) -> None:
    found = query_kinds(QUERIES.with_columns(text=pl.lit(None, pl.String)).select(columns))
    assert set(found["kind"]) == {UNKNOWN}
    assert set(found["has"].list.len()) == {0}


LETTERS = st.lists(st.sampled_from("wpb"), min_size=1, max_size=60)


def asked(letters: list[str], segments: list[str | None] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "query_id": [f"q{i:02d}" for i in range(len(letters))],
            "text": [None if letter == "p" else "red" for letter in letters],
            "image": [None if letter == "w" else b"photo" for letter in letters],
        },
        schema={"query_id": pl.String, "text": pl.String, "image": pl.Binary},
    )
    return frame if segments is None else frame.with_columns(segment=pl.Series(segments, dtype=pl.String))


@given(LETTERS, st.dictionaries(st.sampled_from("wpb"), st.sampled_from(["x", "y", None]), min_size=3))
def test_a_segment_that_follows_from_the_kind_says_nothing_more(letters: list[str], names: dict) -> None:
    plain, named = asked(letters), asked(letters, [names[letter] for letter in letters])
    assert query_kinds(named).equals(query_kinds(plain))


@given(LETTERS, st.data())
def test_no_two_parts_hold_the_same_queries_and_a_segment_lies_in_one_kind(
    letters: list[str], data: st.DataObject
) -> None:
    segments = data.draw(st.lists(st.sampled_from(["x", "y", None]), min_size=60, max_size=60))
    kinds = query_kinds(asked(letters, segments[: len(letters)]))
    parts = list(parts_of(kinds))
    sets = [frozenset(ids) for _, _, ids in parts]
    assert len(set(sets)) == len(sets)
    assert len({name for _, name, _ in parts}) == len(parts)
    assert frozenset(kinds["query_id"]) not in sets
    by_query = dict(kinds.select("query_id", "kind").rows())
    for family, _, ids in parts:
        assert len({by_query[query] for query in ids}) == 1
        assert family == "kind" or len(ids) >= FEWEST
