"""python -m benchmarks.adapted

What adapting a frozen encoder's cosine to the judgements is worth: of query and title alone, out of fold on the queries
that train (of homedepot a sample), and to LightGBM with all features on fashion's held-out queries. There, too: a
network over the vectors and these trees as one ranker, against either alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from features.encoders.vectors import of_pairs
from features.groups.adapted import AdaptedSimilarity
from features.groups.adapted_fitting import GradedLists
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.gains import gains_of
from ltr.data.splits import make_folds
from ltr.evaluation.per_query import convention, evaluate
from ltr.evaluation.significance import Comparison, compare
from ltr.pipeline.prepare import prepare
from ltr.rankers import NetworkAndTreesConfig, NeuralConfig
from ltr.training.cross_fit import cross_fit

SETS = ("fashion", "homedepot", "esci", "icecat")
NAME, METRIC, MOST = "text.title", "nDCG@10", 3000
FIELDS = ("query_text", "title", "category", "query_image", "image")
TREES, ADAPTED, NETWORK, BOTH = "LightGBM", "LightGBM with adapted cosine", "network", "network and trees"
SETTINGS = EmbeddingFusionConfig(adapted=(NAME,))


def main() -> None:
    if not record.have(*SETS):
        return
    cosines, models, config = {}, {}, None
    for name in SETS:
        config = read_config(record.config_path(name))
        prepared = prepare(config)
        queries, data = (
            prepared.collection.queries,
            Dataset.from_frame(prepared.table.frame, prepared.schema).judged(),
        )
        found = prepared.builder.embeddings(queries, data.frame)
        rows = EmbeddedDataset(data, {field: found[field] for field in SETTINGS.needed})
        cosines[name] = asdict(of_cosine(config, training(rows, queries)))
        if "split" in queries.columns:
            fields = {**rows.vectors, **{field: found[field] for field in FIELDS if field in found}}
            models = dict(of_models(config, EmbeddedDataset(data, fields), queries))
    if config is not None:
        figures = {"convention": convention(config.evaluation), "cosines": cosines, "models": models}
        record.write("adapted", "python -m benchmarks.adapted", figures)


def training(rows: EmbeddedDataset, queries: pl.DataFrame) -> EmbeddedDataset:
    """The text queries that may be looked at while anything is chosen."""
    chosen = queries.filter(pl.col("text").is_not_null())
    if "split" in queries.columns:
        chosen = chosen.filter(split="train")
    ids = sorted(set(chosen["query_id"].to_list()) & set(rows.data.query_ids.to_list()))
    return rows.take(np.random.default_rng(0).permutation(ids)[:MOST].tolist())


def of_cosine(config: Config, rows: EmbeddedDataset) -> Comparison:
    """The adapted cosine, out of fold, against the plain one."""
    data, vectors = rows.data, rows.vectors
    lists = GradedLists(data.groups, gains_of(data.grades, config.evaluation.gain))
    _, own = AdaptedSimilarity.fit(vectors, [NAME], lists)
    plain = of_pairs(*(vectors[field] for field in SETTINGS.needed))
    return compare(*(values(config, rows, scores) for scores in (own[:, 0], plain)), METRIC)


def of_models(
    config: Config, rows: EmbeddedDataset, queries: pl.DataFrame
) -> Iterator[tuple[str, dict[str, Any]]]:
    """By what is compared, on each kind of the held-out queries."""
    folds = make_folds(config.split, queries, rows.data.frame["query_id"])
    trees = config.ranker.model_copy(update={"threads": 1})
    network = NeuralConfig(relevant_from=config.evaluation.relevant_from)
    vectors = SETTINGS.model_copy(
        update={"fields": tuple(f for f in FIELDS if f in rows.vectors), "components": 32}
    )
    systems = {
        TREES: (trees, None),
        ADAPTED: (trees, SETTINGS),
        NETWORK: (network, vectors.model_copy(update={"adapted": ()})),
        BOTH: (NetworkAndTreesConfig(network=network, booster=trees), vectors),
    }
    found = {
        name: values(config, rows, cross_fit(rows, folds, ranker, embeddings).scores)
        for name, (ranker, embeddings) in systems.items()
    }
    kinds = queries.select("query_id", "segment").partition_by("segment", as_dict=True)
    for (kind,), ids in kinds.items():
        of = {name: part.join(ids, on="query_id", how="semi") for name, part in found.items()}
        for ours, theirs in ((ADAPTED, TREES), (BOTH, TREES), (BOTH, ADAPTED), (BOTH, NETWORK)):
            yield f"{kind}: {ours} against {theirs}", asdict(compare(of[ours], of[theirs], METRIC))


def values(config: Config, rows: EmbeddedDataset, scores: np.ndarray) -> pl.DataFrame:
    """query_id and the measure, of the queries that are scored; a pair without a cosine goes last."""
    scored = rows.data.scored(np.where(np.isnan(scores), -1e9, scores))
    tested = rows.data.scored(scores).filter(pl.col("score").is_not_nan())["query_id"].unique()
    return evaluate(scored.filter(pl.col("query_id").is_in(tested.implode())), config.evaluation).select(
        "query_id", METRIC
    )


if __name__ == "__main__":
    main()
