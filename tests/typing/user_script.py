"""What a user writes, for the type checker: nothing of it is run here, all of it is checked."""

from pathlib import Path

import numpy as np
import polars as pl

from features import FeatureBuilder, FeatureTable, InputError, Shop
from ltr.data import Dataset, FoldsConfig, make_folds
from ltr.evaluation import Comparison, EvaluationConfig, compare, evaluate, judge_run, read_qrels, read_run
from ltr.rankers import LightGBMConfig, LightGBMRanker, Ranker, XGBoostConfig, load_ranker, make_ranker
from ltr.rankers.sklearn import LightGBMEstimator, QueryFolds, mean_ndcg_by_query


def features_of(products: pl.DataFrame, queries: pl.DataFrame, judgements: pl.DataFrame) -> FeatureTable:
    try:
        shop = Shop.from_frames(products, queries, judgements, settings={"products": {"numeric": ["weight"]}})
    except InputError as error:
        raise SystemExit(f"{error.where}: {error.cure}") from error
    rejected: dict[str, pl.DataFrame] = shop.rejected
    print({table: rows.height for table, rows in rejected.items()})
    return FeatureBuilder(shop.products).build(shop.queries, shop.judgements)


def measured(table: FeatureTable, queries: pl.DataFrame) -> Comparison:
    data = Dataset.from_frame(table.frame)
    train, validation, test = data.split(make_folds(FoldsConfig(folds=3), queries)[0])
    rankers: list[Ranker] = [LightGBMRanker(LightGBMConfig(trees=50)), make_ranker(XGBoostConfig(trees=50))]
    for ranker in rankers:
        ranker.fit(train, validation)
    rankers[0].save(Path("model"))
    one, other = (
        evaluate(test.scored(ranker.score(test))) for ranker in (load_ranker(Path("model")), rankers[1])
    )
    return compare(one, other, "nDCG@10")


def estimated(X: np.ndarray, y: np.ndarray, qid: np.ndarray) -> float:
    model = LightGBMEstimator(trees=50).fit(X, y, qid=qid)
    folds = [test.sum() for _, test in QueryFolds(5).split(X, y, qid=qid)]
    print(len(folds))
    return mean_ndcg_by_query(y, model.predict(X), qid)


def of_files(run: Path, qrels: Path) -> float:
    pairs = judge_run(read_run(run), read_qrels(qrels)).pairs
    return float(evaluate(pairs, EvaluationConfig(gain="linear"))["nDCG@10"].to_numpy().mean())
