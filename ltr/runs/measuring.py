"""A saved run measured without training: its held-out scores again, its model on new files, beside a baseline run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import yaml
from pydantic import BaseModel

from features.build import FeatureBuilder, FeaturesConfig
from features.errors import InputError
from features.feature_schema import KEYS, RETRIEVED
from features.media.photos import PhotoChecks
from features.sources.columns import Inputs, Source
from features.sources.config import JudgementsConfig, Names, ProductsConfig, QueriesConfig
from features.sources.load import CatalogueConfig, Collection, SvmlightConfig, load
from ltr.config.tree import Config, dump_config, lay_over, parse_config
from ltr.data.dataset import Dataset
from ltr.data.splits import looks
from ltr.evaluation.baselines import SINGLE, Baseline, baseline_scores
from ltr.evaluation.gate import Verdict, judge, same_judgements
from ltr.evaluation.per_query import EvaluationConfig, evaluate
from ltr.evaluation.segments import query_segments
from ltr.evaluation.shown import ShownLists, measure_kept, measure_shown
from ltr.evaluation.systems import Measurement, measure
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import SHOWN_VALUES
from ltr.runs.saved_run import SavedRun, held_out, held_out_shown
from ltr.runs.sums import SUMS, read_about

log = logging.getLogger(__name__)

Table = TypeVar("Table", JudgementsConfig, QueriesConfig, ProductsConfig)


@dataclass(frozen=True)
class NewFiles:
    """Files to measure on; what is not given stays the run's. Without judgements, its held-out scores count."""

    judgements: Path | None = None
    queries: Path | None = None
    products: Path | None = None
    without: str | None = None
    """Groups of features, between commas, without which the model is measured too."""


@dataclass(frozen=True)
class Scored:
    """Judged pairs of a collection with each system's scores (n,) of them; name: the model among the systems.

    shown: what is shown of lists as they are served; None of judged lists, or where it is not known.
    """

    name: str
    collection: Collection
    pairs: pl.DataFrame
    scores: Mapping[str, np.ndarray]
    shown: Measurement | None = None

    def measure(self, config: EvaluationConfig) -> Measurement:
        return measure(self.pairs, dict(self.scores), self.collection.queries, config, self.name)

    @property
    def rows(self) -> pl.DataFrame:
        """query_id, product_id, grade and the model's score, where it has one."""
        scored = self.pairs.select(*KEYS, "grade").with_columns(score=pl.Series(self.scores[self.name]))
        return scored.filter(pl.col("score").is_not_nan())


def score_run(run: SavedRun, config: Config, files: NewFiles) -> Scored:
    """The run's held-out scores, or its model's on new judgements; config: the run's, perhaps by other conventions."""
    if files.judgements is None:
        collection = load_collection(config)
        pairs, scores = run.held_out()
        log.info("held-out scores of %s", run.folder)
        return Scored(
            run.name, collection, pairs, scores, _kept_shown(run.folder, run.name, collection, config)
        )
    collection = _new_collection(run, files, files.judgements)
    _warn_of_seen(run, collection)
    without = FeaturesConfig.model_validate({"without": files.without or ()}).without
    return score_new(run, collection, config.evaluation, without)


def score_baseline(folder: Path, ours: Scored, config: Config, files: NewFiles) -> Scored:
    """The baseline's scores of the same judged pairs: its held-out ones, or its model's where files are given."""
    if files.judgements is None:
        name, pairs, scores = held_out(folder)
        shown = _kept_shown(folder, name, ours.collection, config)
        return Scored(name, ours.collection, pairs, scores, shown)
    baseline = SavedRun.open(folder)
    _warn_of_seen(baseline, ours.collection)
    return score_new(baseline, ours.collection, config.evaluation)


def _kept_shown(folder: Path, model: str, collection: Collection, config: Config) -> Measurement | None:
    values = held_out_shown(folder)
    if values is None and SHOWN_VALUES in read_about(folder)[SUMS]:
        log.warning("what %s shows is not compared: its %s is not there", folder, SHOWN_VALUES)
    return None if values is None else measure_kept(values, collection.queries, config.evaluation, model)


def judge_runs(names: tuple[str, str], ours: Scored, theirs: Scored, config: EvaluationConfig) -> Verdict:
    """How the run stands to the baseline, on the queries whose judged lists are the same in both."""
    tables = [ours.rows, theirs.rows]
    shared, left_out = same_judgements(*tables)
    tables = [table.filter(pl.col("query_id").is_in(shared.implode())) for table in tables]
    run, baseline = ((name, evaluate(table, config)) for name, table in zip(names, tables, strict=True))
    shop = ours.collection
    segments = query_segments(shop.queries, tables[0], shop.products, config.relevant_from)
    return judge(run, baseline, segments, config, left_out, _shown_by_both(ours, theirs, shared))


def _shown_by_both(
    ours: Scored, theirs: Scored, shared: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Per-query measures of what each model shows, of those of the shared queries that both know."""
    if ours.shown is None or theirs.shown is None:
        return None
    mine, other = (
        one.shown.per_query.filter(pl.col("query_id").is_in(shared.implode()), system=one.name)
        for one in (ours, theirs)
        if one.shown
    )
    mine, other = mine.join(other, on="query_id", how="semi"), other.join(mine, on="query_id", how="semi")
    return (mine, other) if mine.height else None


def score_new(
    run: SavedRun, collection: Collection, config: EvaluationConfig, without: tuple[str, ...] = ()
) -> Scored:
    """Judged pairs of a collection that the run was not trained on; scores of plain baselines and of its model.

    What is shown is measured too, where its lists are as they are served. without: groups of features; the model is
    also scored as if the shop had nothing for them.
    """
    run.check_groups(without)
    data, builder = judged_data(run, collection)
    wanted = [without, ()] if without else [()]
    named = {
        f"{run.name} without {', '.join(groups)}" if groups else run.name: run.score_dataset(
            data, collection.queries, builder, groups
        )
        for groups in wanted
    }
    # On ready-made features, also the best of them by itself in the run's training.
    chosen = read_about(run.folder).get("single_feature")
    single = Baseline(SINGLE, chosen["feature"], None, chosen["sign"]) if chosen else None
    judged, systems = data.is_judged, baseline_scores(data, single) | named
    shown = None
    if RETRIEVED in data.frame.columns:
        shown = measure_shown(ShownLists.of(data.frame, config), systems, collection.queries, run.name)
    scores = {name: values[judged] for name, values in systems.items()}
    return Scored(run.name, collection, data.judged().frame, scores, shown)


def judged_data(
    run: SavedRun, collection: Collection, query_ids: pl.Series | None = None
) -> tuple[Dataset, FeatureBuilder | None]:
    """The lists of judged queries, these or all, with the run's features, and the builder that made these.

    None of ready-made features.
    """
    judged = collection.judgements
    if query_ids is not None:
        judged = judged.filter(pl.col("query_id").is_in(query_ids.implode()))
    pairs = judged.select(*KEYS, "grade").sort(KEYS)
    if collection.given is None:
        builder = run.builder(collection.products)
        if run.config.lists.kind == "served":
            asked = collection.queries.join(pairs, on="query_id", how="semi")
            pairs = builder.lists(asked, pairs, run.config.lists.candidates)
        return run.dataset(builder.build(collection.queries, pairs).frame), builder
    table = pairs.join(collection.given, on=KEYS, how="left", maintain_order="left")
    # svmlight leaves zeros out: a feature that the new file never names is 0 in all of it.
    unnamed = [pl.lit(0.0).alias(name) for name in run.schema.names if name not in table.columns]
    # Features that the run lacks stand last, for the schema check to name.
    known = {*KEYS, "grade", *run.schema.names}
    others = [name for name in table.columns if name not in known]
    table = table.with_columns(unnamed).select(*pairs.columns, *run.schema.names, *others)
    return run.dataset(table), None


def _warn_of_seen(run: SavedRun, collection: Collection) -> None:
    """Say how many of the queries look like ones that the model was trained on."""
    own = run.table("trained_on.parquet").select("words", "photo").unique()
    judged = collection.queries.join(collection.judgements, on="query_id", how="semi")
    some_look = pl.col("words").is_not_null() | pl.col("photo").is_not_null()
    seen = looks(judged).filter(some_look).join(own, on=["words", "photo"], how="semi", nulls_equal=True)
    if seen.height:
        log.warning(
            "%s of %s queries look like ones the model was trained on: their figures flatter it",
            *(f"{seen.height:,}", f"{judged.height:,}"),
        )


def with_conventions(run: SavedRun, overrides: Mapping[str, Any]) -> Config:
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


def _new_collection(run: SavedRun, files: NewFiles, judgements: Path) -> Collection:
    """The new files, read with the run's own column mapping; what is not given stays the run's."""
    config = run.config
    if isinstance(config.data, SvmlightConfig):
        return load(SvmlightConfig(files={"new": judgements.absolute()}), config.base)
    mapped = config.data if isinstance(config.data, CatalogueConfig) else _canonical(run)
    changes: dict[str, BaseModel] = {"judgements": _moved(mapped.judgements, JudgementsConfig, judgements)}
    if files.queries:
        changes["queries"] = _moved(mapped.queries, QueriesConfig, files.queries)
    if files.products:
        changes["products"] = _moved(mapped.products, ProductsConfig, files.products)
    products = None if files.products or mapped is config.data else load_collection(config).products
    checks = PhotoChecks(Path(config.cache.folder))
    try:
        return load(mapped.model_copy(update=changes), config.base, products, checks)
    except InputError as error:
        if error.where != "data.queries":
            raise
        cure = "name their table with --queries, or give the judgements a column 'query' of texts"
        raise InputError(
            where=judgements,
            expected="judgements of queries known by words or photo",
            got="ids alone",
            cure=cure,
        ) from error


def _canonical(run: SavedRun) -> CatalogueConfig:
    """For a run on the demo shop: files with canonical column names, and the extra ones the model learnt."""
    extra = [feature for feature in run.schema.features if feature.group == "extra"]
    names = {
        kind: tuple(f.name.removeprefix("extra.") for f in extra if f.kind == kind)
        for kind in ("numeric", "categorical")
    }
    return CatalogueConfig(products=ProductsConfig(path=Path(), **names))


def _moved(mapping: Table | None, kind: type[Table], path: Path) -> Table:
    """The table's mapping, reading another file.

    What that file calls by our own name, and not as the mapping says, is read by our name: ltr.judge_next and the
    judging view write such files for every shop.
    """
    if mapping is None:
        return kind.model_validate({"path": path.absolute()})
    moved = mapping.model_copy(update={"path": path.absolute()})
    source = Inputs(Path()).source("new", moved, moved.columns)
    instead = {"query": "query_id"}  # either names the query
    ours = [
        name
        for name, chosen in moved.columns
        if _lacks(source, chosen) and (source.like(name) or source.like(instead.get(name, name)))
    ]
    if not ours:
        return moved
    log.info("%s: read by its own names of columns, not by the run's: %s", path, ", ".join(ours))
    columns = moved.columns.model_copy(update=dict.fromkeys(ours))
    changes: dict[str, Any] = {"columns": columns}
    if isinstance(moved, JudgementsConfig) and moved.grades and "grade" in ours:
        written = source.frame[source.like("grade")[0]]
        if (written.cast(pl.Float64, strict=False).is_null() == written.is_null()).all():
            names = ", ".join(moved.grades)
            log.info("%s: its grades are taken as numbers, not by the names of the run's: %s", path, names)
            changes["grades"] = None
    return moved.model_copy(update=changes)


def _lacks(source: Source, chosen: Names) -> bool:
    """Whether a column that the mapping names is not there."""
    return any(not source.like(column) for column in ([chosen] if isinstance(chosen, str) else chosen or ()))
