"""The shown lists of a set's events as what training learns from, with the features of every product shown."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

import polars as pl

from features.errors import InputError
from features.feature_schema import KEYS
from features.sources.events import Events
from features.sources.load import CatalogueConfig
from ltr.clicks.lists import ShownLists
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.pipeline.prepare import Prepared
from ltr.rankers import parse_settings
from ltr.training.click_log import ClickLog
from ltr.training.click_strategies import settings_for

log = logging.getLogger(__name__)


def read_clicks(config: Config, prepared: Prepared, kinds: Collection[str] = ()) -> ClickLog | None:
    """The lists of judged queries, and features of their products; None where `train.clicks` is none.

    kinds: of ranker that will train by it beside the config's own. Raises InputError without events, for a ranker that
    cannot learn by the strategy, and beside embeddings.
    """
    wanted = config.train.clicks
    if wanted.strategy == "none":
        return None
    check_clicks(config)
    events, products = prepared.collection.events, prepared.collection.products
    if events is None:
        raise _no_events()
    if wanted.strategy != "automatic":
        for ranker in (config.ranker, *(parse_settings({"kind": kind}) for kind in kinds)):
            settings_for(wanted.strategy, ranker)
    judged = prepared.table.frame.select("query_id").unique()
    asked = events.shown.join(judged, on="query_id", how="semi")
    known = asked.join(products.select("product_id"), on="product_id", how="semi")
    lists = ShownLists.of(Events(known, events.actions), wanted.places, timedelta(days=wanted.window_days))
    log.info(
        "learning from %s shown lists of %s judged queries; left out %s rows of other queries, %s of unknown products",
        *(f"{len(lists):,}", f"{known['query_id'].n_unique():,}"),
        *(f"{events.shown.height - asked.height:,}", f"{asked.height - known.height:,}"),
    )
    for reason, count in lists.left_out.items():
        if count:
            log.info("  left out: %s %s", f"{count:,}", reason)
    return ClickLog(lists, _with_shown(prepared, lists.pairs), _by_clicks(prepared), wanted)


def check_clicks(config: Config) -> None:
    """Raise InputError for settings by which no click can train, before anything is read."""
    if config.train.clicks.strategy == "none":
        return
    if isinstance(config.data, CatalogueConfig) and config.data.events is None:
        raise _no_events()
    if config.embeddings is not None:
        cure = "leave `embeddings` out, or set train.clicks.strategy: none"
        raise _bad("features alone", "embeddings beside them", cure)


def _no_events() -> InputError:
    cure = "name the events there, or set train.clicks.strategy: none"
    return _bad("data.events", "a config without", cure)


def _by_clicks(prepared: Prepared) -> pl.DataFrame:
    """Pairs whose judgement was made of clicks, as `ltr.label_clicks` says."""
    judged = prepared.collection.judgements
    if "source" not in judged.columns:
        return judged.select(KEYS).clear()
    return judged.filter(pl.col("source") == "clicks").select(KEYS)


def _with_shown(prepared: Prepared, shown: pl.DataFrame) -> Dataset:
    """The table's pairs and those shown; features are made of the queries of which it lacks some."""
    table = prepared.table.frame
    lacking = shown.join(table, on=KEYS, how="anti")
    if not lacking.height:
        return prepared.dataset
    if prepared.collection.given is not None:
        raise _bad(
            "features of every product shown",
            f"none of {lacking.height:,} pairs",
            "give their lines in the svmlight files, too",
        )
    log.info("making features of %s shown products that are in no list …", f"{lacking.height:,}")
    queries = lacking.select("query_id").unique()
    lists = table.join(queries, on="query_id", how="semi").select(KEYS)
    pairs = pl.concat([lists, lacking.select(KEYS)]).sort(KEYS)
    made = prepared.builder.build(prepared.collection.queries, pairs).frame
    columns = [*KEYS, *prepared.schema.names]
    rest = table.join(queries, on="query_id", how="anti").select(columns)
    return Dataset.from_frame(pl.concat([rest, made.select(columns)]), prepared.schema)


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="train.clicks.strategy", expected=expected, got=got, cure=cure)
