"""python -m benchmarks.shown_lists [--run runs/demo-lightgbm] [--queries 400] [--seed 314159]

What a shopper of the demo shop is shown, end to end, on new queries made by the shop's own rules with another seed:
nDCG@10 of what the run ranks first among its candidates, against the best ten of the whole catalogue by the true
grade of every product; beside the run's own figures (judged lists; what is shown, held out), BM25 and each nearest
vector alone, and the best order of the candidates. Nothing is chosen by these queries.

Without --run the run is trained first: on lists as they are served, on the same with pairs of words learnt from the
judgements (`embeddings.adapted`), and on judged lists, of 150 trees on all training queries. A stop by validation
queries takes these from the training: on the training queries' folds it had .888 of judged products in the order shown,
keeping 43 to 111 trees, and 150 trees without it .892.

Features and settings were chosen on the shop's training queries and on new ones of seeds 5001 to 5003; those of seed
1007 were looked at while retrieval was made, those of 90210 were published before probes of words had penalties of
their own and words could overrule a photo. The seed published was looked at once, when all was chosen.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from features.feature_schema import KEYS, RETRIEVED
from ltr import train
from ltr.config.command_line import DEMO_CONFIG
from ltr.demo import shop
from ltr.evaluation import summarise
from ltr.evaluation.baselines import baseline_scores
from ltr.evaluation.shown import CEILING, ShownLists, true_metric
from ltr.runs.record import read_json
from ltr.runs.saved_run import SavedRun

SYSTEMS = ("BM25", "text cosine", "photo cosine", "text–photo cosine")
TRAINED = {
    "served lists": ("--lists.kind", "served"),
    "served lists with pairs of words": ("--lists.kind", "served", "--embeddings.adapted", "[words]"),
    "judged lists": ("--lists.kind", "judged"),
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--run", type=Path)
    asked.add_argument("--queries", type=int, default=400)
    asked.add_argument("--seed", type=int, default=314159)
    given = asked.parse_args()
    command = f"python -m benchmarks.shown_lists --queries {given.queries} --seed {given.seed}"
    with tempfile.TemporaryDirectory() as scratch:
        runs = {"served": given.run} if given.run else dict(trained(Path(scratch)))
        measured = {
            name: measure(SavedRun.open(run), given.queries, given.seed) for name, run in runs.items()
        }
    record.write(
        "shown_lists", command, {"queries": given.queries, "seed": given.seed, "trained_on": measured}
    )


def trained(scratch: Path) -> Iterator[tuple[str, Path]]:
    """The demo's LightGBM run by kind of list, and with what else is learnt."""
    for name, settings in TRAINED.items():
        run = scratch / name
        places = ["--runs", str(scratch), "--store.root", str(scratch / "store"), "--run", str(run)]
        ranker = ["--ranker.trees", "150", "--ranker.early_stopping_rounds", "0", "--ladder", "[]"]
        split = ["--split.validation_share", "0"]
        train.main(["--config", str(DEMO_CONFIG), *places, *ranker, *split, *settings])
        yield name, run


def measure(run: SavedRun, count: int, seed: int) -> dict[str, Any]:
    """By segment and system the mean true nDCG@10 of what is shown, with its interval; and the run's own figures."""
    data = run.config.data
    if not isinstance(data, shop.DemoShopConfig):
        raise SystemExit("a run on the demo shop is wanted: only its truth is known")
    builder = run.catalogue_builder()
    stock = shop.stock(data, Path(run.config.cache.folder))
    queries, wishes = shop.new_queries(stock, count, seed)
    pairs = builder.candidates(queries, run.config.lists.candidates)
    rows = run.dataset(builder.build(queries, pairs).frame)
    scores = {name: values for name, values in baseline_scores(rows).items() if name in SYSTEMS}
    scores[run.name] = run.score_dataset(rows, queries, builder)
    known = rows.frame.select(KEYS).with_columns(
        pl.lit(None, pl.Float64).alias("grade"), pl.lit(value=True).alias(RETRIEVED)
    )
    lists = ShownLists.of(known, run.config.evaluation, shop.grades_of_all(wishes, stock))
    tables = {CEILING: lists.ceiling(), **{name: lists.per_query(values) for name, values in scores.items()}}
    return {
        "candidates": len(rows.X) / len(rows.groups),
        "shown": [row for name, table in tables.items() for row in means(name, table, queries, run)],
        **own_figures(run),
    }


def means(system: str, table: pl.DataFrame, queries: pl.DataFrame, run: SavedRun) -> Iterator[dict[str, Any]]:
    """A query without any candidate shows nothing: it counts 0."""
    metric = true_metric(run.config.evaluation)
    whole = queries.select("query_id", "segment").join(table, on="query_id", how="left")
    for segment in shop.SEGMENTS[:2] + shop.SEGMENTS[3:]:
        mine = whole.filter(segment=segment).with_columns(pl.col(metric).fill_null(0.0))
        found = summarise(mine.select("query_id", metric), run.config.evaluation).row(0, named=True)
        kept = {name: found[name] for name in ("mean", "low", "high", "queries")}
        yield {"system": system, "segment": segment, **kept}


def own_figures(run: SavedRun) -> dict[str, Any]:
    """What the run's report says of itself: nDCG on judged lists, and of what is shown, held out."""
    metrics = read_json(run.folder / "metrics.json")
    found = {"judged_lists": figures(metrics["summary"], run.name, metrics["headline"])}
    if metrics.get("shown"):
        summary = metrics["shown"]["summary"]
        for metric in dict.fromkeys(row["metric"] for row in summary):
            found[f"held out: {metric}"] = figures(summary, run.name, metric)
    return found


def figures(summary: list[dict[str, Any]], system: str, metric: str) -> dict[str, float]:
    rows = (row for row in summary if row["system"] == system and row["metric"] == metric)
    return {row["segment"]: row["mean"] for row in rows if not np.isnan(row["mean"] or np.nan)}


if __name__ == "__main__":
    main()
