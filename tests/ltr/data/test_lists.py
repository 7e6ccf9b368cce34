"""Lists of which most products are not judged: what trains, what is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr.data import Dataset, UnjudgedConfig
from ltr.evaluation import EvaluationConfig, measure
from ltr.rankers import LightGBMConfig, RankerSettings, make_ranker, parse_settings

KINDS = ("lightgbm", "xgboost", "catboost", "logistic", "mlp", "neural", "blend")


def lists(queries: int = 12, rows: int = 40, judged: int = 10, seed: int = 0) -> pl.DataFrame:
    """The first products of each list judged: the better the higher `a.x`; the others are as poor as can be."""
    rng = np.random.default_rng(seed)
    x = rng.random((queries, rows))
    grade = np.floor(x * 4)
    keys = [(f"q{q:02d}", f"p{p:02d}") for q in range(queries) for p in range(rows)]
    known = np.tile(np.arange(rows) < judged, queries)
    return pl.DataFrame(keys, schema=["query_id", "product_id"], orient="row").with_columns(
        pl.Series("grade", np.where(known, grade.ravel(), np.nan), nan_to_null=True),
        pl.lit(value=True).alias("retrieved"),
        pl.Series("text.x", (x + 2 * ~known.reshape(queries, rows)).ravel()),
        pl.Series("image.y", known.astype(float)),
    )


TABLE = lists()


def test_only_lists_as_served_may_have_null_grades() -> None:
    with pytest.raises(InputError, match="a grade of 0 or more in every row"):
        Dataset.from_frame(TABLE.drop("retrieved"))
    data = Dataset.from_frame(TABLE)
    assert "retrieved" not in data.schema.names
    assert data.is_judged.sum() == 120
    assert data.judged().groups.tolist() == [10] * 12
    assert np.isfinite(data.judged().grades).all()


@pytest.mark.parametrize(("weight", "share"), [(0.0, 1.0), (0.25, 1.0), (1.0, 0.5), (0.5, 0.5)])
@pytest.mark.parametrize("weighing", [True, False])
def test_what_trains(weight: float, share: float, weighing: bool) -> None:
    data = replace(Dataset.from_frame(TABLE), unjudged=UnjudgedConfig(weight=weight, share=share))
    train = data.for_training(weighing=weighing)
    assumed = ~train.is_judged
    assert train.is_judged.sum() == data.is_judged.sum(), "every judged row trains"
    assert np.isfinite(train.grades).all()
    assert not train.grades[assumed].any()
    drawn = 0.0 if not weight else share if weighing else share * weight
    assert assumed.sum() == pytest.approx(360 * drawn, abs=40)
    if assumed.any():
        weights = train.row_weights
        assert weights is not None
        assert set(weights[assumed]) == {weight if weighing else 1.0}
        assert set(weights[~assumed]) == {1.0}
    again = replace(
        Dataset.from_frame(TABLE.sample(fraction=1, shuffle=True, seed=1)), unjudged=data.unjudged
    )
    assert again.for_training(weighing=weighing).frame.equals(train.frame)


def test_judged_lists_are_left_as_they_are() -> None:
    data = Dataset.from_frame(TABLE.drop_nulls("grade").drop("retrieved"))
    assert data.for_training(weighing=True) is data
    assert data.judged() is data
    assert data.row_weights is None


def settings(kind: str) -> RankerSettings:
    known = {"trees": 20, "epochs": 5, "threads": 1, "min_rows_per_leaf": 3, "steps": 50}
    fields = type(parse_settings({"kind": kind})).model_fields
    return parse_settings({"kind": kind, **{name: value for name, value in known.items() if name in fields}})


@pytest.mark.parametrize("kind", KINDS)
def test_every_ranker_learns_from_assumed_grades(kind: str) -> None:
    """What nobody judged has the highest `text.x`: only who trains on such rows ranks them low."""
    if kind == "catboost":
        pytest.importorskip("catboost")
    config = settings(kind)
    data = replace(Dataset.from_frame(TABLE), unjudged=UnjudgedConfig(weight=1, share=1))
    train = data.for_training(weighing=config.weighs_rows)
    ranker = make_ranker(config)
    ranker.fit(train)
    scores, judged = ranker.score(data), data.is_judged
    assert scores[judged].mean() > scores[~judged].mean()


def test_a_weight_counts_in_the_fit() -> None:
    data, scores = Dataset.from_frame(TABLE), []
    for weight in (0.01, 1.0):
        train = replace(data, unjudged=UnjudgedConfig(weight=weight, share=1)).for_training(weighing=True)
        ranker = make_ranker(LightGBMConfig(trees=5, threads=1, min_rows_per_leaf=3))
        ranker.fit(train)
        scores.append(ranker.score(data))
    assert not np.allclose(*scores)


def test_unjudged_rows_change_no_figure_of_judged_lists() -> None:
    data = Dataset.from_frame(TABLE)
    scores = np.random.default_rng(1).random(len(data.X))
    queries = pl.DataFrame({"query_id": data.query_ids, "text": data.query_ids})
    config = EvaluationConfig()
    judged = data.is_judged
    whole = measure(data.frame, {"ours": scores}, queries, config, "ours")
    alone = measure(data.judged().frame, {"ours": scores[judged]}, queries, config, "ours")
    assert whole.per_query.equals(alone.per_query)
    assert whole.summary.equals(alone.summary)
