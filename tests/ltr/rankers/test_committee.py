"""Bags that watch what they do not see: who learns from what, where all stop, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ltr.data.dataset import Dataset
from ltr.rankers import CatBoostConfig, LightGBMConfig, RankerConfig, XGBoostConfig, load_ranker, make_ranker
from ltr.rankers.boosters.committee import FEW, common_stop, seats
from tests.ltr.rankers.test_rankers import dataset

SMALL = {"trees": 60, "leaves": 7, "threads": 1, "early_stopping_rounds": 8, "bags": 3}
BOOSTERS = [LightGBMConfig(**SMALL), XGBoostConfig(**SMALL), CatBoostConfig(**SMALL)]
every_booster = pytest.mark.parametrize("config", BOOSTERS, ids=lambda config: config.kind)


def yes(_: Dataset) -> bool:
    return True


@pytest.mark.parametrize("bags", [2, 3, 5])
@pytest.mark.parametrize("queries", [10, 31])
def test_every_query_is_watched_once_and_never_by_whom_it_taught(bags: int, queries: int) -> None:
    train, validation = dataset(queries=queries), renamed(dataset(queries=4, seed=2))
    made = seats(train, validation, bags, 0, yes)
    watched = [set(seat.watched.query_ids) - set(validation.query_ids) for seat in made]
    assert sorted(query for part in watched for query in part) == sorted(train.query_ids)
    for seat, part in zip(made, watched, strict=True):
        assert set(seat.train.query_ids) == set(train.query_ids) - part
        assert set(validation.query_ids) <= set(seat.watched.query_ids)
        assert seat.watched.schema == train.schema


def renamed(data: Dataset) -> Dataset:
    return Dataset.from_frame(data.frame.with_columns(query_id="v" + data.frame["query_id"]), data.schema)


@pytest.mark.parametrize("why", ["one bag", "enough", "too few", "weights", "nothing to tell"])
def test_no_seats_where_they_would_not_help(why: str) -> None:
    train, validation = dataset(queries=20), renamed(dataset(queries=4))
    bags, telling = (1 if why == "one bag" else 3), (yes if why != "nothing to tell" else lambda _: False)
    if why == "enough":
        validation = renamed(dataset(queries=FEW, rows=2))
    elif why == "too few":
        train = dataset(queries=5)
    elif why == "weights":
        train = Dataset(train.frame, train.schema, train.X, train.query_ids, train.groups, np.ones(20))
    assert seats(train, validation, bags, 0, telling) == []


@pytest.mark.parametrize("seed", range(20))
def test_all_stop_where_the_mean_curve_is_highest(seed: int) -> None:
    """Curves that rise to a true best and fall, under noise that would stop each by itself anywhere."""
    rng = np.random.default_rng(seed)
    true = 0.7 - 0.1 * ((np.arange(120) - 60) / 60) ** 2
    curves = [true + rng.normal(0, 0.02, 120) for _ in range(5)]
    assert abs(common_stop(curves) - 60) <= 30
    assert common_stop([curve[: 90 + seed] for curve in curves]) <= 90 + seed
    assert common_stop([[0.5] * 7, [0.5] * 9]) == 1


@every_booster
def test_bags_keep_as_many_trees_and_come_back_equal(config: RankerConfig, tmp_path: Path) -> None:
    train, validation, test = dataset(queries=30), renamed(dataset(queries=6, seed=2)), dataset(seed=1)
    ranker = make_ranker(config)
    ranker.fit(train, validation)
    assert len(set(ranker._trees)) == 1  # type: ignore[attr-defined]
    assert ranker.history["bag"].unique().sort().to_list() == [1, 2, 3]
    by_bag, scores = ranker.score_bags(test), ranker.score(test)  # type: ignore[attr-defined]
    np.testing.assert_allclose(by_bag.mean(axis=1), scores, atol=1e-12)
    assert len({column.tobytes() for column in by_bag.T}) == 3
    ranker.save(tmp_path)
    np.testing.assert_array_equal(load_ranker(tmp_path).score(test), scores)
    again = make_ranker(config)
    again.fit(train, validation)
    np.testing.assert_array_equal(again.score(test), scores)
