"""Training rows out of lists and judgements of people: who counts how much, at which place, and what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from features.feature_schema import WEIGHT
from ltr.data.dataset import Dataset
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig
from ltr.training.click_log import ClickLog
from ltr.training.click_settings import ClickTrainingConfig, Strategy
from tests.ltr.training.test_click_strategies import CONFIG, PRODUCTS, features, logged

LISTS = logged(800, "even")


def log(strategy: Strategy, by_clicks: pl.DataFrame | None = None, views: float = 30.0) -> ClickLog:
    none = features().frame.select("query_id", "product_id").clear()
    settings = ClickTrainingConfig(strategy=strategy, human_views=views)
    return ClickLog(LISTS, features(), none if by_clicks is None else by_clicks, settings)


def judged(queries: list[str]) -> Dataset:
    """Grades 0 to 3 of some products of these queries."""
    whole = features().take(queries)
    graded = whole.frame.with_columns(grade=(pl.col("grade") * 3).round())
    return dataclasses.replace(whole, frame=graded)


@pytest.mark.parametrize("strategy", ["naive", "positions"])
def test_people_s_judgements_are_one_more_list_of_their_weight(strategy: Strategy) -> None:
    made = log(strategy).training(judged(["q0", "q1"]), CONFIG).rows
    people = made.frame["query_id"].str.starts_with("judged").to_numpy()
    assert people.sum() == 2 * PRODUCTS
    assert set(made.frame.filter(people)[WEIGHT]) == {30.0}
    assert set(made.frame.filter(~people)[WEIGHT]) == {1.0}
    assert (made.positions is None) == (strategy == "naive")
    if made.positions is not None:
        assert set(made.positions[people]) == {PRODUCTS}
        assert set(made.positions[~people]) == set(range(PRODUCTS))
    names = made.query_ids.str.starts_with("shown").sum()
    queries = LISTS.pairs["query_id"].gather(LISTS.item[:, 0])
    assert names == (queries.is_in(["q0", "q1"]).to_numpy() & LISTS.clicked.any(axis=1)).sum()


@pytest.mark.parametrize("gain", ["linear", "exp"])
def test_pairs_are_mixed_by_views_on_the_scale_of_the_judgements(gain: str) -> None:
    train, config = judged(["q0", "q1", "q2"]), LightGBMConfig(gain=gain)  # type: ignore[arg-type]
    clicks_alone, people_alone = (
        log("rates", views=views).training(train, config).rows for views in (0, 1e9)
    )
    assert clicks_alone.frame.height == people_alone.frame.height == train.frame.height
    np.testing.assert_allclose(people_alone.grades, train.grades, atol=1e-4)
    assert clicks_alone.grades.min() >= 0
    assert clicks_alone.grades.max() <= train.grades.max() + 1e-9
    between = log("rates", views=30).training(train, config).rows.grades
    low, high = np.sort([clicks_alone.grades, people_alone.grades], axis=0)
    assert ((between >= low - 1e-9) & (between <= high + 1e-9)).all()


def test_judgements_made_of_clicks_do_not_train_beside_their_own_clicks() -> None:
    train = judged(["q0", "q1"])
    pairs = train.frame.select("query_id", "product_id")
    made = log("naive", pairs).training(train, CONFIG).rows
    assert not made.frame["query_id"].str.starts_with("judged").any()
    unlike = log("rates", pairs, views=1e9).training(train, CONFIG).rows
    same = log("rates", views=0).training(train, CONFIG).rows
    np.testing.assert_allclose(unlike.grades, same.grades)


def test_queries_without_lists_are_refused() -> None:
    train = judged(["q0"])
    elsewhere = dataclasses.replace(log("naive"), lists=LISTS.rows(np.zeros(len(LISTS), dtype=bool)))
    with pytest.raises(InputError, match="expected clicks on lists of the training queries"):
        elsewhere.training(train, CONFIG)
