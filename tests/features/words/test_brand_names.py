"""Brands named in queries."""

import numpy as np
import polars as pl
import pytest

from features.words.brand_names import BrandNames
from features.words.tokens import tokenise

BRANDS = ["Nike", "Polo", "U.S. Polo Assn.", "NIKE", None, "The Who"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("nike shoes", [1, 0, 0, 1, None, 0]),
        ("polo shirt", [0, 1, 0, 0, None, 0]),
        ("u.s. polo assn shirt", [0, 0, 1, 0, None, 0]),
        ("nike or polo", [1, 1, 0, 1, None, 0]),
        ("tee by the who", [0, 0, 0, 0, None, 1]),
        ("who nikes", [1, 0, 0, 1, None, 0]),
        ("red shoes", [None] * 6),
        ("", [None] * 6),
    ],
)
def test_a_named_brand_agrees_another_does_not_and_none_says_nothing(
    query: str, expected: list[int | None]
) -> None:
    brands = BrandNames.of(tokenise(pl.Series(BRANDS)))
    named = [brands.named_in(tokenise(pl.Series([query]))[0].to_list())]
    products = np.arange(len(BRANDS))
    found = brands.agreement(products, np.zeros_like(products), named)
    assert found == pytest.approx([np.nan if value is None else value for value in expected], nan_ok=True)


def test_a_brand_of_stop_words_only_is_never_named() -> None:
    brands = BrandNames.of(tokenise(pl.Series(["It", "Nike"])))
    assert brands.named_in(["is", "it", "nike"]) == brands.named_in(["nike"]) != set()


def test_each_pair_is_judged_by_its_own_query() -> None:
    brands = BrandNames.of(tokenise(pl.Series(["Nike", "Polo"])))
    named = [brands.named_in(["nike"]), brands.named_in(["polo"])]
    found = brands.agreement(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), named)
    assert found.tolist() == [1, 0, 0, 1]
