"""From a config's `train` section to what training learns from and leans on: other sets read, an earlier run opened."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature_schema import KEYS
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.splits import looks
from ltr.pipeline.events.click_lists import read_clicks
from ltr.pipeline.examination import Examined
from ltr.pipeline.few_queries import few_queries
from ltr.pipeline.prepare import prepare
from ltr.rankers import RANKERS, Ranker
from ltr.runs.saved_run import SavedRun
from ltr.training.anchoring import Transfer, check_base
from ltr.training.transfer import AUTO, AlsoConfig, SourceSet, check_shared

log = logging.getLogger(__name__)


def read_transfer(
    config: Config, examined: Examined, data: Dataset, kinds: Collection[str] = ()
) -> Transfer | None:
    """What the config's `train` section names, fit for these features; None where it names nothing.

    data: the prepared lists. Another set's queries that look like one of this are left out, since one may be tested.
    kinds: of ranker that will train by it beside the config's own. Raises InputError for a config or run that
    cannot be read or has nothing to do with this set, for a base that is no feature, and a kind that cannot weigh.
    """
    wanted, prepared = config.train, examined.prepared
    queries = prepared.collection.queries
    few = few_queries(config, examined)
    base = AUTO if few else wanted.named_base
    if not (wanted.also or wanted.start or base or wanted.clicks.strategy != "none"):
        return None
    clicks = read_clicks(config, prepared, kinds)
    weighing = [kind for kind in RANKERS.names if RANKERS.settings_of(kind).weighs]
    deaf = [kind for kind in (config.ranker.kind, *kinds) if kind not in weighing]
    if wanted.also and deaf:
        raise InputError(
            where="train.also",
            expected=f"a ranker that weighs queries ({', '.join(weighing)})",
            got=deaf[0],
            cure="choose another ranker, or leave train.also out",
        )
    if base:
        check_base(data.schema, base)
    sources = tuple(_source(config, also, data, queries) for also in wanted.also)
    start = _start(wanted.start, data, queries) if wanted.start else None
    return Transfer(sources, start, base, clicks, few)


def learning_inputs(config: Config, transfer: Transfer | None) -> dict[str, Any]:
    """Plain data that is another wherever the `train` section has a ranker learn otherwise; empty where it is idle.

    transfer: what `read_transfer` made of it.
    """
    found: dict[str, Any] = {}
    shares = [(part, share) for part, share in config.train.modality_dropout.items() if share]
    if shares:
        found["modality dropout"] = [shares, config.robustness.seed]
    if transfer:
        sets = zip(config.train.also, transfer.sources, strict=True)
        found["also"] = [_inputs_of_set(_settings_of(config, also), source) for also, source in sets]
        found["base"] = transfer.base
        found["start"] = _content(config.train.start) if config.train.start else None
    if transfer and transfer.clicks:
        found["clicks"] = config.train.clicks.model_dump(mode="json")
    return found


def _inputs_of_set(theirs: Config, source: SourceSet) -> list[Any]:
    pairs = source.data.frame.select(*KEYS, "grade").write_csv().encode()
    settings = theirs.model_dump(mode="json", include={"features", "encoders"})
    gain = theirs.evaluation.model_dump(mode="json", include={"gain"})
    return [
        *(settings, gain, source.data.schema.to_json(), hashlib.sha256(pairs).hexdigest()),
        source.weight,
    ]


def _content(run: Path) -> dict[str, str]:
    """Digests of what a run's score is made by."""
    files = [run / "features.json", *(path for path in sorted((run / "model").rglob("*")) if path.is_file())]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _settings_of(config: Config, also: AlsoConfig) -> Config:
    beside = config.base / also.config
    path = beside if beside.is_file() else also.config
    return read_config(path, {"store.root": config.store.root, "cache.folder": config.cache.folder})


def _source(config: Config, also: AlsoConfig, data: Dataset, queries: pl.DataFrame) -> SourceSet:
    theirs = _settings_of(config, also)
    prepared = prepare(theirs)
    table = prepared.dataset
    unseen = _unlike(looks(prepared.collection.queries), looks(queries))
    source = SourceSet.of(theirs.name, table.take(_drawn(unseen, also)), theirs.evaluation.gain, also.weight)
    check_shared(source, data.schema)
    left_out = prepared.collection.queries.height - len(unseen)
    log.info(
        "learning also from %s: %s queries, weight %g of this set's (%s left out that are asked here too)",
        *(source.name, f"{len(source.data.groups):,}", also.weight, f"{left_out:,}"),
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
    known = queries.height - len(_unlike(looks(queries), run.table("trained_on.parquet")))
    if known:
        log.warning(
            "train.start: %s of these queries trained that run, so it flatters the figures", f"{known:,}"
        )
    return run.model.ranker
