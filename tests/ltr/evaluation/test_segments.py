"""Kinds of queries: read off words, photos and judged products, and only where there are enough of them."""

from __future__ import annotations

import polars as pl
import pytest

from ltr.evaluation import segments
from ltr.evaluation.segments import all_segments, query_segments

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["a", "b", "c", "d"],
        "brand": ["Acme", "Acme", "Zeno", None],
        "category": ["Shoes > Boots", "Shoes > Trainers", "Hats", None],
        "price": [10.0, 20.0, 300.0, None],
    }
)
QUERIES = pl.DataFrame(
    {
        "query_id": ["1", "2", "3", "4", "5", "6"],
        "text": ["red boots", "striped acme shoe for men", "hat under 50", None, "grey zeno hat", "hats"],
        "image": [None, None, None, b"photo", b"photo", None],
    }
)
PAIRS = pl.DataFrame(
    [
        ("1", "a", 2.0),
        ("1", "c", 0.0),
        ("2", "b", 1.0),
        ("3", "c", 2.0),
        ("4", "d", 1.0),
        ("4", "a", 1.0),
        ("4", "b", 1.0),
        ("5", "c", 1.0),
    ],
    schema=["query_id", "product_id", "grade"],
    orient="row",
)


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FEWEST", 1)


def found() -> dict[str, list[str]]:
    rows = all_segments(QUERIES, PAIRS, PRODUCTS, 1.0)
    by_segment = rows.group_by("family", "segment", maintain_order=True).agg("query_id")
    return {f"{family}: {segment}": sorted(ids) for family, segment, ids in by_segment.iter_rows()}


@pytest.mark.parametrize(
    ("segment", "queries"),
    [
        ("kind: words", ["1", "2", "3"]),
        ("kind: photo", ["4"]),
        ("kind: words and photo", ["5"]),
        ("length: 1 or 2 words", ["1"]),
        ("length: 3 or 4 words", ["3", "5"]),
        ("length: 5 words or more", ["2"]),
        ("photo: with a photo", ["4", "5"]),
        ("photo: without a photo", ["1", "2", "3"]),
        ("names: names a colour", ["1", "5"]),
        ("names: names a pattern", ["2"]),
        ("names: names a price limit", ["3"]),
        ("names: names a brand", ["2", "5"]),
        ("brand: Acme", ["1", "2", "4"]),
        ("brand: Zeno", ["3", "5"]),
        ("category: Shoes", ["1", "2", "4"]),
        ("category: Hats", ["3", "5"]),
        ("judged: head: longer lists", ["1", "4"]),
        ("judged: tail: shorter lists", ["2", "3", "5"]),
    ],
)
def test_queries_fall_into_their_segments(segment: str, queries: list[str]) -> None:
    assert found()[segment] == queries


def test_prices_are_cut_into_thirds_by_the_median_of_the_relevant() -> None:
    # Medians: 1 and 4 below 2; 3 and 5 have one price, and lie together.
    assert found()["price: low prices"] == ["1", "4"]
    assert found()["price: middle prices"] == ["2"]
    assert found()["price: high prices"] == ["3", "5"]


def test_only_judged_queries_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "6" not in {query for ids in found().values() for query in ids}


def test_small_segments_those_of_every_query_and_those_told_already_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "FEWEST", 3)
    rows = query_segments(QUERIES, PAIRS, PRODUCTS, 1.0)
    sets = rows.group_by("family", "segment", maintain_order=True).agg("query_id")
    assert sets["family"].to_list()[0] == "kind"  # without a photo: the same queries under another name
    assert all(3 <= len(ids) < 5 for ids in sets["query_id"])
    assert sets["query_id"].list.sort().n_unique() == sets.height


def test_a_shop_with_ids_and_grades_only_has_segments_by_list_length_alone() -> None:
    rows = query_segments(QUERIES.select("query_id"), PAIRS, PRODUCTS.select("product_id"), 1.0)
    assert set(rows["family"]) == {"judged"}
