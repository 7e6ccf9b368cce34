"""Tables made to do harm: each is read with the value left out, or refused in one line; in linear time."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.sources.cleaning import LONGEST_TEXT, unescaped
from tests.features.sources.test_load import load_shop

AMPERSANDS = st.sampled_from(["amp;", "#38;", "#x26;", "AMP;", "#038;", "#x0026;"])


@given(st.lists(AMPERSANDS, min_size=1, max_size=200))
def test_an_ampersand_escaped_many_times_is_one(escapes: list[str]) -> None:
    assert unescaped(f"Tom &{''.join(escapes)} Jerry") == "Tom & Jerry"
    assert unescaped(f"a &{''.join(escapes)}lt; b") == "a < b"


@given(st.text(alphabet="&#x;amplt0123456789", max_size=60))
def test_no_entity_is_left_and_none_is_an_error(text: str) -> None:
    assert not pl.Series([unescaped(text)]).str.contains(r"&(?:amp|lt|#38|#x26);").any()


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "65", "x" + "f" * 5000, "x" + "0" * 5000 + "41"])
def test_entities_of_thousands_of_digits(digits: str) -> None:
    assert unescaped(f"a&#{digits};b") in ("a\ufffdb", "aAb")


def _read(folder: Path, name: str, content: bytes) -> pl.DataFrame:
    (folder / name).write_bytes(content)
    return load_shop(folder, {"products": {"path": name}}).products


@pytest.mark.parametrize("digits", [309, 4301, 40_000])
def test_endless_numbers_are_null(tmp_path: Path, digits: int) -> None:
    long = "9" * digits
    rows = f"product_id,title,price,rating,rating_count,listed_at\n1,hat {long},{long},{long},{long},{long}\n"
    others = "".join(f"{i},hat,5,4,3,2024-05-01\n" for i in range(2, 5))
    first = _read(tmp_path, "p.csv", (rows + others).encode()).row(0, named=True)
    assert [first[name] for name in ("price", "rating", "rating_count", "listed_at")] == [None] * 4


def test_a_long_text_is_cut_and_counted(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"product_id,title\n1,{'word ' * LONGEST_TEXT}\n2,hat\n")
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}})
    assert shop.products["title"].str.len_chars().max() <= LONGEST_TEXT
    assert {step.step: step.affected for step in shop.steps}[f"text cut at {LONGEST_TEXT:,} characters"] == 1


@pytest.mark.parametrize("depth", [33, 900, 50_000])
@pytest.mark.parametrize("nest", [("[", "]"), ('{"a":', "}")])
def test_json_nested_without_bounds_is_one_line(tmp_path: Path, depth: int, nest: tuple[str, str]) -> None:
    opening, closing = nest
    value = opening * depth + "1" + closing * depth
    with pytest.raises(InputError, match="line 2: expected a table's row, got values nested"):
        _read(tmp_path, "p.jsonl", f'{{"product_id": "1"}}\n{{"product_id": "2", "x": {value}}}\n'.encode())


def test_brackets_in_texts_are_no_depth(tmp_path: Path) -> None:
    line = '{"product_id": "1", "title": "' + "[" * 99 + '"}\n'
    assert _read(tmp_path, "p.jsonl", line.encode())["title"].to_list() == ["[" * 99]


def test_a_json_number_of_thousands_of_digits_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too long"):
        _read(tmp_path, "p.jsonl", f'{{"product_id": "1", "price": {"9" * 5000}}}\n'.encode())


def test_what_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(bytes(300 * 2**20), 9))
    with pytest.raises(InputError, match="200 times its size"):
        load_shop(tmp_path, {"products": {"path": "p.csv.gz"}})
    pl.DataFrame({"product_id": pl.repeat("x", 40_000_000, eager=True)}).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="40,000,000 values"):
        load_shop(tmp_path, {"products": {"path": "p.parquet"}})
