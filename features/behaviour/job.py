"""The job from log to features: read what is new, count, write, forget what is too old.

Killed at any moment and run again, or run twice at once, it ends in the same state: rows are a set, and counts are a
function of it and of the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from features.behaviour.catalogue_changes import note_changes
from features.behaviour.counting import LEVELS, counted, happened
from features.behaviour.event_store import ACTIONS_VIEW, EventStore
from features.behaviour.settings import BehaviourConfig
from features.behaviour.together import together
from features.behaviour.views import COUNTED, TOGETHER, WRITTEN, write_counts
from features.sources.events.cleaning import EventRules, note_unknown
from features.sources.events.event_log import Events
from features.sources.events.logged import Logged
from features.sources.ledger import Ledger
from features.store import FeatureStore

_FORGOTTEN = "events deleted before"


@dataclass(frozen=True)
class Done:
    """Rows read now, events that count, rows of counts by level, changes of the catalogue noted, rows deleted."""

    read: int
    events: Events
    counts: dict[str, int]
    changes: int
    deleted: int


def update_behaviour(
    source: Path | Events,
    products: pl.DataFrame,
    config: BehaviourConfig,
    *,
    moment: datetime | None = None,
    queries: pl.DataFrame | None = None,
    rules: EventRules | None = None,
    ledger: Ledger | None = None,
) -> Done:
    """Bring the tables of events and counts up to a moment (none: now).

    source: UBI files, of which only what was not read before is read; or events at hand. products: product_id, and
    category, brand, price and stock where there are such. queries: of the shop, to name lists by their text.
    """
    now = (moment or datetime.now(UTC)).astimezone(UTC)
    log, ledger = EventStore(FeatureStore(config.store)), ledger or Ledger()
    with log.locked():
        if isinstance(source, Events):
            log.add(Logged.of(source, "table"))
            read = len(source)
        else:
            read = log.read_log(source, ledger)
        events = log.events(now, rules or EventRules(), ledger, queries)
        if not isinstance(source, Events):
            note_unknown(events, products["product_id"], ledger)
        counts = _count(log, events, products, config, now)
        changes = note_changes(log.store, products, now)
        oldest = now - timedelta(days=config.retention_days)
        deleted = log.forget_before(oldest)
        if deleted:
            note = {_FORGOTTEN: oldest.isoformat()}
            log.add(Logged.together([]), note)
    return Done(read, events, counts, changes, deleted)


def recount(
    products: pl.DataFrame,
    config: BehaviourConfig,
    moment: datetime,
    queries: pl.DataFrame | None = None,
    rules: EventRules | None = None,
) -> dict[str, int]:
    """The counts of the events that are there, and no file of any earlier version: after an erasure.

    Counts of midnights whose events are partly deleted (see `retention_days`) stay: nobody can be taken out of them.
    """
    log = EventStore(FeatureStore(config.store))
    events = log.events(moment, rules or EventRules(), Ledger(), queries)
    made = _count(log, events, products, config, moment)
    for view in WRITTEN:
        log.store.purge(view)
    return made


def _count(
    log: EventStore, events: Events, products: pl.DataFrame, config: BehaviourConfig, now: datetime
) -> dict[str, int]:
    forgotten = log.store.metadata(ACTIONS_VIEW).get(_FORGOTTEN)
    kept_before = None
    if forgotten:
        whole = datetime.fromisoformat(forgotten) + timedelta(days=max(config.windows) + 2)
        kept_before = whole.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = happened(events, products, config)
    notes = {"moment": now.isoformat(), "settings": config.model_dump_json(exclude={"store"})}
    made = {}
    for level in LEVELS:
        counts = counted(rows, level, config, now)
        write_counts(log.store, COUNTED[level], counts, notes, kept_before)
        made[level] = counts.height
    pairs = together(events, config, now)
    write_counts(log.store, TOGETHER, pairs, notes, kept_before)
    return made | {"pair": pairs.height}
