"""From a config's events to the tables of behaviour features, and one person out of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from features.behaviour import BehaviourConfig, Done, Erased, Places, erase_person, update_behaviour
from features.behaviour.event_store import EVENT_VIEWS
from features.errors import InputError
from features.sources.events import EventRules, Events
from features.sources.events.ubi import LOG_FILES
from features.sources.ledger import Ledger
from features.sources.load import CatalogueConfig, Collection
from features.store import FeatureStore
from ltr.config.tree import Config
from ltr.pipeline.prepare import load_collection


def ingest(config: Config, log: Path | None, until: str | None) -> tuple[Done, Ledger]:
    """What is new in the log (none: of `data.events`) into the store, and the counts of all of it.

    until: an ISO time, for a log of the past; none: now. Raises InputError where there are no events to read.
    """
    collection = _without_events(config) if log else load_collection(config)
    ledger = Ledger(steps=[step for step in collection.steps if step.table == "events"])
    source: Path | Events | None = log or _ubi_of(config) or collection.events
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
    return done, ledger


def erase(config: Config, identity: str, log: Path | None, also: Sequence[Path] = ()) -> Erased:
    """One person out of the logs, the stores and their versions; caches, runs and `also` are searched, too.

    log: besides `data.events` and whatever servers and loops have logged beside the runs.
    """
    collection, runs = _without_events(config), Path(config.runs)
    logs = {path.parent for pattern in LOG_FILES for path in runs.rglob(pattern)} if runs.is_dir() else set()
    searched = [Path(config.cache.folder), runs, *also]
    store, behaviour = FeatureStore(config.store.address, config.store.options), behaviour_of(config)
    carried = any(store.exists(view) for view in EVENT_VIEWS) and store.folder != Path(behaviour.store)
    return erase_person(
        identity,
        collection.products,
        behaviour,
        Places(
            logs=sorted(logs | {path for path in (log, _ubi_of(config)) if path is not None}),
            stores=[store] if carried else [],
            also=[path for path in searched if path.exists()],
        ),
        queries=collection.queries,
        rules=_rules(config),
    )


def behaviour_of(config: Config) -> BehaviourConfig:
    return config.features.behaviour or BehaviourConfig()


def _without_events(config: Config) -> Collection:
    if not isinstance(config.data, CatalogueConfig):
        return load_collection(config)
    other = config.model_copy(update={"data": config.data.model_copy(update={"events": None})})
    other._base = config.base
    return load_collection(other)


def _rules(config: Config) -> EventRules:
    given = config.data.events if isinstance(config.data, CatalogueConfig) else None
    return given.cleaning if given else EventRules()


def _ubi_of(config: Config) -> Path | None:
    """The config's UBI files; None where its events are a plain table."""
    given = config.data.events if isinstance(config.data, CatalogueConfig) else None
    return config.base / given.path if given and given.is_ubi(config.base) else None


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
    return given if given.tzinfo else given.replace(tzinfo=UTC)
