"""Contributions that add up to the score, for every ranker of trees, and what is told of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.significance import BootstrapConfig
from ltr.explanation.aspects import in_words, members, modality_of
from ltr.explanation.contributions import (
    BASE,
    Explanation,
    compare_products,
    explain,
    leading,
    reasons_for,
    sentences,
)
from ltr.explanation.importance import importance
from ltr.rankers import LightGBMConfig, RankerConfig, XGBoostConfig, make_ranker
from ltr.training.fused_ranker import FusedRanker
from tests.ltr.rankers.test_rankers import LIGHTGBM, XGBOOST, dataset

both = pytest.mark.parametrize("config", [LIGHTGBM, XGBOOST], ids=lambda config: config.kind)
EVALUATION = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))


def fitted(config: RankerConfig, train: Dataset | None = None) -> FusedRanker:
    """Two bags, on a world with missing numbers and a categorical."""
    model = FusedRanker(make_ranker(config.model_copy(update={"bags": 2})), None)
    model.fit(EmbeddedDataset(train or dataset()), None)
    return model


def close(config: RankerConfig) -> float:
    """XGBoost sums 32-bit numbers."""
    return 1e-9 if config.kind == "lightgbm" else 1e-5


@both
def test_contributions_and_base_sum_to_the_score(config: RankerConfig) -> None:
    model, test = fitted(config), EmbeddedDataset(dataset(seed=1))
    found = explain(model, test)
    assert np.isnan(test.data.X).any()
    assert test.data.categorical
    np.testing.assert_allclose(found.scores, model.score(test), atol=close(config), rtol=close(config))
    names, values = found.by_modality()
    assert names == ["lexical", "structured"]
    np.testing.assert_allclose(values.sum(axis=1) + found.base, found.scores)


@both
def test_contributions_of_a_loaded_ranker_are_the_same(config: RankerConfig, tmp_path: object) -> None:
    model, test = fitted(config), EmbeddedDataset(dataset(seed=1))
    model.save(tmp_path)
    loaded = FusedRanker.load(tmp_path, None)
    np.testing.assert_array_equal(explain(loaded, test).contributions, explain(model, test).contributions)


@both
def test_embeddings_are_explained_with_the_rest(config: RankerConfig) -> None:
    data = dataset(queries=30)
    vectors = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    rows = EmbeddedDataset(data, {"title": RowVectors(vectors, np.tile(np.arange(12), 30))})
    model = FusedRanker(make_ranker(config), EmbeddingFusionConfig(fields=("title",), components=3))
    model.fit(rows, None)
    found = explain(model, rows)
    assert found.contributions.shape[1] == data.X.shape[1] + 3
    assert "embeddings" in found.by_modality()[0]
    np.testing.assert_allclose(found.scores, model.score(rows), atol=close(config))


def monotone_world(seed: int = 0, queries: int = 60, rows: int = 10) -> Dataset:
    """The grade rises with `structured.rating` and with nothing else; image features are noise."""
    random = np.random.default_rng(seed)
    n = queries * rows
    rating = random.random(n)
    frame = {
        "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], rows),
        "product_id": np.tile([f"p{i:03d}" for i in range(rows)], queries),
        "grade": np.floor(rating * 4),
        "structured.rating": rating.astype(np.float32),
        "image.photo_photo": random.random(n).astype(np.float32),
        "image.photo_photo_z": random.random(n).astype(np.float32),
        "lexical.query_terms": np.repeat(random.random(queries), rows).astype(np.float32),
    }
    return Dataset.from_frame(pl.DataFrame(frame))


@both
def test_raising_what_is_good_raises_its_contribution(config: RankerConfig) -> None:
    """The same sign in both libraries: a positive contribution lifts the product."""
    model = fitted(config.model_copy(update={"monotone": ("structured.rating",)}), monotone_world())
    data = monotone_world(seed=1, queries=1)
    X = np.repeat(data.X[:1], 10, axis=0)
    X[:, 0] = np.linspace(0.05, 0.95, 10)
    found = explain(model, EmbeddedDataset(dataclasses.replace(data, X=X)))
    rating = found.contributions[:, 0]
    assert (np.diff(rating) >= -1e-6).all()
    assert rating[0] < 0 < rating[-1]


@both
def test_noise_has_no_importance_and_its_loss_costs_nothing(config: RankerConfig) -> None:
    model = fitted(config, monotone_world())
    found = importance([(model, EmbeddedDataset(monotone_world(seed=1)))], EVALUATION, "nDCG@10")
    weight = {line["name"]: line for line in found.by_modality}
    drop = {line["name"]: line for line in found.permutation}
    assert found.by_modality[0]["name"] == found.permutation[0]["name"] == "popularity"
    assert weight["image"]["high"] < 0.2 * weight["popularity"]["low"]
    assert drop["popularity"]["low"] > 0.2
    assert abs(drop["image"]["drop"]) < 0.02
    assert sum(line["share"] for line in found.by_modality) == pytest.approx(1)
    assert all(line["low"] <= line["importance"] <= line["high"] for line in found.by_feature)
    assert (found.queries, found.of_queries, found.pairs) == (60, 60, 600)


@both
def test_what_a_query_s_candidates_share_has_no_importance_of_its_own(config: RankerConfig) -> None:
    """A grade that hangs on the query alone moves scores, not ranks: shuffling within queries costs nothing."""
    model = fitted(config, monotone_world())
    found = importance([(model, EmbeddedDataset(monotone_world(seed=1)))], EVALUATION, "nDCG@10")
    assert {line["name"]: line["drop"] for line in found.permutation}["lexical"] == 0


def test_importance_draws_whole_queries_and_says_how_many() -> None:
    model, rows = fitted(LIGHTGBM, monotone_world()), EmbeddedDataset(monotone_world(seed=1))
    found = importance([(model, rows), (model, rows)], EVALUATION, "nDCG@10", row_trees=1)
    assert (found.queries, found.of_queries) == (50, 120)  # at least 500 rows of 10 a query
    assert found == importance([(model, rows), (model, rows)], EVALUATION, "nDCG@10", row_trees=1)


@both
def test_differences_of_contributions_sum_to_the_difference_of_scores(config: RankerConfig) -> None:
    model, rows = fitted(config), EmbeddedDataset(dataset(seed=1))
    found, scores = explain(model, rows), model.score(rows)
    for above, below in ((0, 1), (3, 17), (20, 5)):
        table = compare_products(found, above, below)
        assert table["difference"].sum() == pytest.approx(
            scores[above] - scores[below], abs=close(config) * 10
        )
        assert table["difference"].abs().is_sorted(descending=True)


def explanation(
    contributions: list[list[float]], base: list[float], values: list[list[float]]
) -> Explanation:
    names = ["structured.price", "structured.log_price", "text.title"][: len(values[0])]
    frame = pl.DataFrame(
        {"query_id": ["q"] * len(values), "product_id": [f"p{i}" for i in range(len(values))]}
    ).with_columns(**{n: pl.Series([row[i] for row in values]) for i, n in enumerate(names)})
    return Explanation(Dataset.from_frame(frame), np.array(contributions), np.array(base))


def test_sentences_name_the_values_of_the_catalogue() -> None:
    found = explanation([[0.2, 0.11, -0.05], [0.0, 0.0, 0.0]], [0.0, 0.0], [[39, 3.7, 0.1], [129, 4.9, 0.4]])
    message = sentences(compare_products(found, 0, 1), {"price": 39.0}, {"price": 129.0})
    assert message == ["price 39 against 129: +0.310", "text title 0.1 against 0.4: -0.050"]


def test_a_base_that_differs_is_told_and_counted() -> None:
    found = explanation([[0.2], [0.1]], [1.0, 0.5], [[39], [129]])
    table = compare_products(found, 0, 1)
    assert table["feature"].to_list() == [BASE, "structured.price"]
    assert table["difference"].sum() == pytest.approx(1.2 - 0.6)


def test_reasons_are_shares_of_what_sets_a_product_apart_from_its_query_s_mean() -> None:
    model, rows = fitted(LIGHTGBM), EmbeddedDataset(dataset(seed=1))
    names, values = explain(model, rows).centred().by_modality()
    wanted = [30, 2, 700]
    assert reasons_for(model, rows, wanted) == [leading(names, values[row]) for row in wanted]
    assert leading(["a", "b", "c", "d"], np.array([1.0, -5.0, 0.0, 4.0])) == [
        ("b", -0.5),
        ("d", 0.4),
        ("a", 0.1),
    ]
    assert leading(["a"], np.array([0.0])) == []
    assert reasons_for(model, rows, []) == []


class Lottery:
    """A ranker that cannot be explained."""

    def score(self, data: Dataset) -> np.ndarray:
        return np.zeros(len(data.X))


def test_a_ranker_that_is_no_sum_over_features_says_so() -> None:
    model = FusedRanker(Lottery(), None)
    with pytest.raises(
        InputError, match="got Lottery, which is none; explain a run of ranker lightgbm or xgboost"
    ):
        explain(model, EmbeddedDataset(dataset()))


def test_linear_trees_are_refused() -> None:
    """LightGBM has no TreeSHAP of them."""
    config = LightGBMConfig(trees=5, threads=1, bags=1, params={"linear_tree": True})
    with pytest.raises(InputError, match="not implemented for linear trees; train without"):
        explain(fitted(config, monotone_world()), EmbeddedDataset(monotone_world(seed=1)))


class Boaster(Lottery):
    """A ranker whose contributions are not those of its score."""

    trees = 1

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema

    def contributions(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(data.X.shape), np.ones(len(data.X))


def test_contributions_that_miss_the_score_are_refused() -> None:
    data = dataset()
    with pytest.raises(InputError, match="contributions that miss the score by 1"):
        explain(FusedRanker(Boaster(data.schema), None), EmbeddedDataset(data))


def test_other_features_than_those_of_training_are_refused() -> None:
    with pytest.raises(InputError, match=r"missing 'lexical\.good'"):
        explain(fitted(XGBoostConfig(trees=2, threads=1, bags=1)), EmbeddedDataset(monotone_world()))


@pytest.mark.parametrize(
    ("feature", "modality"),
    [
        ("structured.log_price_z", "price"),
        ("structured.discount", "price"),
        ("lexical.price_limit_ratio", "price"),
        ("structured.missing_price", "missing data"),
        ("lexical.brand_named", "brand"),
        ("text.brand_rank", "brand"),
        ("structured.category_frequency", "category"),
        ("text.category_agreement", "category"),
        ("image.category_agreement", "image"),
        ("structured.rating_count", "popularity"),
        ("structured.age_days", "freshness"),
        ("text.title_z", "text"),
        ("lexical.bm25_all", "lexical"),
        ("extra.season", "season"),
        ("extra.brand", "brand"),
        ("embedding.title_3", "embeddings"),
        ("letor.7", "letor"),
    ],
)
def test_every_feature_has_a_modality(feature: str, modality: str) -> None:
    assert modality_of(feature) == modality


def test_modalities_part_the_features() -> None:
    places = [place for part in members(monotone_world().schema).values() for place in part]
    assert sorted(places) == list(range(4))
    assert in_words("structured.price_rank") == "price rank"
