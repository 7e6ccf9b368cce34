"""Ratings and counts as shops show them: read as meant on one scale, or null and said."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.parsing import values
from features.sources.parsing.numerals import Reading


def counts(*texts: str | None) -> list[float | None]:
    return values.counts(pl.Series(texts, dtype=pl.String)).values.to_list()


def ratings(*texts: str | None) -> Reading:
    return values.ratings(pl.Series(texts, dtype=pl.String))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1.2K", 1200),
        ("1,2K", 1200),
        ("3k", 3000),
        ("1.25k+", 1250),
        ("1.5M", 1_500_000),
        ("1,2 Tsd.", 1200),
        ("2,5 mil valoraciones", 2500),
        ("1.2万", 12_000),
        ("24 reviews", 24),
        ("1 review", 1),
        ("1,234 global ratings", 1234),
        ("24 verified customer reviews", 24),
        ("1.234 Bewertungen", 1234),
        ("1\u202f234 avis", 1234),
        ("24 avis clients", 24),
        ("24 valoraciones globales", 24),
        ("24 reviews.", 24),
        ("12 recenzí", 12),
        ("21 отзыв", 21),
        ("1,234件の評価", 1234),
        ("（24）", 24),
        ("(24)", 24),
        ("(1.2K)", 1200),
        ("Reviews (24)", 24),
        ("reviews: 24", 24),
        ("10,000+", 10_000),
        ("over 1,000 reviews", 1000),
        ("~300", 300),
        ("4.5 (24)", 24),
        ("4,5 von 5 (12 Bewertungen)", 12),
        ("4.5 out of 5 stars (1,234 ratings)", 1234),
        ("4.5 stars, 24 ratings", 24),
        ("No reviews yet", 0),
        ("keine Bewertungen", 0),
        ("24", 24),
        *(
            (text, None)
            for text in ("24 sold", "14K gold", "(24", "24)", "24.5 reviews", "4.5 stars", "4.5/5", "5 - 9")
        ),
        *(
            (text, None)
            for text in ("24 (3)", "n/a", "", "many", "reviews", "K", "1,234 Ratings & 56 Reviews")
        ),
        (None, None),
    ],
)
def test_counts_as_shops_show_them(text: str | None, count: float | None) -> None:
    assert counts(text) == [count]


@given(
    number=st.integers(0, 10**8),
    style=st.sampled_from(
        ["{}", "({})", "{} reviews", "{} Bewertungen", "({} ratings)", "{} avis", "4.5 ({})"]
    ),
    thousands=st.sampled_from(["", ",", ".", " ", "'", "\u202f"]),
)
def test_a_written_count_is_read_back(number: int, style: str, thousands: str) -> None:
    written = style.format(f"{number:,}".replace(",", thousands))
    assert counts(written) == [number]


@given(
    tenths=st.integers(1, 9999),
    factor=st.sampled_from(["k", "K", "M", " m", "k+"]),
    mark=st.sampled_from(".,"),
)
def test_a_rounded_count_is_said(tenths: int, factor: str, mark: str) -> None:
    read = values.counts(pl.Series([f"{tenths // 10}{mark}{tenths % 10}{factor}", "12"]))
    assert read.values.to_list() == [tenths * (100 if "k" in factor.lower() else 100_000), 12]
    assert [said.level for said in read.said] == ["PASS"]
    assert "rounded" in read.said[0].evidence


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("4.5/5", 4.5),
        ("4.5 / 5.0", 4.5),
        ("４．５／５", 4.5),
        ("9/10", 9),
        ("85/100", 85),
        ("4,5 von 5", 4.5),
        ("4,5 von 5 Sternen", 4.5),
        ("4.5 out of 5 stars", 4.5),
        ("Rated 4.5 out of 5", 4.5),
        ("Rating: 4.5/5", 4.5),
        ("4,5 sur 5 étoiles", 4.5),
        ("4,5 su 5 stelle", 4.5),
        ("4,5 de 5 estrellas", 4.5),
        ("4,5 van 5 sterren", 4.5),
        ("4,5 z 5 gwiazdek", 4.5),
        ("5つ星のうち4.5", 4.5),
        ("5 üzerinden 4,5", 4.5),
        ("4,333 von 5", 4.333),
        ("4.5 stars", 4.5),
        ("4.5★", 4.5),
        ("★ 4.5", 4.5),
        ("4½", 4.5),
        ("4 1/2 stars", 4.5),
        ("4¾ stars", 4.75),
        ("★★★★☆", 4),
        ("★★★½☆", 3.5),
        ("★★★★½", 4.5),
        ("★★★★", 4),
        ("⭐️⭐️⭐️", 3),
        ("☆☆☆☆☆", 0),
        ("90%", 90),
        ("92,5 %", 92.5),
        ("5.0 ★★★★★", 5),
        ("4.5-star", 4.5),
        ("4.5分", 4.5),
        ("95% positive", 95),
        ("4.5 / 5 stars based on 24 reviews", 4.5),
        ("4.5 (24)", 4.5),
        ("4.5 (1.2K reviews)", 4.5),
        ("4.5 out of 5 stars (1,234 ratings)", 4.5),
        ("4,5/5 (12 Bewertungen)", 4.5),
        ("4,5", 4.5),
        *(
            (text, None)
            for text in ("7/5", "24/7", "110%", "good", "1,234 reviews", "24 reviews", "4.5 kg", "1-5")
        ),
        *((text, None) for text in ("4.5 of", "/5", "%", "(24)", "-", "")),
    ],
)
def test_ratings_as_shops_show_them(text: str, rating: float | None) -> None:
    assert ratings(text).values.to_list() == [rating]


@given(
    tenths=st.lists(st.integers(0, 50), min_size=1),
    style=st.sampled_from(["{}/5", "{} von 5", "{} out of 5 stars"]),
)
def test_one_scale_is_kept(tenths: list[int], style: str) -> None:
    read = ratings(*(style.format(tenth / 10) for tenth in tenths))
    assert read.values.to_list() == [tenth / 10 for tenth in tenths]
    assert [said.level for said in read.said] == ["PASS"]


@given(
    of_five=st.lists(st.integers(0, 50), min_size=1, max_size=9),
    of_others=st.lists(st.tuples(st.sampled_from([10, 100, 20]), st.floats(0, 1)), min_size=1, max_size=9),
)
def test_several_scales_are_brought_to_the_most_frequent(
    of_five: list[int], of_others: list[tuple[int, float]]
) -> None:
    written = [(tenth / 10, 5) for tenth in of_five] + [(round(share * of, 2), of) for of, share in of_others]
    frequency = {of: sum(scale == of for _, scale in written) for _, of in written}
    main = min(frequency, key=lambda of: (-frequency[of], of))
    read = ratings(*(f"{value:g}%" if of == 100 else f"{value:g}/{of}" for value, of in written))
    assert read.values.to_list() == pytest.approx([value * main / of for value, of in written])
    assert [said.level for said in read.said] == ["WARN"]
    assert "several scales" in read.said[0].evidence


@pytest.mark.parametrize(
    ("texts", "right", "levels"),
    [
        (("4.5", "4.5/5", "3"), [4.5, 4.5, 3], ["PASS", "PASS"]),
        (("★★★★☆", "★★★★★", "★"), [4, 5, 1], ["PASS", "PASS"]),
        (("8.5", "9/10", "7"), [8.5, 9, 7], ["PASS", "PASS"]),
        (("4.5", "9/10", "3", "2"), [4.5, None, 3, 2], ["WARN"]),  # those without a scale may be of 5
        (("9/10", "8/10", "3"), [9, 8, None], ["WARN", "PASS"]),
        (("-1", "4.5/5", "3"), [None, 4.5, 3], ["PASS", "PASS"]),
        (("0", "0", "0", "4.5/5"), [0, 0, 0, 4.5], ["PASS"]),
        (("-1", "-1", "9/10"), [None, None, 9], ["PASS"]),
        (("0.9", "0.8", "4.5/5"), [0.9, 0.8, None], ["WARN"]),
        (("4.5/5", "9/10", "8/10", "4.2"), [9, 9, 8, None], ["WARN", "WARN"]),
        (("4.5", "4.2", "4.9", "4/5", "8/10"), [4.5, 4.2, 4.9, 4, 4], ["WARN", "WARN"]),
    ],
)
def test_ratings_without_a_scale_are_not_mixed_with_others(
    texts: tuple[str, ...], right: list[float | None], levels: list[str]
) -> None:
    read = ratings(*texts)
    assert read.values.to_list() == right
    assert [said.level for said in read.said] == levels


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ([4.5] * 20 + [45.0], True),
        ([0.5] * 20 + [4.0], True),
        ([8.5] * 20 + [85.0], True),
        ([4.5] * 20 + [9.0], False),
        ([0.0] * 50 + [4.5, 3.0], False),
        ([4.5] * 3 + [45.0], False),
        ([4.5, 1.0, 5.0], False),
        ([90.0, 45.0, 5.0], False),
        ([], False),
    ],
)
def test_ratings_far_above_the_others_are_said(given: list[float], *, warned: bool, as_text: bool) -> None:
    column = pl.Series(given, dtype=pl.Float64)
    read = values.ratings(column.cast(pl.String) if as_text else column)
    assert read.values.to_list() == given
    assert [said.level for said in read.said] == ["WARN"] * warned


def test_negative_counts_are_none() -> None:
    assert counts("-3", "-1,234", "(3)", "0") == [None, None, 3, 0]
    assert values.counts(pl.Series([-1, 4])).values.to_list() == [None, 4]


def test_numbers_are_read_as_ever() -> None:
    assert values.ratings(pl.Series([4.5, None, 3.0])).values.to_list() == [4.5, None, 3.0]
    assert values.counts(pl.Series([24, None])).values.to_list() == [24, None]
    assert ratings("4,5", "3,333", "2").values.to_list() == [4.5, 3.333, 2]


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("others", [[], ["3"], ["5", "4"], ["4,5"], ["4.5"]])
def test_no_rating_has_thousands(mark: str, others: list[str]) -> None:
    thirds = [f"4{mark}667", f"3{mark}333"]
    assert ratings(*thirds, *others).values.to_list()[:2] == [4.667, 3.333]


@pytest.mark.parametrize("as_text", [True, False])
def test_negative_ratings_are_none(as_text: bool) -> None:
    column = pl.Series([-1.0, 4.0, 4.5])
    assert values.ratings(column.cast(pl.String) if as_text else column).values.to_list() == [None, 4, 4.5]
