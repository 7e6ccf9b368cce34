"""The contract of every ranker; a new one adds its configs to CONFIGS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.rankers import (
    BlendConfig,
    CatBoostConfig,
    LightGBMConfig,
    LogisticConfig,
    MLPConfig,
    NetworkAndTreesConfig,
    NeuralConfig,
    RankerConfig,
    XGBoostConfig,
    load_ranker,
    make_ranker,
    register,
)
from tests.ltr.rankers.ridge_ranker import RidgeConfig, RidgeRanker

SMALL: dict[str, Any] = {"trees": 30, "learning_rate": 0.2, "leaves": 7, "threads": 1, "bags": 1}

LIGHTGBM = LightGBMConfig(**SMALL, min_rows_per_leaf=5)
XENDCG = LightGBMConfig(**SMALL, min_rows_per_leaf=5, objective="rank_xendcg")
XGBOOST = XGBoostConfig(**SMALL)
BOOSTERS = [
    LIGHTGBM,
    XENDCG,
    XGBOOST,
    XGBoostConfig(**SMALL, objective="rank:map", relevant_from=2),
    XGBoostConfig(**SMALL, objective="rank:pairwise"),
    CatBoostConfig(**SMALL),
    CatBoostConfig(**SMALL, objective="yetirank"),
]
SMALL_LEAVES = {"min_data_in_leaf": 5}
BLENDS = [
    BlendConfig(**SMALL, objective="rrf", params=SMALL_LEAVES),
    BlendConfig(**SMALL, objective="combsum", booster="xgboost"),
    BlendConfig(**SMALL, objective="combmnz", normalise="z", params=SMALL_LEAVES),
    BlendConfig(**SMALL, objective="borda", params=SMALL_LEAVES),
    BlendConfig(**SMALL, objective="weighted", params=SMALL_LEAVES),
    BlendConfig(**SMALL, objective="stacking", params=SMALL_LEAVES, folds=2),
]
LEARNS_FAST: dict[str, Any] = {"epochs": 12, "learning_rate": 0.01, "batch_rows": 128, "threads": 1}
NETWORKS = [
    MLPConfig(**LEARNS_FAST, hidden=(32, 16)),
    MLPConfig(**LEARNS_FAST, hidden=(32,), objective="relevance", relevant_from=2),
    NeuralConfig(**LEARNS_FAST, width=16, objective="listnet"),
    NeuralConfig(**LEARNS_FAST, width=16, objective="lambdaloss"),
    NeuralConfig(**LEARNS_FAST, width=16, objective="approx_ndcg"),
]
LOGISTICS = [LogisticConfig(), LogisticConfig(objective="relevance", relevant_from=2)]
register(RidgeConfig, RidgeRanker)
PLUG_INS = [RidgeConfig()]
BOTH: dict[str, Any] = {
    "network": NeuralConfig(**{**LEARNS_FAST, "epochs": 6}, width=8),
    "booster": LightGBMConfig(**SMALL, min_rows_per_leaf=5),
    "folds": 2,
}
PAIRED = [NetworkAndTreesConfig(**BOTH), NetworkAndTreesConfig(**BOTH, objective="feature")]
CONFIGS = [*BOOSTERS, *BLENDS, *NETWORKS, *PAIRED, *LOGISTICS, *PLUG_INS]
every_booster = pytest.mark.parametrize(
    "config", BOOSTERS, ids=lambda config: f"{config.kind}-{config.objective}"
)
every_tree_ranker = pytest.mark.parametrize(
    "config", [*BOOSTERS, *BLENDS], ids=lambda config: f"{config.kind}-{config.objective}"
)
every_bagged = pytest.mark.parametrize(
    "config", [*BOOSTERS, *NETWORKS], ids=lambda config: f"{config.kind}-{config.objective}"
)
every_seeded_ranker = pytest.mark.parametrize(
    "config", [*BOOSTERS, *BLENDS, *NETWORKS], ids=lambda config: f"{config.kind}-{config.objective}"
)
every_ranker = pytest.mark.parametrize(
    "config", CONFIGS, ids=lambda config: f"{config.kind}-{config.objective}"
)
takes_any_grade = pytest.mark.parametrize(
    "config", [c for c in CONFIGS if c is not XENDCG], ids=lambda config: f"{config.kind}-{config.objective}"
)


def world(queries: int = 60, rows: int = 12, seed: int = 0, levels: int = 4) -> pl.DataFrame:
    """Grades 0 … levels - 1 from a number that is sometimes missing, a colour's charm, and a little noise."""
    random = np.random.default_rng(seed)
    n = queries * rows
    good, colour = random.normal(size=n), random.integers(0, 4, n)
    worth = good + np.array([0.0, 2.0, -2.0, 1.0])[colour] + random.normal(scale=0.2, size=n)
    grade = np.digitize(worth, np.quantile(worth, np.arange(1, levels) / levels)).astype(float)
    return pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], rows),
            "product_id": np.tile([f"p{i:03d}" for i in range(rows)], queries),
            "grade": grade,
            "lexical.good": pl.Series(
                np.where(random.random(n) < 0.1, np.nan, good), dtype=pl.Float32
            ).fill_nan(None),
            "lexical.noise": pl.Series(random.normal(size=n), dtype=pl.Float32),
            "structured.colour": pl.Series(np.array(["red", "blue", "grey", "teal"])[colour]).cast(
                pl.Enum(["blue", "grey", "red", "teal", "never seen"])
            ),
        }
    )


def dataset(**settings: int) -> Dataset:
    return Dataset.from_frame(world(**settings))


def ndcg(data: Dataset, scores: np.ndarray, k: int = 10, *, worst_first: bool = False) -> float:
    """Mean nDCG@k with gain 2^grade - 1; ties in the order of rows, or the lowest gain first (CatBoost)."""
    values = []
    for rows in np.split(np.arange(len(scores)), np.cumsum(data.groups)[:-1]):
        gains = np.exp2(data.grades[rows]) - 1
        discounts = (np.arange(len(rows)) < k) / np.log2(np.arange(len(rows)) + 2)
        order = np.lexsort((gains * worst_first, -scores[rows]))
        values.append(gains[order] @ discounts / (np.sort(gains)[::-1] @ discounts))
    return float(np.mean(values))


def changed(config: RankerConfig, **settings: object) -> RankerConfig:
    """The config with those of the settings that its kind has."""
    return config.model_copy(update={k: v for k, v in settings.items() if k in type(config).model_fields})


def fitted_scores(
    config: RankerConfig, train: Dataset, test: Dataset, validation: Dataset | None = None
) -> np.ndarray:
    ranker = make_ranker(config)
    ranker.fit(train, validation)
    return ranker.score(test)


@every_ranker
def test_learns_a_world_well_above_chance(config: RankerConfig) -> None:
    test = dataset(seed=1)
    learned = ndcg(test, fitted_scores(config, dataset(), test, dataset(seed=2)))
    chance = ndcg(test, np.random.default_rng(0).random(len(test.X)))
    assert learned > 0.9 > chance + 0.2


@every_ranker
def test_several_threads_may_score_at_once(config: RankerConfig) -> None:
    """As a server does: each list's scores are those of a thread alone."""
    data = dataset()
    ranker = make_ranker(config)
    ranker.fit(data)
    lists = [data.take([f"q{number:03d}" for number in range(first, 2 * first + 1)]) for first in range(1, 9)]
    alone = [ranker.score(one) for one in lists]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ranker.score, lists * 20))
    for place, scores in enumerate(together):
        np.testing.assert_array_equal(scores, alone[place % len(lists)])


@every_ranker
def test_saved_ranker_scores_the_same(config: RankerConfig, tmp_path: Path) -> None:
    config = changed(config, bags=2)
    ranker = make_ranker(config)
    ranker.fit(dataset(), dataset(seed=2))
    ranker.save(tmp_path)
    loaded = load_ranker(tmp_path)
    test = dataset(seed=1)
    with ThreadPoolExecutor(8) as threads:  # as a server asks it, from the first request on
        for scores in threads.map(lambda _: loaded.score(test), range(40)):
            np.testing.assert_array_equal(scores, ranker.score(test))
    assert (loaded.schema, loaded.best_iteration) == (ranker.schema, ranker.best_iteration)
    assert loaded.history.equals(ranker.history)
    loaded.save(tmp_path / "again")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "ranker.json",
        *(
            f"model_{bag}{path.suffix}"
            for bag in range(getattr(config, "bags", 1))
            for path in tmp_path.glob("model_0.*")
        ),
    }
    assert (tmp_path / "again" / "ranker.json").read_bytes() == (tmp_path / "ranker.json").read_bytes()


@every_seeded_ranker
def test_the_seed_decides_the_model(config: RankerConfig, tmp_path: Path) -> None:
    models = []
    for folder, seed in (("one", 1), ("same", 1), ("other", 2)):
        ranker = make_ranker(config.model_copy(update={"seed": seed}))
        ranker.fit(dataset(), dataset(seed=2))
        ranker.save(tmp_path / folder)
        models.append(next((tmp_path / folder).rglob("model_0.*")).read_bytes())
    assert models[0] == models[1] != models[2]


@every_ranker
def test_row_order_does_not_matter(config: RankerConfig) -> None:
    shuffled = Dataset.from_frame(world().sample(fraction=1, shuffle=True, seed=5))
    test = dataset(seed=1)
    np.testing.assert_array_equal(
        fitted_scores(config, dataset(), test), fitted_scores(config, shuffled, test)
    )


@every_ranker
def test_each_query_is_scored_alone(config: RankerConfig) -> None:
    ranker = make_ranker(config)
    ranker.fit(dataset())
    test = dataset(seed=1)
    one = test.take(["q007"])
    rows = (test.frame["query_id"] == "q007").to_numpy()
    np.testing.assert_array_equal(ranker.score(one), ranker.score(test)[rows])
    assert ranker.score(test.take([])).shape == (0,)


@every_ranker
def test_scores_are_finite_on_nasty_tables(config: RankerConfig) -> None:
    ranker = make_ranker(config)
    ranker.fit(dataset())
    nasty = world(queries=3).with_columns(
        pl.when(pl.col("query_id") == "q000")
        .then(None)
        .otherwise(3e38)
        .cast(pl.Float32)
        .alias("lexical.good"),
        pl.lit("never seen").cast(world()["structured.colour"].dtype).alias("structured.colour"),
    )
    scores = ranker.score(Dataset.from_frame(nasty))
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


@every_ranker
def test_single_products_and_single_grades_do_no_harm(config: RankerConfig) -> None:
    alone = world(queries=20, rows=1, seed=3).with_columns(pl.col("query_id") + "alone")
    level = world(queries=20, seed=4).with_columns(pl.col("query_id") + "level", grade=pl.lit(2.0))
    nothing = world(queries=20, seed=5).with_columns(pl.col("query_id") + "nothing", grade=pl.lit(0.0))
    train = Dataset.from_frame(pl.concat([world(), alone, level, nothing]))
    test = dataset(seed=1)
    assert ndcg(test, fitted_scores(config, train, test)) > 0.9


@every_ranker
def test_one_grade_everywhere_teaches_nothing(config: RankerConfig) -> None:
    train = Dataset.from_frame(world().with_columns(grade=pl.lit(1.0)))
    assert np.isfinite(fitted_scores(config, train, dataset(seed=1))).all()


@takes_any_grade
@pytest.mark.parametrize("shape", ["thirds", "fifty"])
def test_any_grades_will_do(config: RankerConfig, shape: str) -> None:
    grade = {"thirds": 1 + pl.col("grade") / 3, "fifty": pl.col("grade") * 50 / 3}[shape]
    train, validation = (Dataset.from_frame(world(seed=seed).with_columns(grade=grade)) for seed in (0, 2))
    config = changed(config, relevant_from=float(np.median(train.grades)))
    test = dataset(seed=1)
    assert ndcg(test, fitted_scores(config, train, test, validation)) > 0.85


@pytest.mark.parametrize("config", [LIGHTGBM, XGBOOST], ids=lambda config: config.kind)
def test_a_table_of_gains_is_the_same_as_its_formula(config: RankerConfig) -> None:
    test = dataset(seed=1)
    table = {float(grade): 2.0**grade - 1 for grade in range(4)}
    by_formula, by_table, linear = (
        fitted_scores(config.model_copy(update={"gain": gain}), dataset(), test)
        for gain in ("exp", table, "linear")
    )
    np.testing.assert_array_equal(by_table, by_formula)
    assert not np.array_equal(linear, by_formula)


@every_ranker
def test_one_feature_is_enough(config: RankerConfig) -> None:
    train, test = (
        Dataset.from_frame(world(seed=s).drop("lexical.noise", "structured.colour")) for s in (0, 1)
    )
    scores = fitted_scores(config, train, test)
    assert ndcg(test, scores) > ndcg(test, np.random.default_rng(0).random(len(scores))) + 0.05


@every_tree_ranker
def test_monotone_features_only_raise_a_score(config: RankerConfig) -> None:
    ranker = make_ranker(config.model_copy(update={"monotone": ("lexical.*", "structured.*")}))
    ranker.fit(dataset())
    rising = pl.Series(np.linspace(-3, 3, 12).tolist() * 60, dtype=pl.Float32)
    for name in ("lexical.good", "lexical.noise"):
        same = (
            world()
            .with_columns(pl.col(pl.Float32).first(), pl.col(pl.Enum).first())
            .with_columns(rising.alias(name))
        )
        steps = np.diff(ranker.score(Dataset.from_frame(same)).reshape(60, 12))
        assert (steps >= 0).all()
        assert (steps > 0).any() or name == "lexical.noise"


@every_bagged
def test_early_stopping_keeps_the_best_iteration(config: RankerConfig) -> None:
    ranker = make_ranker(changed(config, trees=200, epochs=200, early_stopping_rounds=5, stop_at=3))
    validation = dataset(queries=20, seed=2)
    ranker.fit(dataset(queries=20), validation)
    values = ranker.history["ndcg"].to_list()
    assert ranker.best_iteration == int(np.argmax(values)) + 1
    assert len(values) == ranker.best_iteration + 5 < 200
    scores, worst_first = ranker.score(validation), isinstance(config, CatBoostConfig)
    assert max(values) == pytest.approx(ndcg(validation, scores, k=3, worst_first=worst_first), abs=1e-6)


@every_seeded_ranker
def test_without_validation_every_iteration_is_kept(config: RankerConfig) -> None:
    ranker = make_ranker(config)
    ranker.fit(dataset(), dataset(seed=2).take([]))
    assert ranker.best_iteration == (config.epochs if config in NETWORKS else config.trees)
    assert ranker.history.is_empty()


@every_bagged
def test_bags_are_the_mean_of_their_seeds(config: RankerConfig) -> None:
    test = dataset(seed=1)
    both = fitted_scores(config.model_copy(update={"bags": 2, "seed": 3}), dataset(), test)
    single = [fitted_scores(config.model_copy(update={"seed": seed}), dataset(), test) for seed in (3, 4)]
    np.testing.assert_allclose(both, np.mean(single, axis=0), rtol=0, atol=1e-12)


@every_ranker
def test_other_features_than_trained_on_are_refused(config: RankerConfig) -> None:
    ranker = make_ranker(config)
    ranker.fit(dataset())
    with pytest.raises(InputError, match=r"missing 'lexical\.noise'"):
        ranker.score(Dataset.from_frame(world().drop("lexical.noise")))
    with pytest.raises(InputError, match="other categories"):
        recoded = pl.col("structured.colour").cast(pl.Enum(["red", "blue", "grey", "teal"]))
        ranker.score(Dataset.from_frame(world().with_columns(recoded)))


@every_ranker
@pytest.mark.parametrize("name", ["extra.a[b]", "extra.größe", 'extra.a b"c', "extra.<x>,{y}:z"])
def test_any_feature_name_will_do(config: RankerConfig, name: str, tmp_path: Path) -> None:
    data = Dataset.from_frame(world(queries=10).rename({"lexical.good": name}))
    ranker = make_ranker(changed(config, trees=2, epochs=2))
    ranker.fit(data)
    ranker.save(tmp_path)
    np.testing.assert_array_equal(load_ranker(tmp_path).score(data), ranker.score(data))


@every_ranker
def test_untrainable_data_is_told(config: RankerConfig) -> None:
    flat = Dataset.from_frame(world(seed=2).with_columns(grade=pl.lit(1.0)))
    cases = [
        (dataset().take([]), None, "expected pairs with features to train on, got 0 pairs"),
        (Dataset.from_frame(world().select("query_id", "product_id", "grade")), None, "with 0 features"),
        (Dataset.from_frame(world().drop("grade")), None, "no column 'grade'"),
    ]
    if config not in [*LOGISTICS, *PLUG_INS]:  # which have nothing to stop early
        cases.append((dataset(), flat, "nothing tells when to stop"))
    for train, validation, message in cases:
        with pytest.raises(InputError, match=message):
            make_ranker(config).fit(train, validation)


@every_ranker
def test_one_judged_pair_is_learnt_from_without_harm(config: RankerConfig) -> None:
    one = Dataset.from_frame(world(queries=1, rows=1))
    if config.objective in {"weighted", "stacking", "feature"}:
        with pytest.raises(InputError, match="at least 2 training queries"):
            make_ranker(config).fit(one)
    else:
        assert np.isfinite(fitted_scores(config, one, dataset(seed=1))).all()
