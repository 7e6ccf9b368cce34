"""The log of events in the store: a set of rows that readings add to, in any order, each once.

A row's name is a hash of what it says, so that a line read twice, by a job that was killed or by two at once, is one
row. What was read of each file is noted with the last write of a reading, and so never before the rows themselves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from features.sources.events.cleaning import EventRules, clean_events, known_until, with_known_queries
from features.sources.events.event_log import Events
from features.sources.events.logged import Logged
from features.sources.events.ubi import read_logged, ubi_files
from features.sources.ledger import Ledger
from features.sources.privacy import Key
from features.store import FeatureStore, FeatureView

LISTED_VIEW = FeatureView("events_listed", keys=("row_id",), available_at="at")
ACTIONS_VIEW = FeatureView("events_actions", keys=("row_id",))
EVENT_VIEWS = (LISTED_VIEW, ACTIONS_VIEW)
_READ, _HEAD = "read ", 1024
_FIELDS, _NOTHING = "\x1f", "\x00"


@dataclass(frozen=True)
class EventStore:
    """store: where the tables of events lie, and those of their counts."""

    store: FeatureStore

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer of events and counts at a time on this machine; another one waits.

        In an object store nobody can wait: there let one job run at a time.
        """
        folder = self.store.folder
        if folder is None:
            yield
            return
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".events.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read_log(self, place: Path, ledger: Ledger, key: Key | None = None) -> int:
        """Add what UBI files hold beyond what was read of them before; how many rows that were."""
        files = ubi_files(place)
        before = self._read_before(files)
        ends = {path.name: _whole_lines(path, before.get(path.name, 0)) for path in files if _grows(path)}
        logged = read_logged(files, ledger, key, before, ends)
        self.add(
            logged, {_READ + path.name: f"{ends[path.name]}:{_head(path)}" for path in files if _grows(path)}
        )
        return logged.listed.height + logged.actions.height

    def add(self, logged: Logged, notes: Mapping[str, str] | None = None) -> None:
        """Rows that are there already stay as they are; notes: kept with the version."""
        for view, rows in zip(EVENT_VIEWS, (logged.listed, logged.actions), strict=True):
            kept = dict(notes or {}) if view is ACTIONS_VIEW else {}
            new = _named(rows)
            there = self.store.exists(view)
            if there:
                new = new.join(self.store.read(view), on="row_id", how="anti", maintain_order="left")
                noted = self.store.metadata(view)
                kept = {name: note for name, note in kept.items() if noted.get(name) != note}
            if new.height or kept or not there:
                self.store.write(view, new, mode="append", metadata=kept)

    def settled(self, ledger: Ledger) -> Events:
        """All that is kept, as lists and actions, not cleaned yet."""
        tables = (self.store.read(view).unique("row_id", maintain_order=True) for view in EVENT_VIEWS)
        return Logged(*(table.drop("row_id") for table in tables)).settle(ledger)

    def events(
        self, moment: datetime, rules: EventRules, ledger: Ledger, queries: pl.DataFrame | None = None
    ) -> Events:
        """What is kept and could be known at a moment, lists settled and cleaned.

        queries: of the shop, whose ids are found by their text.
        """
        events = known_until(self.settled(ledger), moment, ledger)
        if queries is not None:
            events = with_known_queries(events, queries)
        return clean_events(events, rules, ledger)

    def forget_before(self, moment: datetime) -> int:
        """Delete what could be known before a moment, from earlier versions too; how many rows that were."""
        old = (pl.col("at") < moment, pl.col("available_at") < moment)
        return sum(self.store.forget(view, rows) for view, rows in zip(EVENT_VIEWS, old, strict=True))

    def sessions_of(self, names: Collection[str]) -> set[str]:
        """The sessions in which any of these people or sessions were seen."""
        frames = [self.store.read(view) for view in EVENT_VIEWS if self.store.exists(view)]
        theirs = pl.col("shopper").is_in(list(names)) | pl.col("session").is_in(list(names))
        return {name for frame in frames for name in frame.filter(theirs)["session"].drop_nulls()}

    def forget_people(self, names: Sequence[str]) -> int:
        """Delete all rows of these shoppers and sessions, from earlier versions too."""
        rows = (pl.col("shopper").is_in(names) | pl.col("session").is_in(names)).fill_null(value=False)
        return sum(self.store.forget(view, rows) for view in EVENT_VIEWS if self.store.exists(view))

    def read_anew(self, files: Sequence[Path]) -> None:
        """Files that were changed: the next reading takes them whole, which adds nothing twice."""
        if self.store.exists(ACTIONS_VIEW):
            self.add(Logged.together([]), {_READ + path.name: "0:" for path in files})

    def _read_before(self, files: Sequence[Path]) -> dict[str, int]:
        """Bytes read of each file that still begins as it did, and is no shorter."""
        if not self.store.exists(ACTIONS_VIEW):
            return {}
        notes = self.store.metadata(ACTIONS_VIEW)
        found = {}
        for path in files:
            size, _, head = notes.get(_READ + path.name, "").partition(":")
            if size and _grows(path) and path.stat().st_size >= int(size) and head == _head(path):
                found[path.name] = int(size)
        return found


def _head(path: Path) -> str:
    """Tells one file of a name from another: its first line."""
    with path.open("rb") as file:
        return hashlib.blake2b(file.readline(_HEAD), digest_size=16).hexdigest()


def _whole_lines(path: Path, after: int) -> int:
    """Where the last whole line ends: whoever writes may be in the middle of the next."""
    with path.open("rb") as file:
        file.seek(after)
        return after + file.read().rfind(b"\n") + 1


def _grows(path: Path) -> bool:
    """Packed files are whole, and read whole."""
    return path.suffix != ".gz"


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """With `row_id`, a hash of all that a row says; of rows that say the same in one reading, their number too."""
    content = pl.concat_str(pl.all().cast(pl.String).fill_null(_NOTHING), separator=_FIELDS)
    texts = rows.select(content=content).with_columns(number=pl.int_range(pl.len()).over("content"))
    names = [
        hashlib.blake2b(f"{text}{_FIELDS}{number}".encode(), digest_size=16).hexdigest()
        for text, number in texts.iter_rows()
    ]
    return rows.with_columns(row_id=pl.Series(names, dtype=pl.String))
