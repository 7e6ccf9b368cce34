"""Strings in one array: found where they are, and nowhere else."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.words.packed_strings import PackedStrings


@given(st.sets(st.text(max_size=3), max_size=20), st.text(max_size=3))
def test_a_string_is_found_at_its_row_and_an_absent_one_nowhere(strings: set[str], asked: str) -> None:
    ordered = sorted(strings, key=str.encode)
    packed = PackedStrings.of(pl.Series(ordered, dtype=pl.String))
    assert [packed.find(string) for string in ordered] == list(range(len(ordered)))
    assert packed.find(asked) == (ordered.index(asked) if asked in strings else -1)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 129, 1000])
def test_pages_hide_no_string(size: int) -> None:
    ordered = [f"word{number:05d}" for number in range(size)]
    packed = PackedStrings.of(pl.Series(ordered))
    assert [packed.find(string) for string in ordered] == list(range(size))
    assert {packed.find(string + "x") for string in ordered} == {-1}
    assert packed.find("") == packed.find("zz") == -1
