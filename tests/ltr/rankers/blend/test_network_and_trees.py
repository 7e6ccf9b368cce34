"""A network and trees joined: each kind of query goes by whoever reads it better, and that is saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.evaluation.per_query import EvaluationConfig
from ltr.explanation.contributions import explain
from ltr.explanation.importance import importance
from ltr.rankers import (
    LightGBMConfig,
    NetworkAndTreesConfig,
    NeuralConfig,
    RankerConfig,
    XGBoostConfig,
    load_ranker,
    make_ranker,
)
from ltr.rankers.blend.network_and_trees import FEWEST, NetworkAndTreesRanker
from ltr.training.fused_ranker import FusedRanker

CONFIG = NetworkAndTreesConfig(
    network=NeuralConfig(epochs=25, learning_rate=0.01, batch_rows=128, threads=1, width=8, dropout=0.0),
    booster=LightGBMConfig(trees=30, learning_rate=0.2, leaves=7, min_rows_per_leaf=5, threads=1),
    folds=2,
)


def world(each: int = FEWEST + 5, rows: int = 8, seed: int = 0) -> Dataset:
    """Queries of words, whose grades the vectors tell, and of a photo, whose grades a number tells by leaps."""
    random = np.random.default_rng(seed)
    n = 2 * each * rows
    words = np.arange(n) < n // 2
    product, number = random.normal(size=n), random.random(n)
    grade = np.digitize(np.where(words, product, np.floor(8 * number) % 2 * 2 - 1), [-0.5, 0.5]).astype(float)
    return Dataset.from_frame(
        pl.DataFrame(
            {
                "query_id": np.repeat([f"q{i:03d}" for i in range(2 * each)], rows),
                "product_id": np.tile([f"p{i}" for i in range(rows)], 2 * each),
                "grade": grade,
                "structured.number": number,
                "embedding.query_text_0": np.where(words, 1.0, None).astype(float),
                "embedding.query_image_0": np.where(words, None, 1.0).astype(float),
                "embedding.title_0": np.where(words, product, random.normal(size=n)),
            }
        ).with_columns(pl.selectors.starts_with("embedding.", "structured.").cast(pl.Float32).fill_nan(None))
    )


@pytest.fixture(scope="module")
def fitted() -> NetworkAndTreesRanker:
    ranker = NetworkAndTreesRanker(CONFIG)
    ranker.fit(world())
    return ranker


def test_each_kind_of_query_goes_by_whoever_reads_it_better(fitted: NetworkAndTreesRanker) -> None:
    assert fitted.shares["query_text"][0] > 0.9
    assert fitted.shares["query_image"][0] < fitted.shares[""][0] < fitted.shares["query_text"][0]
    assert all(shares.sum() == pytest.approx(1) for shares in fitted.shares.values())


@pytest.mark.parametrize(
    ("objective", "booster"),
    [
        ("weighted", CONFIG.booster),
        ("feature", CONFIG.booster),
        ("weighted", XGBoostConfig(trees=20, threads=1, bags=1)),
    ],
)
def test_contributions_make_the_score_and_name_the_network(
    fitted: NetworkAndTreesRanker, objective: str, booster: RankerConfig
) -> None:
    """Of words the vectors tell, of photos the number: the network's part is larger in the first."""
    ranker = fitted
    if (objective, booster) != ("weighted", CONFIG.booster):
        config = CONFIG.model_copy(update={"objective": objective, "booster": booster})
        ranker = NetworkAndTreesRanker(config)
        ranker.fit(world())
    rows = EmbeddedDataset(world(seed=1))
    model = FusedRanker(ranker, None)
    found = explain(model, rows)
    np.testing.assert_allclose(found.scores, ranker.score(rows.data), rtol=1e-5, atol=1e-5)
    names, values = found.centred().by_modality()
    assert names == ["structured", "network"]
    sizes = np.abs(values).reshape(2, -1, 2).mean(axis=1)  # words and photos, by aspect
    assert sizes[0, 1] / sizes[0].sum() > sizes[1, 1] / sizes[1].sum() + 0.02
    weights = importance([(model, rows)], EvaluationConfig(bootstrap={"resamples": 100}), "nDCG@10")
    assert {line["name"] for line in weights.by_feature} == {"structured.number", "network.score"}
    assert {line["name"] for line in weights.permutation} == {names[0], "embeddings"}
    assert all(line["drop"] > 0.02 for line in weights.permutation)


def test_trees_that_cannot_be_explained_are_named(fitted: NetworkAndTreesRanker) -> None:
    class Opaque:
        """Scores, and says no more."""

    ranker = NetworkAndTreesRanker(CONFIG)
    ranker.__dict__.update(fitted.__dict__ | {"_trees": Opaque()})
    with pytest.raises(
        InputError, match="trees whose score is a sum over features, got a Opaque, which is none"
    ):
        ranker.contributions(world())


def test_a_kind_with_few_queries_goes_by_the_shares_of_all() -> None:
    ranker = NetworkAndTreesRanker(CONFIG)
    ranker.fit(world(each=10))
    assert list(ranker.shares) == [""]
    assert np.isfinite(ranker.score(world(each=3, seed=1))).all()


def test_saved_shares_score_alike_and_odd_ones_are_refused(
    fitted: NetworkAndTreesRanker, tmp_path: Path
) -> None:
    test = world(seed=1)
    fitted.save(tmp_path)
    assert np.array_equal(load_ranker(tmp_path).score(test), fitted.score(test))
    about = json.loads((tmp_path / "ranker.json").read_text(encoding="utf-8"))
    for shares in ({}, {"": [0.5]}, {"": [0.5, float("nan")]}, {"query_text": [0.5, 0.5]}):
        (tmp_path / "ranker.json").write_text(json.dumps(about | {"shares": shares}), encoding="utf-8")
        with pytest.raises(InputError, match="a saved ranker"):
            load_ranker(tmp_path)


@pytest.mark.parametrize("part", ["network", "booster"])
def test_only_a_network_and_a_booster_will_do(part: str) -> None:
    other = LightGBMConfig() if part == "network" else NeuralConfig()
    with pytest.raises(ValueError, match="kind"):
        NetworkAndTreesConfig.model_validate({part: other})
    assert make_ranker(NetworkAndTreesConfig()).config.kind == "network_and_trees"
