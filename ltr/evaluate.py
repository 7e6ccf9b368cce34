"""python -m ltr.evaluate [--run RUN] [--judgements FILE] [--baseline RUN --fail-if-worse]

Measure a saved run without training. Alone: its held-out scores again, under the conventions asked for with
--evaluation.KEY VALUE. With new judgements (and --queries, and another catalogue, --products): its saved model
on them. New files use the column names that the run's config maps.

With --baseline, another run beside it: paired tests for all queries and by segment. --fail-if-worse ends with
status 1 when the baseline is better beyond noise or a segment falls; --markdown FILE is fit for a pull request.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import yaml
from pydantic import BaseModel

from features.disk import write_whole
from features.errors import InputError
from features.feature_schema import KEYS
from features.media.photos import PhotoChecks
from features.sources.config import JudgementsConfig, ProductsConfig, QueriesConfig
from features.sources.load import CatalogueConfig, Collection, SvmlightConfig, load
from ltr.config import command_line
from ltr.config.command_line import say
from ltr.config.tree import Config, dump_config, lay_over, parse_config
from ltr.data.splits import looks
from ltr.evaluation.baselines import baseline_scores
from ltr.evaluation.gate import judge, same_judgements, to_markdown
from ltr.evaluation.per_query import evaluate
from ltr.evaluation.segments import query_segments
from ltr.evaluation.systems import Measurement, measure
from ltr.pipeline.prepare import load_collection
from ltr.reporting.console import print_collection, print_measurement, print_verdict
from ltr.runs.saved_run import SavedRun, held_out

Table = TypeVar("Table", JudgementsConfig, QueriesConfig, ProductsConfig)


def main(argv: Sequence[str] | None = None) -> Measurement:
    arguments = command_line.parser(__doc__, config=False)
    command_line.add_run(arguments)
    arguments.add_argument("--queries", type=Path, help="new queries")
    arguments.add_argument("--judgements", "--judgments", type=Path, help="grades of products for queries")
    arguments.add_argument("--products", type=Path, help="another catalogue")
    arguments.add_argument("--baseline", type=Path, help="a run to compare with")
    arguments.add_argument(
        "--fail-if-worse", action="store_true", help="status 1 when the baseline is better"
    )
    arguments.add_argument("--markdown", type=Path, help="where to write the comparison")
    given, rest = arguments.parse_known_args(argv)
    run = SavedRun.open(given.run)
    _refuse_without_baseline(given)
    config = _with_conventions(run, command_line.parse_overrides(rest))
    if given.judgements:
        collection = _new_collection(run, given)
        print_collection(collection)
        warn_of_seen(run, collection)
        pairs, scores = score_new(run, collection)
    else:
        _refuse_without_judgements(given)
        collection = load_collection(config)
        pairs, scores = run.held_out()
        say(f"held-out scores of {given.run}")
    measured = measure(pairs, scores, collection.queries, config.evaluation, run.name)
    print_measurement(measured, config.evaluation)
    if given.baseline:
        theirs = _baseline_scores(given, collection)
        _compare(given, config, collection, (pairs, scores[run.name]), theirs)
    return measured


def _compare(
    given: argparse.Namespace,
    config: Config,
    collection: Collection,
    ours: tuple[pl.DataFrame, np.ndarray],
    theirs: tuple[pl.DataFrame, np.ndarray],
) -> None:
    """Tell how the run stands to the baseline; status 1 where it is worse and that was asked."""
    tables = [_held_out_rows(*scored) for scored in (ours, theirs)]
    shared, left_out = same_judgements(*tables)
    values = [
        evaluate(t.filter(pl.col("query_id").is_in(shared.implode())), config.evaluation) for t in tables
    ]
    judged = tables[0].filter(pl.col("query_id").is_in(shared.implode()))
    segments = query_segments(
        collection.queries, judged, collection.products, config.evaluation.relevant_from
    )
    verdict = judge(
        (given.run.name, values[0]), (given.baseline.name, values[1]), segments, config.evaluation, left_out
    )
    print_verdict(verdict)
    if given.markdown:
        write_whole(given.markdown, to_markdown(verdict))
    if given.fail_if_worse and verdict.failures:
        say(f"FAIL: worse than {given.baseline} beyond noise: {', '.join(verdict.failures)}")
        raise SystemExit(1)


def _held_out_rows(pairs: pl.DataFrame, scores: np.ndarray) -> pl.DataFrame:
    return (
        pairs.select(*KEYS, "grade")
        .with_columns(score=pl.Series(scores))
        .filter(pl.col("score").is_not_nan())
    )


def _baseline_scores(given: argparse.Namespace, collection: Collection) -> tuple[pl.DataFrame, np.ndarray]:
    """The baseline's scores of the same judged pairs: its held-out ones, or its model's where files are given."""
    if not given.judgements:
        name, pairs, scores = held_out(given.baseline)
        return pairs, scores[name]
    baseline = SavedRun.open(given.baseline)
    warn_of_seen(baseline, collection)
    pairs, scores = score_new(baseline, collection)
    return pairs, scores[baseline.name]


def score_new(run: SavedRun, collection: Collection) -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
    """Judged pairs of a collection that the run was not trained on; scores of plain baselines and of its model."""
    pairs = collection.judgements.select(*KEYS, "grade").sort(KEYS)
    if collection.given is not None:
        table = pairs.join(collection.given, on=KEYS, how="left", maintain_order="left")
        # svmlight leaves zeros out: a feature that the new file never names is 0 in all of it.
        unnamed = [pl.lit(0.0).alias(name) for name in run.schema.names if name not in table.columns]
        data = run.dataset(table.with_columns(unnamed).select(*pairs.columns, *_in_order(run, table)))
        scores = run.score_dataset(data)
    else:
        builder = run.builder(collection.products)
        data = run.dataset(builder.build(collection.queries, pairs).frame)
        scores = run.score_dataset(data, collection.queries, builder)
    return data.frame, baseline_scores(data) | {run.name: scores}


def _in_order(run: SavedRun, table: pl.DataFrame) -> list[str]:
    """The run's features, then those of the table that it lacks, for the schema check to name."""
    known = {*KEYS, "grade", *run.schema.names}
    return [*run.schema.names, *(name for name in table.columns if name not in known)]


def warn_of_seen(run: SavedRun, collection: Collection) -> None:
    """Say how many of the queries look like ones that the model was trained on."""
    own = run.table("trained_on.parquet").select("words", "photo").unique()
    judged = collection.queries.join(collection.judgements, on="query_id", how="semi")
    some_look = pl.col("words").is_not_null() | pl.col("photo").is_not_null()
    seen = looks(judged).filter(some_look).join(own, on=["words", "photo"], how="semi", nulls_equal=True)
    if seen.height:
        say(
            f"WARNING: {seen.height:,} of {judged.height:,} queries look like ones the model was trained on: "
            "their figures flatter it"
        )


def _with_conventions(run: SavedRun, overrides: Mapping[str, Any]) -> Config:
    """The run's config under other conventions; nothing else may change after training."""
    others = [name for name in overrides if not name.startswith("evaluation.")]
    if others:
        raise InputError(
            where="command line",
            expected="--evaluation.KEY VALUE (all else was settled in training)",
            got=f"--{others[0]}",
            cure="train another run",
        )
    tree = lay_over(yaml.safe_load(dump_config(run.config)), overrides)
    return parse_config(tree, run.config.base, "command line")


def _refuse_without_judgements(given: argparse.Namespace) -> None:
    for name in ("queries", "products"):
        if getattr(given, name):
            raise InputError(
                where="command line",
                expected=f"--judgements beside --{name}",
                got="none",
                cure="name the file of grades",
            )


def _refuse_without_baseline(given: argparse.Namespace) -> None:
    if given.baseline is None and (given.fail_if_worse or given.markdown):
        raise InputError(
            where="command line",
            expected="--baseline beside --fail-if-worse and --markdown",
            got="none",
            cure="name the run to compare with",
        )


def _new_collection(run: SavedRun, given: argparse.Namespace) -> Collection:
    """The new files, read with the run's own column mapping; what is not given stays the run's."""
    config = run.config
    if isinstance(config.data, SvmlightConfig):
        return load(SvmlightConfig(files={"new": given.judgements.absolute()}), config.base)
    mapped = config.data if isinstance(config.data, CatalogueConfig) else _canonical(run)
    changes: dict[str, BaseModel] = {
        "judgements": _moved(mapped.judgements, JudgementsConfig, given.judgements)
    }
    if given.queries:
        changes["queries"] = _moved(mapped.queries, QueriesConfig, given.queries)
    if given.products:
        changes["products"] = _moved(mapped.products, ProductsConfig, given.products)
    products = None if given.products or mapped is config.data else load_collection(config).products
    checks = PhotoChecks(Path(config.cache.folder))
    return load(mapped.model_copy(update=changes), config.base, products, checks)


def _canonical(run: SavedRun) -> CatalogueConfig:
    """For a run on the demo shop: files with canonical column names, and the extra ones the model learnt."""
    extra = [feature for feature in run.schema.features if feature.group == "extra"]
    names = {
        kind: tuple(f.name.removeprefix("extra.") for f in extra if f.kind == kind)
        for kind in ("numeric", "categorical")
    }
    return CatalogueConfig(products=ProductsConfig(path=Path(), **names))


def _moved(mapping: Table | None, kind: type[Table], path: Path) -> Table:
    """The table's mapping, reading another file."""
    moved = {"path": path.absolute()}
    return mapping.model_copy(update=moved) if mapping else kind.model_validate(moved)


if __name__ == "__main__":
    command_line.run(main)
