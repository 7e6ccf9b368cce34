"""python -m benchmarks.parity

LightGBM's own ranking example through the toolkit and through the bare library with the same parameters:
the scores must be equal (to 1e-9), and so must nDCG@10.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import polars as pl
from sklearn.datasets import load_svmlight_file

from benchmarks import record
from ltr.config.tree import read_config
from ltr.data.dataset import Dataset
from ltr.evaluation.per_query import EvaluationConfig, evaluate, summarise
from ltr.pipeline.prepare import load_collection
from ltr.rankers import make_ranker

FOLDER = record.DATA / "lightgbm_rank"
TREES = 100


def main() -> None:
    if not record.have("lightgbm_rank"):
        return
    ours, test = through_the_toolkit()
    theirs = through_the_library()
    difference = float(np.abs(ours - theirs).max())
    if difference >= 1e-9:
        raise SystemExit(f"scores differ by {difference:.2g}: expected < 1e-9")
    pairs = test.frame.select("query_id", "product_id", "grade")
    config = EvaluationConfig()
    ndcg = summarise(evaluate(pairs.with_columns(score=pl.Series(ours)), config), config)
    row = ndcg.row(by_predicate=pl.col("metric") == "nDCG@10", named=True)
    print(
        f"largest score difference {difference:.1e}; nDCG@10 {row['mean']:.4f} [{row['low']:.3f}, {row['high']:.3f}]"
    )
    figures = {"largest_score_difference": difference, "trees": TREES, "ndcg_at_10": row}
    record.write("parity_lightgbm_rank", "python -m benchmarks.parity", figures)


def through_the_toolkit() -> tuple[np.ndarray, Dataset]:
    """Test scores by the toolkit's own reader, dataset and ranker, and the test set."""
    config = read_config(record.ROOT / "configs" / "lightgbm_rank.yaml")
    collection = load_collection(config)
    assert collection.given is not None
    table = collection.judgements.join(collection.given, on=["query_id", "product_id"])
    data = Dataset.from_frame(table)
    parts = collection.queries
    train, test = (data.take(parts.filter(pl.col("split") == name)["query_id"]) for name in ("train", "test"))
    ranker = make_ranker(config.ranker.model_copy(update={"trees": TREES, "bags": 1}))
    ranker.fit(train)
    return ranker.score(test), test


def through_the_library() -> np.ndarray:
    """Test scores by LightGBM itself, on the files as scikit-learn reads them."""
    (train_x, train_y), (test_x, _) = (
        load_svmlight_file(str(FOLDER / f"rank.{part}.gz"), n_features=301, zero_based=True)
        for part in ("train", "test")
    )
    sizes = np.loadtxt(FOLDER / "rank.train.query", dtype=int)
    used = range(1, 301)  # the files' own indices; LightGBM's reader would add an empty column 0
    config = read_config(record.ROOT / "configs" / "lightgbm_rank.yaml").ranker
    params = {
        "objective": "lambdarank", "learning_rate": config.learning_rate, "num_leaves": config.leaves,
        "min_data_in_leaf": 20, "lambda_l2": config.l2, "feature_fraction": config.feature_fraction,
        "bagging_fraction": config.bagging_fraction, "bagging_freq": 1, "seed": config.seed,
        "label_gain": [0, 1, 3, 7, 15], "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    matrix = lgb.Dataset(train_x.toarray()[:, used], train_y, group=sizes)
    return np.asarray(lgb.train(params, matrix, TREES).predict(test_x.toarray()[:, used]))


if __name__ == "__main__":
    main()
