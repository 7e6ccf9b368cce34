"""Leaning on a base score or an earlier run: how much is learnt, what is saved, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.explanation.contributions import explain
from ltr.rankers import (
    RANKERS,
    LightGBMConfig,
    LightGBMRanker,
    LogisticConfig,
    RankerConfig,
    XGBoostConfig,
    make_ranker,
    parse_settings,
)
from ltr.rankers.lists import z_scores
from ltr.training.anchoring import (
    AnchoredRanker,
    Transfer,
    chosen_base,
    load_anchored,
    surest_shares,
    unwrapped,
)
from ltr.training.fused_ranker import FusedRanker

SMALL = {"trees": 10, "learning_rate": 0.1, "leaves": 4, "threads": 1, "bags": 1, "early_stopping_rounds": 0}
LIGHTGBM = LightGBMConfig(**SMALL)
every_kind = pytest.mark.parametrize(
    "config", [LIGHTGBM, XGBoostConfig(**SMALL), LogisticConfig()], ids=lambda config: config.kind
)


def world(queries: int, seed: int, *, cosine_noise: float = 0.5, others_help: bool = False) -> Dataset:
    """Grades by a hidden worth; `text.title` is the worth with noise, the other features tell half of it or nothing."""
    random = np.random.default_rng(seed)
    rows = queries * 10
    worth, hidden = random.normal(size=rows), random.normal(size=rows)
    frame = pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], 10),
            "product_id": np.tile([f"p{i}" for i in range(10)], queries),
            "grade": np.digitize(worth + (hidden if others_help else 0), (0.0, 1.0)).astype(float),
            "text.title": (worth + random.normal(scale=cosine_noise, size=rows)).astype(np.float32),
            "text.title_z": random.normal(size=rows).astype(np.float32),
            "text.brand": random.normal(size=rows).astype(np.float32),
            "lexical.bm25": (hidden if others_help else random.normal(size=rows)).astype(np.float32),
        }
    )
    return Dataset.from_frame(frame)


def fitted(config: RankerConfig, transfer: Transfer, train: Dataset) -> AnchoredRanker:
    ranker = transfer.ranker(config)
    ranker.fit(train)
    return ranker


def order(data: Dataset, scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores.reshape(len(data.groups), -1), axis=1, kind="stable")


def test_a_ranker_that_knows_nothing_leaves_the_order_of_the_cosine() -> None:
    """Trees that may not split: nothing is surer than the cosine, so its order comes out whole."""
    deaf = LightGBMConfig(**SMALL | {"trees": 1, "params": {"min_data_in_leaf": 100_000}})
    ranker = fitted(deaf, Transfer(base="text.title"), world(20, seed=1))
    test = world(30, seed=2)
    cosine = test.frame["text.title"].to_numpy()
    np.testing.assert_array_equal(order(test, ranker.score(test)), order(test, cosine))


def test_shares_go_to_the_member_that_is_right() -> None:
    lists = world(60, seed=1)
    gains = np.exp2(lists.grades) - 1
    random = np.random.default_rng(0)
    right, wrong = lists.grades + random.normal(scale=0.1, size=len(gains)), random.normal(size=len(gains))
    for column, members in enumerate(([right, wrong], [wrong, right])):
        standing = z_scores(np.column_stack(members), lists.groups)
        shares, sure = surest_shares(standing, lists, gains, 10)
        assert shares.sum() == pytest.approx(1)
        assert shares[column] > 0.8
        assert (sure > 0.1) == (column == 0)


def test_learning_adds_to_the_cosine_where_there_is_something_to_learn() -> None:
    ranker = fitted(LIGHTGBM, Transfer(base="text.title"), world(60, seed=1, others_help=True))
    assert ranker.shares[0] > 0.3
    assert ranker.sure_gain > 0.02


@every_kind
def test_saved_and_loaded_it_scores_the_same(config: RankerConfig, tmp_path: Path) -> None:
    start = make_ranker(XGBoostConfig(**SMALL))
    start.fit(world(30, seed=5, others_help=True))
    ranker = fitted(config, Transfer(start=start, base="auto"), world(20, seed=1, others_help=True))
    assert ranker.base == "text.title"
    assert ranker.shares.shape == (3,)
    ranker.save(tmp_path)
    loaded = load_anchored(tmp_path)
    test = world(10, seed=2)
    np.testing.assert_array_equal(loaded.score(test), ranker.score(test))
    assert loaded.schema == ranker.schema
    loaded.save(tmp_path / "again")
    np.testing.assert_array_equal(load_anchored(tmp_path / "again").score(test), ranker.score(test))


@pytest.mark.parametrize("config", [LIGHTGBM, XGBoostConfig(**SMALL)], ids=lambda config: config.kind)
def test_contributions_make_up_the_score_whatever_it_leans_on(config: RankerConfig) -> None:
    start = make_ranker(XGBoostConfig(**SMALL))
    also = world(30, seed=5, others_help=True)
    start.fit(Dataset.from_frame(also.frame.rename({"text.brand": "text.of_its_own"})))
    for transfer in (
        Transfer(),
        Transfer(base="text.title"),
        Transfer(start=start),
        Transfer(start=start, base="text.title"),
    ):
        ranker = fitted(config, transfer, world(20, seed=1, others_help=True))
        test = world(10, seed=2)
        one = test.frame.filter(
            pl.col("query_id") > "q000", pl.int_range(pl.len()) > 11
        )  # a list cut, one left out
        for lists in (
            test,
            Dataset.from_frame(one.with_columns(pl.lit(None, pl.Float32).alias("text.title_z"))),
        ):
            values, base = ranker.contributions(lists)
            assert values.shape == lists.X.shape
            np.testing.assert_allclose(values.sum(axis=1) + base, ranker.score(lists), rtol=1e-5, atol=1e-6)
    assert ranker.trees == 20


def test_each_bag_stands_beside_the_same_anchors() -> None:
    """Their mean is the score, to the last bit; with no share but the ranker's, they differ as its own bags do."""
    ranker = fitted(
        LightGBMConfig(**SMALL | {"bags": 3, "bagging_fraction": 0.5}),
        Transfer(base="text.title"),
        world(20, seed=1, others_help=True),
    )
    test = world(10, seed=2)
    np.testing.assert_array_equal(ranker.score_bags(test).T.mean(axis=0), ranker.score(test))
    ranker.shares = np.array([1.0, 0.0])
    bags, own = ranker.score_bags(test), ranker.ranker.score_bags(test)  # type: ignore[attr-defined]
    assert bags.shape == (100, 3)
    for one, other in zip(bags.T, own.T, strict=True):
        np.testing.assert_allclose(
            z_scores(one[:, None], test.groups), z_scores(other[:, None], test.groups), atol=1e-9
        )


@pytest.mark.parametrize("kind", sorted(RANKERS.names))
def test_every_kind_of_ranker_can_lean(kind: str, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"trees": 3, "epochs": 2, "threads": 1, "bags": 1, "early_stopping_rounds": 0}
    known = RANKERS.settings_of(kind).model_fields
    given = {name: value for name, value in quick.items() if name in known}
    if kind == "network_and_trees":
        given = {
            "booster": {"kind": "lightgbm", **SMALL},
            "network": {"kind": "neural", "epochs": 2, "threads": 1},
            "folds": 2,
        }
    ranker = fitted(parse_settings({"kind": kind, **given}), Transfer(base="text.title"), world(12, seed=1))
    test = world(4, seed=2)
    scores = ranker.score(test)
    assert np.isfinite(scores).all()
    ranker.save(tmp_path)
    np.testing.assert_array_equal(load_anchored(tmp_path).score(test), scores)
    try:
        model = FusedRanker(ranker, None)
        explained = explain(model, EmbeddedDataset(test))
    except InputError as refused:
        assert "which is none" in str(refused)
    else:
        np.testing.assert_allclose(explained.scores, scores, atol=1e-5)


def test_queries_that_tell_nothing_without_the_one_that_does_leave_the_cosine() -> None:
    """Of whose fold the ranker, which cannot be fitted, knows nothing."""
    data = world(6, seed=1)
    alike = pl.when(pl.col("query_id") == "q000").then("grade").otherwise(1.0).alias("grade")
    train = Dataset.from_frame(data.frame.with_columns(alike))
    for config in (LIGHTGBM, LogisticConfig(relevant_from=2)):
        ranker = fitted(config, Transfer(base="text.title"), train)
        assert ranker.shares.sum() == pytest.approx(1)


def test_a_member_that_is_no_sum_is_not_explained() -> None:
    ranker = fitted(LogisticConfig(), Transfer(base="text.title"), world(20, seed=1))
    with pytest.raises(InputError, match="LogisticRanker, which is none"):
        ranker.contributions(world(3, seed=2))


def test_leaning_on_nothing_is_the_ranker_itself(tmp_path: Path) -> None:
    ranker = fitted(LIGHTGBM, Transfer(), world(10, seed=1))
    assert isinstance(unwrapped(ranker), LightGBMRanker)
    ranker.save(tmp_path)
    assert isinstance(load_anchored(tmp_path), LightGBMRanker)


def test_scores_hang_on_their_own_list_only() -> None:
    ranker = fitted(LIGHTGBM, Transfer(base="text.title"), world(20, seed=1, others_help=True))
    test = world(5, seed=2)
    alone = np.concatenate([ranker.score(test.take([query])) for query in test.query_ids])
    np.testing.assert_allclose(alone, ranker.score(test), rtol=1e-12)


def test_pairs_without_the_feature_stand_last_in_their_list() -> None:
    data = world(4, seed=1)
    frame = data.frame.with_columns(
        pl.when(pl.col("product_id") == "p3").then(None).otherwise("text.title").alias("text.title"),
    ).with_columns(
        pl.when(pl.col("query_id") == "q002").then(None).otherwise("text.title").alias("text.title")
    )
    ranker = fitted(LIGHTGBM, Transfer(base="text.title"), world(20, seed=1))
    ranker.shares = np.array([0.0, 1.0])
    scores = ranker.score(Dataset.from_frame(frame)).reshape(4, 10)
    assert np.isfinite(scores).all()
    assert (scores[[0, 1, 3], 3] == scores[[0, 1, 3]].min(axis=1)).all()
    assert not scores[2].any()


def test_auto_takes_the_best_cosine_and_nothing_else() -> None:
    """A share or agreement that is better (here the grade itself) is none: it has no standing in its list."""
    made = world(30, seed=1).frame
    better = pl.col("grade").cast(pl.Float32)
    train = Dataset.from_frame(made.with_columns(better.alias("text.category_agreement")))
    gains = np.exp2(train.grades) - 1
    assert chosen_base(train, "auto", gains, 10) == "text.title"
    assert chosen_base(train, "lexical.bm25", gains, 10) == "lexical.bm25"


def test_bases_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match=r"train.base.*'text.tittle'"):
        fitted(LIGHTGBM, Transfer(base="text.tittle"), world(5, seed=1))
    lexical = world(5, seed=1)
    lexical = lexical.select(lexical.schema.select(["lexical"]))
    with pytest.raises(InputError, match="a cosine"):
        fitted(LIGHTGBM, Transfer(base="auto"), lexical)
    with pytest.raises(InputError, match="at least 2 training queries"):
        fitted(LIGHTGBM, Transfer(base="text.title"), world(1, seed=1))


@pytest.mark.parametrize("change", [{"shares": [1.0]}, {"shares": "half"}, {"config": {}}, {"base": None}])
def test_a_damaged_run_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    fitted(LIGHTGBM, Transfer(base="text.title"), world(5, seed=1)).save(tmp_path)
    about = tmp_path / "anchor.json"
    about.write_text(json.dumps(json.loads(about.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(InputError, match=r"anchor\.json"):
        load_anchored(tmp_path)
