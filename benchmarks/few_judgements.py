"""python -m benchmarks.few_judgements [--draws 3]

What few judged queries are worth: 25, 50, 100 and 200 training queries drawn from fashion's text queries, homedepot and
esci, the others tested (of homedepot a sample). The best single cosine of the training queries is the floor that no
default may fall below; beside it LightGBM alone, and leaning on that cosine by shares learnt out of fold
(`train: {base: auto}`). A query's value is its mean over the draws, before any test.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.evaluation.per_query import convention, evaluate
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import prepare
from ltr.training.anchoring import CUTOFF, Transfer, chosen_base

SETS = ("fashion", "homedepot", "esci")
SIZES = (25, 50, 100, 200)
TESTED, METRIC, BAGS = 250, "nDCG@10", 3
COSINE, ALONE, LEANING = "best single cosine", "LightGBM alone", "leaning on the cosine"


def main(argv: list[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--draws", type=int, default=3, help="how often the training queries are drawn")
    draws = arguments.parse_args(argv).draws
    if not record.have(*SETS):
        return
    sets, config = {}, None
    for name in SETS:
        config, data = read(record.config_path(name))
        sets[name] = list(curve(name, config, data, draws))
    if config is not None:
        figures = {"convention": convention(config.evaluation), "draws": draws, "bags": BAGS, "sets": sets}
        record.write("few_judgements", "python -m benchmarks.few_judgements", figures)


def read(path: Path) -> tuple[Config, Dataset]:
    """The set's judged pairs; of a set with a split of its own and kinds of queries, its text queries for training."""
    config = read_config(path)
    prepared = prepare(config)
    data = Dataset.from_frame(prepared.table.frame, prepared.schema).judged()
    queries = prepared.collection.queries
    if "split" in queries.columns:
        queries = queries.filter(pl.col("split") == "train", pl.col("text").is_not_null())
    return config, data.take(queries["query_id"].to_list())


def curve(name: str, config: Config, data: Dataset, draws: int) -> Iterator[dict[str, Any]]:
    """By number of training queries: both ways of training against the cosine, on queries that neither saw."""
    for size in (size for size in SIZES if 2 * size <= len(data.query_ids)):
        frames = [scored for seed in range(draws) for scored in one_draw(config, data, size, seed)]
        values = (
            pl.concat(frames).group_by("system", "query_id", maintain_order=True).agg(pl.col(METRIC).mean())
        )
        of = {system: values.filter(system=system).drop("system") for system in (COSINE, ALONE, LEANING)}
        for system in (ALONE, LEANING):
            found = compare(of[system], of[COSINE], METRIC)
            print(f"{name}, {size} queries, {system}: {found}", flush=True)
            yield {"size": size, "system": system, **asdict(found)}


def one_draw(config: Config, data: Dataset, size: int, seed: int) -> Iterator[pl.DataFrame]:
    """Of each system: system, query_id and the measure, on the queries left over."""
    drawn = np.random.default_rng(seed).permutation(data.query_ids.to_list())
    train, test = data.take(drawn[:size]), data.take(drawn[size : size + TESTED])
    settings = config.ranker.model_copy(
        update={"bags": BAGS, "threads": 1, "early_stopping_rounds": 0, "trees": 100}
    )
    leaning = Transfer(base="auto").ranker(settings)
    leaning.fit(train)
    base = chosen_base(train, "auto", gains_of(train.grades, settings.gain), CUTOFF)
    cosine = np.nan_to_num(test.X[:, test.schema.names.index(base)].astype(float), nan=-1.0)
    found = {COSINE: cosine, ALONE: leaning.ranker.score(test), LEANING: leaning.score(test)}
    for system, scores in found.items():
        values = evaluate(test.scored(scores), config.evaluation)
        yield values.select(pl.lit(system).alias("system"), "query_id", METRIC)


if __name__ == "__main__":
    main()
