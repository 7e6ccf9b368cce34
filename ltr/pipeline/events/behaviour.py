"""From a config's events to the tables of behaviour features, and one person out of all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from features.behaviour import BehaviourConfig, Done, Erased, Places, erase_person, update_behaviour
from features.behaviour.event_store import EVENT_VIEWS
from features.errors import InputError
from features.sources.columns import Inputs
from features.sources.config import EventsConfig
from features.sources.events import EventRules, Events
from features.sources.events.tables import read_people
from features.sources.events.ubi import LOG_FILES
from features.sources.ledger import Ledger
from features.sources.load import CatalogueConfig, Collection
from features.sources.privacy import load_keys, pseudonyms_of
from features.store import FeatureStore
from ltr.config.tree import Config
from ltr.data.checks.reading import mostly_lost
from ltr.pipeline.prepare import load_collection

_FIRST = datetime(1990, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


def ingest(config: Config, log: Path | None, until: str | None) -> tuple[Done, Ledger]:
    """What is new in the log (none: of `data.events`) into the store, and the counts of all of it.

    until: an ISO time, for a log of the past; none: now. Raises InputError where there are no events to read.
    """
    files = log or _ubi_of(config)
    collection = _without_events(config) if files else load_collection(config)
    ledger = events_ledger(collection)
    source: Path | Events | None = files or collection.events
    if source is None:
        raise InputError(
            where="data.events",
            expected="events, or --log FOLDER",
            got="neither",
            cure="name the folder of ubi_queries.ndjson and ubi_events.ndjson",
        )
    done = update_behaviour(
        source,
        collection.products,
        behaviour_of(config),
        moment=_moment(until),
        queries=collection.queries,
        rules=_rules(config),
        ledger=ledger,
    )
    warn_of_lost(ledger)
    return done, ledger


def events_ledger(collection: Collection) -> Ledger:
    """What was done with the events when the collection was loaded."""
    return Ledger(steps=[step for step in collection.steps if step.table == "events"])


def warn_of_lost(ledger: Ledger) -> None:
    """Say what leaves out, or concerns, more than half of the events."""
    for loss in mostly_lost(ledger.steps):
        log.warning("events: %s; what is made of the others may stand for something else", loss)


def erase(config: Config, identity: str, log: Path | None, also: Sequence[Path] = ()) -> Erased:
    """One person out of the logs, the stores and their versions; caches, runs and `also` are searched, too.

    log: besides `data.events` and whatever servers and loops have logged beside the runs. Where `data.events` is a
    plain table, it is the shop's own: not changed, but `left` where the person is in it.
    """
    table, runs = _table_of(config), Path(config.runs)
    collection = _without_events(config)
    logs = {path.parent for pattern in LOG_FILES for path in runs.rglob(pattern)} if runs.is_dir() else set()
    searched = [Path(config.cache.folder), runs, *also]
    store, behaviour = FeatureStore(config.store.address, config.store.options), behaviour_of(config)
    carried = any(store.exists(view) for view in EVENT_VIEWS) and store.folder != Path(behaviour.store)
    erased = erase_person(
        identity,
        collection.products,
        behaviour,
        Places(
            logs=sorted(logs | {path for path in (log, _ubi_of(config)) if path is not None}),
            stores=[store] if carried else [],
            also=[path for path in (*searched, table) if path is not None and path.exists()],
        ),
        queries=collection.queries,
        rules=_rules(config),
    )
    # In the bytes of a table a short id is not told from other numbers, nor a raw id by its pseudonym: read, it is.
    if table and table not in erased.left and _in_table(config, identity):
        erased.left.append(table)
    return erased


def _in_table(config: Config, identity: str) -> bool:
    """Whether any row of the plain table is the person's, also of those that cleaning would leave out."""
    given, keys = _events_of(config), load_keys()
    if given is None:
        return False
    names = {identity, *pseudonyms_of(identity, keys)}
    people = read_people(Inputs(config.base).source("events", given, given.columns), "shopper")
    written = [] if people is None else people.drop_nulls().unique().to_list()
    return any(one in names or not names.isdisjoint(pseudonyms_of(one, keys)) for one in written)


def behaviour_of(config: Config) -> BehaviourConfig:
    return config.features.behaviour or BehaviourConfig()


def _without_events(config: Config) -> Collection:
    if not isinstance(config.data, CatalogueConfig):
        return load_collection(config)
    other = config.model_copy(update={"data": config.data.model_copy(update={"events": None})})
    other._base = config.base
    return load_collection(other)


def _rules(config: Config) -> EventRules:
    given = _events_of(config)
    return given.cleaning if given else EventRules()


def _ubi_of(config: Config) -> Path | None:
    """The config's UBI files; None where its events are a plain table."""
    given = _events_of(config)
    return config.base / given.path if given and given.is_ubi(config.base) else None


def _table_of(config: Config) -> Path | None:
    """The config's plain table of events; None where they are UBI files."""
    given = _events_of(config)
    return None if given is None or given.is_ubi(config.base) else config.base / given.path


def _events_of(config: Config) -> EventsConfig | None:
    return config.data.events if isinstance(config.data, CatalogueConfig) else None


def _moment(until: str | None) -> datetime:
    if until is None:
        return datetime.now(UTC)
    try:
        given = datetime.fromisoformat(until)
    except ValueError as error:
        raise InputError(
            where="command line, --until",
            expected="an ISO time such as 2026-03-01T12:00",
            got=repr(until),
            cure="write it so (UTC, unless it names a zone)",
        ) from error
    moment, now = given if given.tzinfo else given.replace(tzinfo=UTC), datetime.now(UTC)
    if not _FIRST < moment <= now:
        raise InputError(
            where="command line, --until",
            expected=f"a time from {_FIRST.year} until now ({now:%Y-%m-%dT%H:%M} UTC)",
            got=repr(until),
            cure="mend it: what is too old at a time to come would be deleted now",
        )
    return moment
