"""The smallest change of price that swaps two products, where the answer is a formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.errors import InputError
from features.groups.structured import StructuredConfig
from ltr.explanation.counterfactual import Shelf, changes, first_switch, resolution, trial_values

PRICES = {"a": 20.0, "b": 30.0, "c": 45.0, "d": 80.0}
LIMIT = 60.0
CONFIG = FeaturesConfig(similarity=None, structured=StructuredConfig())


def products(**changed: float) -> pl.DataFrame:
    prices = PRICES | changed
    return pl.DataFrame(
        {
            "product_id": list(prices),
            "title": [f"red tee {name}" for name in prices],
            "description": "a tee",
            "brand": "Haven",
            "category": "tops",
            "price": pl.Series(list(prices.values()), dtype=pl.Float64),
            "rating": pl.Series([4.0, 4.5, 3.0, None], dtype=pl.Float64),
            "list_price": pl.Series([100.0] * 4),
        }
    )


def builder(table: pl.DataFrame) -> FeatureBuilder:
    return FeatureBuilder(table, CONFIG, {}, EmbeddingCache(Path("unused")))


QUERY = pl.DataFrame({"query_id": ["q"], "text": [f"red tee under {LIMIT:g}"], "image": [None]})
PAIRS = pl.DataFrame({"query_id": ["q"] * 4, "product_id": list(PRICES)})


def shelf(formula: pl.Expr) -> Shelf:
    """A model whose score is a formula of the built features."""

    def score(built: FeatureBuilder, queries: pl.DataFrame, pairs: pl.DataFrame) -> np.ndarray:
        return built.build(queries, pairs).frame.select(formula.cast(pl.Float64)).to_series().to_numpy()

    return Shelf(builder(products()), products(), QUERY, PAIRS, score)


CHEAPER = -pl.col("structured.price")
CHEAPER_RANK = -pl.col("structured.price_rank")
WITHIN_LIMIT = pl.col("lexical.price_limit_satisfied") - pl.col("structured.price") / 1000
STEP = 0.001  # five digits of 80


def test_the_price_just_past_the_rival_s_is_found() -> None:
    """b overtakes a below 20; at 20 they are equal, and a comes first by its id."""
    down, up = changes(shelf(CHEAPER), "b", "a", "price")
    assert down.value == pytest.approx(PRICES["a"] - STEP)
    assert down.lead < 0 < down.lead_after
    assert (up.value, up.end) == (None, PRICES["d"] + STEP)


def test_the_better_one_loses_its_place_past_the_rival_s_price() -> None:
    down, up = [*changes(shelf(CHEAPER), "b", "c", "price")]
    assert down.value is None
    assert up.value == pytest.approx(PRICES["c"] + STEP)  # equal at 45: b before c


def test_ranks_of_the_other_candidates_move_with_the_price() -> None:
    """By rank alone the switch is where the two prices cross, though the rank also moves at c's price."""
    down, _ = changes(shelf(CHEAPER_RANK), "d", "b", "price")
    assert down.value == pytest.approx(PRICES["b"] - STEP)


def test_a_limit_in_the_query_belongs_to_the_price() -> None:
    down, _ = changes(shelf(WITHIN_LIMIT + (pl.col("structured.price") > 50) * 0.5), "d", "c", "price")
    assert down.value == pytest.approx(LIMIT)


def test_another_column_may_be_changed() -> None:
    (up,) = [c for c in changes(shelf(pl.col("structured.rating")), "a", "b", "rating") if c.value]
    assert up.value == pytest.approx(4.5)  # equal ratings: a before b


def test_no_change_for_a_model_that_does_not_look_at_the_price() -> None:
    found = changes(shelf(pl.col("structured.rating").fill_null(0)), "a", "b", "price")
    assert [change.value for change in found] == [None, None]
    assert [c.end for c in found] == [PRICES["a"] - STEP, PRICES["d"] + STEP]


def test_a_product_without_the_number_has_nothing_to_change() -> None:
    assert changes(shelf(CHEAPER), "d", "a", "rating") == []


@pytest.mark.parametrize("column", ["title", "weight"])
def test_only_numbers_of_the_catalogue_can_change(column: str) -> None:
    with pytest.raises(InputError, match=f"got '{column}'; choose among price, rating, list_price"):
        changes(shelf(CHEAPER), "a", "b", column)


def test_a_changed_number_gives_the_features_of_a_catalogue_made_anew() -> None:
    """No index that was kept knows the price."""
    changed = products(c=10.0).with_columns(rating=pl.Series([1.0, 4.5, 3.0, None]))
    kept = builder(products()).with_numbers(changed).build(QUERY, PAIRS).frame
    anew = builder(changed).build(QUERY, PAIRS).frame
    before = builder(products()).build(QUERY, PAIRS).frame
    assert kept.equals(anew)
    moved = {name for name in kept.columns if not kept[name].equals(before[name])}
    assert {"structured.price_rank", "lexical.price_limit_ratio", "structured.rating"} <= moved


def test_the_old_builder_does_not_change() -> None:
    old = builder(products())
    old.with_numbers(products(c=10.0))
    assert old.build(QUERY, PAIRS).frame.equals(builder(products()).build(QUERY, PAIRS).frame)


@given(threshold=st.integers(101, 29_999), now=st.integers(1, 300), up=st.booleans())
def test_the_switch_is_found_to_the_step(threshold: int, now: int, up: bool) -> None:
    """Swapped at and beyond a threshold in cents: the answer is that threshold, wherever it lies."""
    limit = threshold / 100
    end = 300.0 if up else 1.0
    values = trial_values(float(now), end, [], 0.01)
    reached = (lambda value: value >= limit - 1e-9) if up else (lambda value: value <= limit + 1e-9)
    if now == end or reached(float(now)):
        return
    assert first_switch(reached, float(now), values, 0.01) == pytest.approx(limit, abs=1e-6)


def test_trials_start_nearest_and_stand_on_both_sides_of_each_candidate() -> None:
    values = trial_values(20.0, 80.0, [30.0, 45.0, 90.0], 0.01)
    assert values == sorted(set(values))
    assert values[0] > 20.0
    assert values[-1] == 80.0
    assert {29.99, 30.0, 30.01, 44.99, 45.0, 45.01} <= set(values)
    assert trial_values(0.0, 1.0, [], 0.1) == pytest.approx([0.1 * i for i in range(1, 11)])


def test_a_price_is_found_to_five_digits_of_the_dearest() -> None:
    assert [resolution(largest) for largest in (349.0, 29_999.0, 5.0)] == pytest.approx([0.01, 1.0, 0.0001])
