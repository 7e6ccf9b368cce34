"""What the model goes by, over many queries: mean contribution by feature and by modality, and a cross-check.

Importance is the mean |contribution| after taking off each query's mean, since a shift of all candidates
ranks nothing; of a modality it is that of its features' sum, so that features which cancel count nothing.

Permutation importance (Breiman, Machine Learning 2001) is the nDCG lost when a modality's features are
shuffled, all together, among the candidates of each query. Within queries, not between: a shuffle between
them would give a product standings, prices and limits of a query it was never listed for, and so measure the
model where no shop ever is; and what is the same for all candidates of a query cannot order them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.evaluation.per_query import EvaluationConfig, evaluate
from ltr.evaluation.significance import BootstrapConfig, bootstrap_interval
from ltr.explanation.aspects import members, modality_of
from ltr.explanation.contributions import Explanation, explain, explainable
from ltr.rankers.lists import list_means
from ltr.training.fused_ranker import FusedRanker

HeldOut = Sequence[tuple[FusedRanker, EmbeddedDataset]]
"""Models, each with rows of queries that it has not seen."""

# TreeSHAP takes some 2 to 4 microseconds a row and tree of 15 leaves, so these are two.
ROW_TREES = 600_000
LEAST_ROWS = 500
REPEATS = 3


@dataclass(frozen=True)
class Importance:
    """by_modality, by_feature: name, importance, low, high, share (of the sum); the largest first.

    permutation: name, drop, low, high, of `metric`; measured on `queries` of all `of_queries`, `pairs` rows.
    """

    by_modality: list[dict[str, Any]]
    by_feature: list[dict[str, Any]]
    permutation: list[dict[str, Any]]
    metric: str
    queries: int
    of_queries: int
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def importance(
    held_out: HeldOut, config: EvaluationConfig, metric: str, row_trees: int = ROW_TREES, seed: int = 0
) -> Importance:
    """Global importance of a model on queries it has not seen, with bootstrap intervals over queries.

    Whole queries are drawn at random, as many as make about `row_trees` rows times trees. Raises InputError
    for a ranker that cannot be explained.
    """
    trees = max(explainable(model).trees for model, _ in held_out)
    drawn = list(_draw(held_out, max(LEAST_ROWS, row_trees // max(1, trees)), seed))
    explained = [explain(model, part) for model, part in drawn]
    names, by_modality = _together([_modality_means(part) for part in explained])
    features, by_feature = _together([_feature_means(part) for part in explained])
    of_feature = _ranked(features, by_feature, config.bootstrap)
    shuffled = [_drops(model, model.extend(part), config, metric, seed) for model, part in drawn]
    return Importance(
        by_modality=_ranked(names, by_modality, config.bootstrap),
        by_feature=[{**line, "modality": modality_of(line["name"])} for line in of_feature],
        permutation=_permutation(*_together(shuffled), config.bootstrap),
        metric=metric,
        queries=len(by_modality),
        of_queries=sum(len(part.data.groups) for _, part in held_out),
        pairs=sum(len(part.data.X) for part in explained),
    )


def _draw(held_out: HeldOut, rows: int, seed: int) -> Iterator[tuple[FusedRanker, EmbeddedDataset]]:
    """Of each part the same share of its queries, at least one, so that about `rows` rows are left."""
    share = rows / max(1, sum(len(part.data.X) for _, part in held_out))
    random = np.random.default_rng(seed)
    for model, part in held_out:
        queries = part.data.query_ids
        count = min(len(queries), max(1, round(share * len(queries))))
        if count:
            chosen = np.sort(random.choice(len(queries), count, replace=False))
            yield model, part.take(queries.gather(chosen).to_list())


def _feature_means(explanation: Explanation) -> tuple[list[str], np.ndarray]:
    centred = explanation.centred()
    return centred.data.schema.names, list_means(np.abs(centred.contributions), centred.data.groups)


def _modality_means(explanation: Explanation) -> tuple[list[str], np.ndarray]:
    names, values = explanation.centred().by_modality()
    return names, list_means(np.abs(values), explanation.data.groups)


def _together(parts: Sequence[tuple[list[str], np.ndarray]]) -> tuple[list[str], np.ndarray]:
    """Per-query values of all folds: the names are those of each, since all take the same features."""
    return parts[0][0], np.concatenate([values for _, values in parts])


def _ranked(names: list[str], values: np.ndarray, config: BootstrapConfig) -> list[dict[str, Any]]:
    low, high = bootstrap_interval(values, config)
    mean = values.mean(axis=0)
    share = mean / (mean.sum() or 1.0)
    frame = pl.DataFrame({"name": names, "importance": mean, "low": low, "high": high, "share": share})
    return frame.sort("importance", descending=True, maintain_order=True).to_dicts()


def _permutation(names: list[str], drops: np.ndarray, config: BootstrapConfig) -> list[dict[str, Any]]:
    """Means over the queries that have an nDCG; none where none has."""
    drops = drops[np.isfinite(drops).all(axis=1)]
    if not len(drops):
        return []
    low, high = bootstrap_interval(drops, config, signed=True)
    frame = pl.DataFrame({"name": names, "drop": drops.mean(axis=0), "low": low, "high": high})
    return frame.sort("drop", descending=True, maintain_order=True).to_dicts()


def _drops(
    model: FusedRanker, data: Dataset, config: EvaluationConfig, metric: str, seed: int
) -> tuple[list[str], np.ndarray]:
    """Per query and modality: the metric lost by the shuffle, the mean of REPEATS; (queries, modalities)."""
    found = members(data.schema)
    whole = _measured(model, data, config, metric)
    random = np.random.default_rng(seed)
    query = np.repeat(np.arange(len(data.groups)), data.groups)
    orders = [np.lexsort((random.random(len(query)), query)) for _ in range(REPEATS)]  # within each query
    lost = [
        np.mean(
            [whole - _measured(model, _with_shuffled(data, p, o), config, metric) for o in orders], axis=0
        )
        for p in found.values()
    ]
    return list(found), np.stack(lost, axis=1)


def _with_shuffled(data: Dataset, places: list[int], order: np.ndarray) -> Dataset:
    X = data.X.copy()
    X[:, places] = data.X[order][:, places]
    return dataclasses.replace(data, X=X)


def _measured(model: FusedRanker, data: Dataset, config: EvaluationConfig, metric: str) -> np.ndarray:
    pairs = data.frame.select("query_id", "product_id", "grade").with_columns(
        score=pl.Series(model.ranker.score(data))
    )
    return evaluate(pairs, config)[metric].cast(pl.Float64).fill_null(np.nan).to_numpy()
