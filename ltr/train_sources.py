"""From a config's `train` section to what training learns from and leans on: other sets read, an earlier run opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from features.errors import InputError
from features.readers import read_table
from ltr.anchoring import AnchoredRanker, Transfer
from ltr.command_line import say
from ltr.config import Config, read_config
from ltr.dataset import Dataset
from ltr.feature_table import prepare
from ltr.rankers import Ranker
from ltr.saved_run import SavedRun
from ltr.splits import looks
from ltr.transfer import AlsoConfig, SourceSet, check_shared

WEIGHING = ("lightgbm", "xgboost", "blend")  # kinds of ranker that know weights of queries


def read_transfer(config: Config, data: Dataset, queries: pl.DataFrame) -> Transfer | None:
    """What the config's `train` section names, fit for these features; None where it names nothing.

    queries: all of this set; another set's that look like one of them are left out, since one may be tested.
    Raises InputError for a config or run that cannot be read, and for one that has nothing to do with this set.
    """
    wanted = config.train
    if not wanted.used:
        return None
    if wanted.also and config.ranker.kind not in WEIGHING:
        raise InputError(
            where="train.also",
            expected=f"a ranker that weighs queries ({', '.join(WEIGHING)})",
            got=config.ranker.kind,
            cure="choose another ranker, or leave train.also out",
        )
    sources = tuple(_source(config, also, data, queries) for also in wanted.also)
    start = _start(wanted.start, data, queries) if wanted.start else None
    return Transfer(sources, start, wanted.base)


def describe(ranker: Ranker) -> str:
    """What a fitted ranker leans on, in words; nothing for one that leans on nothing."""
    if not isinstance(ranker, AnchoredRanker):
        return ""
    names = ["the ranker", *filter(None, [ranker.base]), *(["the run"] if ranker.start else [])]
    return ", ".join(f"{name} {share:.0%}" for name, share in zip(names, ranker.shares, strict=True))


def _source(config: Config, also: AlsoConfig, data: Dataset, queries: pl.DataFrame) -> SourceSet:
    beside = config.base / also.config
    path = beside if beside.is_file() else also.config
    places = {"store.root": config.store.root, "cache.folder": config.cache.folder}
    theirs = read_config(path, places)
    prepared = prepare(theirs)
    table = Dataset.from_frame(prepared.table.frame, prepared.schema)
    unseen = _unlike(looks(prepared.collection.queries), looks(queries))
    source = SourceSet.of(theirs.name, table.take(_drawn(unseen, also)), theirs.evaluation.gain, also.weight)
    check_shared(source, data.schema)
    left_out = prepared.collection.queries.height - len(unseen)
    say(
        f"learning also from {source.name}: {len(source.data.groups):,} queries, weight {also.weight:g} of this set's"
        f" ({left_out:,} left out that are asked here too)"
    )
    return source


def _unlike(found: pl.DataFrame, seen: pl.DataFrame) -> list[str]:
    """Ids of the queries found that share neither words nor photo with one seen, both as `looks` gives them."""
    known = [pl.col(name).is_in(seen[name].drop_nulls().unique().implode()) for name in ("words", "photo")]
    return found.filter(~pl.any_horizontal(*(one.fill_null(value=False) for one in known)))[
        "query_id"
    ].to_list()


def _drawn(query_ids: list[str], also: AlsoConfig) -> list[str]:
    if also.queries is None or also.queries >= len(query_ids):
        return query_ids
    return np.random.default_rng(0).choice(sorted(query_ids), also.queries, replace=False).tolist()


def _start(folder: Path, data: Dataset, queries: pl.DataFrame) -> Ranker:
    run = SavedRun.open(folder)
    if run.config.embeddings is not None or not set(run.schema.features) & set(data.schema.features):
        raise InputError(
            where=f"train.start, {folder}",
            expected="a run with features of this table",
            got="one that takes embeddings as features"
            if run.config.embeddings
            else "none that are the same",
            cure="name another run, or train that one on the same features",
        )
    known = queries.height - len(_unlike(looks(queries), read_table(folder / "trained_on.parquet")))
    if known:
        say(f"WARN  train.start: {known:,} of these queries trained that run, so it flatters the figures")
    return run.model.ranker
