"""Learning from other sets: what is matched, what a grade becomes, and worlds where it must help or do no harm."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers import LightGBMConfig, RankerConfig, XGBoostConfig, make_ranker
from ltr.training.anchoring import Transfer, unwrapped
from ltr.training.transfer import SourceSet, TransferConfig, check_shared, conformed, with_sources

SMALL = {"trees": 40, "learning_rate": 0.1, "leaves": 4, "threads": 1, "bags": 1, "early_stopping_rounds": 0}
CONFIGS: list[RankerConfig] = [LightGBMConfig(**SMALL), XGBoostConfig(**SMALL)]
both = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)


def world(
    queries: int, seed: int, signs: tuple[int, int, int] = (1, 1, 1), noise: float = 1.0
) -> pl.DataFrame:
    """Worth is the sum of three features, with these signs, and noise; the best third has grade 2, the next 1."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(queries * 12, 3)).astype(np.float32)
    worth = X @ np.array(signs) + random.normal(scale=noise, size=len(X))
    grade = np.digitize(worth, np.quantile(worth, (1 / 3, 2 / 3))).astype(float)
    return pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], 12),
            "product_id": np.tile([f"p{i:02d}" for i in range(12)], queries),
            "grade": grade,
            **{f"lexical.{name}": X[:, i] for i, name in enumerate("abc")},
        }
    )


def source(frame: pl.DataFrame, weight: float = 1.0, name: str = "other") -> SourceSet:
    return SourceSet.of(name, Dataset.from_frame(frame), "exp", weight)


def ndcg(data: Dataset, scores: np.ndarray) -> float:
    """Mean nDCG over whole lists."""
    gains = (np.exp2(data.grades) - 1).reshape(-1, 12)
    discounts = 1 / np.log2(np.arange(12) + 2)
    ranked = np.take_along_axis(gains, np.argsort(-scores.reshape(-1, 12), axis=1, kind="stable"), axis=1)
    return float(((ranked @ discounts) / (np.sort(gains, axis=1)[:, ::-1] @ discounts)).mean())


def learned(config: RankerConfig, *sources: SourceSet) -> float:
    """nDCG on unseen queries of the true world, trained on ten of its queries and the sources."""
    ranker = Transfer(sources).ranker(config)
    ranker.fit(Dataset.from_frame(world(10, seed=1)))
    test = Dataset.from_frame(world(100, seed=2))
    return ndcg(test, unwrapped(ranker).score(test))


@both
def test_a_source_of_the_same_world_helps_ten_queries(config: RankerConfig) -> None:
    assert learned(config, source(world(300, seed=3), weight=10)) > learned(config) + 0.01


@both
def test_a_contradicting_source_of_small_weight_does_no_harm(config: RankerConfig) -> None:
    opposite = world(300, seed=3, signs=(-1, -1, -1))
    alone = learned(config)
    assert learned(config, source(opposite, weight=0.05)) > alone - 0.02
    assert learned(config, source(opposite, weight=20)) < alone - 0.1


@both
def test_a_weight_of_all_queries_alike_changes_nothing(config: RankerConfig) -> None:
    """The same weight everywhere: XGBoost scales it away, LightGBM's lambdas need no scale without l2."""
    train = Dataset.from_frame(world(20, seed=1))
    alike = Dataset(train.frame, train.schema, train.X, train.query_ids, train.groups, np.ones(20))
    scores = []
    for data in (train, alike):
        ranker = make_ranker(config)
        ranker.fit(data)
        scores.append(ranker.score(train))
    np.testing.assert_array_equal(*scores)


def test_lightgbm_takes_a_query_of_weight_two_for_that_query_twice() -> None:
    train = Dataset.from_frame(world(8, seed=1))
    again = train.frame.filter(pl.col("query_id") == "q000").with_columns(query_id=pl.lit("q999"))
    twice = Dataset.from_frame(pl.concat([train.frame, again]))
    weights = np.where(train.query_ids.to_numpy() == "q000", 2.0, 1.0)
    weighted = Dataset(train.frame, train.schema, train.X, train.query_ids, train.groups, weights)
    bins = {
        "min_data_in_bin": 1,
        "max_bin": 511,
        "min_sum_hessian_in_leaf": 0,
    }  # bins count rows, not weights
    config = LightGBMConfig(
        **SMALL | {"trees": 10}, bagging_fraction=1, feature_fraction=1, min_rows_per_leaf=1, params=bins
    )
    scores = []
    for data in (weighted, twice):
        ranker = make_ranker(config)
        ranker.fit(data)
        scores.append(ranker.score(train))
    np.testing.assert_allclose(*scores, rtol=1e-6)


def test_a_sets_queries_weigh_together_what_its_weight_says() -> None:
    train = Dataset.from_frame(world(10, seed=1))
    joined = with_sources(train, [source(world(300, seed=2), 0.2), source(world(4, seed=3), 3.0)], "exp")
    assert joined.weights is not None
    ours = joined.query_ids.str.starts_with("q").to_numpy()
    first, second = (joined.query_ids.str.starts_with(f"{number}/").to_numpy() for number in (0, 1))
    assert joined.weights[ours].tolist() == [1.0] * 10
    assert joined.weights[first].sum() == pytest.approx(0.2 * 10)
    assert joined.weights[second].sum() == pytest.approx(3.0 * 10)
    kept = joined.take(joined.query_ids.filter(pl.Series(second)))
    assert kept.weights is not None
    assert kept.select(kept.schema).weights is kept.weights
    np.testing.assert_array_equal(kept.weights, joined.weights[second])


def test_features_are_matched_by_name_and_meaning() -> None:
    colours, others = pl.Enum(["blue", "red"]), pl.Enum(["red"])
    ours = world(3, seed=1).with_columns(
        pl.lit("red", colours).alias("structured.colour"), pl.lit(1.0).alias("extra.size")
    )
    theirs = (
        world(2, seed=2)
        .drop("lexical.c")
        .with_columns(
            pl.lit("red", others).alias("structured.colour"),
            pl.lit(7.0).alias("extra.size"),
            pl.lit(3.0).alias("lexical.unknown"),
        )
    )
    joined = with_sources(Dataset.from_frame(ours), [source(theirs)], "exp").frame
    came = joined.filter(pl.col("query_id").str.starts_with("0/"))
    assert joined.columns == ours.columns
    assert came["lexical.a"].to_list() == theirs["lexical.a"].to_list()
    for name in ("lexical.c", "structured.colour", "extra.size"):
        assert came[name].null_count() == came.height, name


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(3, 9), min_size=2, max_size=8, unique=True), st.sampled_from(["exp", "linear"]))
def test_a_grade_keeps_its_share_of_the_gain(thirds: list[int], gain: str) -> None:
    """Grades of 1 to 3 in thirds, on a scale of 0 to 2: worst to worst, best to best, in proportion between."""
    theirs = pl.DataFrame(
        {
            "query_id": ["q"] * len(thirds),
            "product_id": [f"p{i}" for i in range(len(thirds))],
            "grade": [third / 3 for third in thirds],
            "lexical.a": [0.0] * len(thirds),
        }
    )
    other = SourceSet.of("other", Dataset.from_frame(theirs), gain, 1.0)
    train = Dataset.from_frame(world(5, seed=1).select("query_id", "product_id", "grade", "lexical.a"))
    joined = with_sources(train, [other], gain)
    came = joined.take(["0/q"])
    got, given_gains = gains_of(came.grades, gain), gains_of(other.data.grades, gain)
    top = gains_of(np.array([2.0]), gain)[0]
    share = (given_gains - given_gains.min()) / (given_gains.max() - given_gains.min())
    np.testing.assert_allclose(got, share * top, atol=1e-9)


def test_a_table_of_gains_takes_its_nearest_grade() -> None:
    table = {0.0: 0.0, 1.0: 0.1, 2.0: 1.0}
    joined = with_sources(Dataset.from_frame(world(5, seed=1)), [source(world(5, seed=2))], table)
    # exp: 0, 1/3 and 1 of the best; the table's gains nearest to them are 0, 0.1 and 1.
    assert sorted(joined.frame["grade"].unique()) == [0.0, 1.0, 2.0]


def test_conformed_rows_have_exactly_the_features_asked_for() -> None:
    data = Dataset.from_frame(world(2, seed=1))
    wanted = Dataset.from_frame(
        world(1, seed=1)
        .select("query_id", "product_id", "lexical.b")
        .with_columns(pl.lit(1.0).alias("text.title"))
    ).schema
    made = conformed(data, wanted)
    assert made.schema == wanted
    np.testing.assert_array_equal(made.X[:, 0], data.X[:, 1])
    assert np.isnan(made.X[:, 1]).all()


def test_a_set_that_can_teach_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="different grades"):
        source(world(3, seed=1).with_columns(grade=pl.lit(1.0)))
    given = world(3, seed=1).rename({f"lexical.{name}": f"given.f{i}" for i, name in enumerate("abc")})
    with pytest.raises(InputError, match=r"train.also, other.*lexical\.a"):
        check_shared(source(given), Dataset.from_frame(world(1, seed=1)).schema)


def test_a_bare_path_is_a_set_of_weight_one() -> None:
    config = TransferConfig.model_validate(
        {"also": ["configs/homedepot.yaml", {"config": "b.yaml", "weight": 0.2}]}
    )
    assert [(str(also.config), also.weight) for also in config.also] == [
        ("configs/homedepot.yaml", 1.0),
        ("b.yaml", 0.2),
    ]
