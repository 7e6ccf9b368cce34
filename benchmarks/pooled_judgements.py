"""python -m benchmarks.pooled_judgements

The demo shop judged in two ways, and how far its figures of what is shown then are from the truth, which it knows for
every product. drawn: lists mixed by the shop (good products, lookalikes, chance), as its judgements are. pooled: the
first ten of BM25, of the cosines and of a first ranker, as a team would judge. Lists, features, folds and settings of
the rankers are the same; only the judgements differ, by which the rankers learn, too.

Then the loop is closed: what `ltr.judge_next` proposes is judged, against as many products top-down by place and at
random, all of the first ten that LightGBM or the ranker without photos shows. Told is the estimated difference of the
two (condensed nDCG@10) beside the true one, which no judging moves.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import kendalltau

from benchmarks import record
from features.feature_schema import KEYS
from ltr.config.command_line import DEMO_CONFIG, parser, read_settings
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.demo import shop
from ltr.evaluation.baselines import RANDOM, baseline_scores
from ltr.evaluation.per_query import convention
from ltr.evaluation.shown import ShownLists, condensed_metric, true_metric
from ltr.evaluation.significance import compare
from ltr.pipeline.judging import judge_next
from ltr.pipeline.pooled_judging import DEPTH, pooled_judgements
from ltr.pipeline.prepare import load_collection, make_builder
from ltr.pipeline.shown_lists import first_shown
from ltr.rankers import LightGBMConfig, make_ranker
from ltr.rankers.out_of_fold import out_of_fold

FULL, PLAIN = "LightGBM", "LightGBM without photos"
RANKER = LightGBMConfig(trees=100, bags=1, early_stopping_rounds=0, threads=1)
BUDGETS = (0, 100, 200, 400, 800, 1600)
DRAWS = 5  # of judging at random
Scores = Mapping[str, np.ndarray]


def main(words: list[str]) -> None:
    _, config = read_settings(parser(__doc__), ["--config", str(DEMO_CONFIG), *words])
    data = config.data
    if not isinstance(data, shop.DemoShopConfig):
        raise SystemExit("the demo shop is wanted: only its truth is known")
    folder = Path(config.cache.folder)
    collection, known = load_collection(config), shop.kept_shop(data, folder)
    builder, truth = make_builder(config, collection.products), shop.true_grades(data, folder)
    asked = shop.judged_grades(data, known.wishes, known.stock)
    judged = {
        "drawn": collection.judgements.select(*KEYS, "grade"),
        "pooled": pooled_judgements(builder, collection.queries, asked, config.lists.candidates),
    }
    every = pl.concat(judged.values()).unique(KEYS, keep="first")
    table = builder.build(
        collection.queries, builder.lists(collection.queries, every, config.lists.candidates)
    ).frame
    found, lists, ranked = {}, {}, {}
    for name, judgements in judged.items():
        graded = table.drop("grade").join(judgements, on=KEYS, how="left", maintain_order="left")
        # A product that only the other way judges stands in no list of this one.
        graded = graded.filter(pl.col("retrieved") | pl.col("grade").is_not_null())
        rows = replace(Dataset.from_frame(graded, builder.schema), unjudged=config.lists.unjudged)
        scores = scored(rows)
        lists[name], ranked[name] = rows, scores
        found[name] = {
            "judgements": judgements.height,
            "systems": list(systems(config, rows, scores, truth)),
            "next": list(judging(config, rows, scores, asked, truth)),
            "settled": settled(config, rows, scores, asked, truth),
        }
    command = "python -m benchmarks.pooled_judgements"
    sizes = {"products": data.products, "queries": data.queries, "depth": DEPTH}
    about = {"convention": convention(config.evaluation), **sizes, "trees": RANKER.trees, "draws": DRAWS}
    against = taught(config, lists, ranked, truth)
    record.write("pooled_judgements", command, {**about, "judged": found, "taught": against})


def scored(rows: Dataset) -> dict[str, np.ndarray]:
    """(n,) by plain system, and by two rankers that have not seen the query."""

    def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
        ranker = make_ranker(RANKER)
        ranker.fit(kept.for_training(weighing=True))
        return ranker.score(left_out)

    plain = rows.select(rows.schema.select([g for g in rows.schema.groups if g != "image"]))
    found = {name: values for name, values in baseline_scores(rows).items() if name != RANDOM}
    return found | {
        name: out_of_fold(part, 3, 0, fit_and_score) for name, part in ((PLAIN, plain), (FULL, rows))
    }


def systems(config: Config, rows: Dataset, scores: Scores, truth: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Every system's means by estimate and in truth, and how alike the two order the queries (Kendall's tau)."""
    lists = ShownLists.of(rows.frame, config.evaluation, truth)
    condensed, true = condensed_metric(config.evaluation), true_metric(config.evaluation)
    for name, values in scores.items():
        table = lists.per_query(values)
        means = {metric: table[metric].mean() for metric in table.columns if metric != "query_id"}
        both = table.select(condensed, true).drop_nulls().to_numpy()
        error = compare(renamed(table, condensed), renamed(table, true), "value")
        tau = float(kendalltau(both[:, 0], both[:, 1]).statistic)
        yield {"system": name, **means, "tau": tau, "error": asdict(error)}


def renamed(table: pl.DataFrame, metric: str) -> pl.DataFrame:
    """query_id, value; of queries that have both an estimate and a truth."""
    return table.drop_nulls().select("query_id", value=metric)


def taught(
    config: Config, rows: Mapping[str, Dataset], scores: Mapping[str, Scores], truth: pl.DataFrame
) -> Any:
    """What LightGBM shows in truth, taught by pooled against taught by drawn judgements, by query."""
    true = true_metric(config.evaluation)
    shown = {
        name: ShownLists.of(rows[name].frame, config.evaluation, truth).per_query(scores[name][FULL])
        for name in rows
    }
    return asdict(compare(shown["pooled"], shown["drawn"], true))


def judging(
    config: Config, rows: Dataset, scores: Scores, asked: pl.DataFrame, truth: pl.DataFrame
) -> Iterator[dict[str, Any]]:
    """By way and number of products judged since: the estimated and the true difference of the two rankers."""
    shown = {name: first_shown(rows.frame, scores[name]) for name in (FULL, PLAIN)}
    judged = rows.frame.select(*KEYS, "grade").filter(pl.col("grade").is_not_null())
    for way, draw in [("judge_next", 0), ("top-down", 0), *(("random", draw) for draw in range(DRAWS))]:
        known = judged
        for before, budget in zip((0, *BUDGETS), BUDGETS, strict=False):
            chosen = proposed(way, draw, shown, known, budget - before, config)
            known = pl.concat([known, asked.join(chosen, on=KEYS, how="semi").select(known.columns)])
            yield {"way": way, "draw": draw, "judged": budget, **estimate(config, rows, scores, known, truth)}


def settled(
    config: Config, rows: Dataset, scores: Scores, asked: pl.DataFrame, truth: pl.DataFrame
) -> dict[str, float]:
    """The estimate with every product judged that stands among the first ten of either ranker."""
    shown = {name: first_shown(rows.frame, scores[name]) for name in (FULL, PLAIN)}
    judged = rows.frame.select(*KEYS, "grade").filter(pl.col("grade").is_not_null())
    left = proposed("top-down", 0, shown, judged, rows.frame.height, config)
    known = pl.concat([judged, asked.join(left, on=KEYS, how="semi").select(judged.columns)])
    return {"judged": left.height, **estimate(config, rows, scores, known, truth)}


def proposed(
    way: str, draw: int, shown: Mapping[str, pl.DataFrame], known: pl.DataFrame, count: int, config: Config
) -> pl.DataFrame:
    """The keys of the products to judge next: of the first ten that either shows."""
    if way == "judge_next" and count:
        return judge_next(shown[FULL], shown[PLAIN], known, count, 10, config.evaluation.gain).select(KEYS)
    first = pl.concat([table.filter(pl.col("rank") <= 10).select(*KEYS, "rank") for table in shown.values()])
    left = first.group_by(KEYS).agg(pl.col("rank").min()).join(known, on=KEYS, how="anti")
    if way == "top-down":
        return left.sort("rank", *KEYS).head(count).select(KEYS)
    return (
        left.sort(KEYS)
        .sample(min(count, left.height), shuffle=True, seed=draw * 10_000 + known.height)
        .select(KEYS)
    )


def estimate(
    config: Config, rows: Dataset, scores: Scores, known: pl.DataFrame, truth: pl.DataFrame
) -> dict[str, float]:
    frame = rows.frame.drop("grade").join(known, on=KEYS, how="left", maintain_order="left")
    lists = ShownLists.of(frame, config.evaluation, truth)
    tables = {name: lists.per_query(scores[name]) for name in (FULL, PLAIN)}
    means = {
        (name, metric): float(np.mean(table[metric].drop_nulls().to_numpy()))
        for name, table in tables.items()
        for metric in (condensed_metric(config.evaluation), true_metric(config.evaluation), "worst", "best")
    }
    condensed, true = condensed_metric(config.evaluation), true_metric(config.evaluation)
    return {
        "estimated": means[FULL, condensed] - means[PLAIN, condensed],
        "true": means[FULL, true] - means[PLAIN, true],
        "own_error": means[FULL, condensed] - means[FULL, true],
        "bounds": means[FULL, "best"] - means[FULL, "worst"],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
