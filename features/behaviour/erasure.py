"""One person erased: from the log's files, from the tables of events and all their versions, from the counts.

And then looked for, in every file of the folders that are named: what is left is said, never passed over.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import polars.selectors as cs

from features.behaviour.event_store import EventStore
from features.behaviour.job import recount
from features.behaviour.settings import BehaviourConfig
from features.behaviour.views import WRITTEN
from features.disk import whole_file
from features.errors import InputError
from features.sources.events.cleaning import EventRules
from features.sources.events.ubi import ubi_files
from features.sources.privacy import Key, load_keys, pseudonyms_of
from features.store import FeatureStore

_SHORT = 6
_IDS = ("client_id", "session_id", "user_id")


@dataclass(frozen=True)
class Places:
    """Where something of a person may be, beside the config's store.

    logs: folders of UBI files. stores: others that events were carried into. also: folders that are searched
    afterwards, such as those of runs and caches.
    """

    logs: Sequence[Path] = ()
    stores: Sequence[FeatureStore] = ()
    also: Sequence[Path] = ()


@dataclass
class Erased:
    """Lines of log files and rows of tables that went; files in which something of the person still is."""

    lines: int = 0
    rows: int = 0
    left: list[Path] = field(default_factory=list)


def erase_person(
    identity: str,
    products: pl.DataFrame,
    config: BehaviourConfig,
    places: Places,
    *,
    queries: pl.DataFrame | None = None,
    rules: EventRules | None = None,
) -> Erased:
    """Erase whoever has this id (as the shop knows it, or the pseudonym), by every key that is kept.

    queries, rules: as `update_behaviour` counted with. Nobody else may be writing the logs' files meanwhile. Sessions
    that the person was seen in go, too.
    """
    kept = [EventStore(one) for one in (FeatureStore(config.store), *places.stores)]
    erased, keys = Erased(), load_keys()
    person = _Person({identity, *pseudonyms_of(identity, keys)}, keys)
    files = sorted({path for log in places.logs for path in ubi_files(log)})
    with ExitStack() as stack:
        for store in kept:
            stack.enter_context(store.locked())
        _check_unwritten(files)
        _learn_sessions(person, kept, files)
        for path in files:
            erased.lines += _without(path, person)
        for store in kept:
            erased.rows += store.forget_people(sorted(person.names))
            if files:
                store.read_anew(files)
        if any(kept[0].store.exists(view) for view in WRITTEN):
            recount(products, config, datetime.now(UTC), queries, rules)
    folders = [one.store.folder for one in kept if one.store.folder is not None]
    folders += [*places.logs, *places.also]
    erased.left = sorted(set(search(folders, person.names)))
    return erased


def _learn_sessions(person: _Person, stores: Sequence[EventStore], files: Sequence[Path]) -> None:
    """Of one place after the other, until no place names a further one."""
    before = -1
    while before < len(person.names):
        before = len(person.names)
        for store in stores:
            person.names |= store.sessions_of(person.names)
        for path in files:
            person.learn_sessions(_lines(path))


def _check_unwritten(files: Sequence[Path]) -> None:
    """Raise InputError for a file that a running server has open: it would go on writing into what is deleted."""
    for path in files:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                got = "one that a running server has open"
                raise InputError(
                    where=path,
                    expected="a file that nobody writes",
                    got=got,
                    cure="stop the server meanwhile",
                ) from error


@dataclass
class _Person:
    """names: the id, its pseudonyms, and those of the sessions it was seen in, raw ones too."""

    names: set[str]
    keys: list[Key]

    def is_in(self, line: str) -> bool:
        ids = _ids(line).values()
        return any(
            one in self.names or not self.names.isdisjoint(pseudonyms_of(one, self.keys)) for one in ids
        )

    def learn_sessions(self, lines: Iterable[str]) -> None:
        for line in lines:
            session = _ids(line).get("session_id")
            if session and session not in self.names and self.is_in(line):
                self.names |= {session, *pseudonyms_of(session, self.keys)}


def search(folders: Iterable[Path], names: Iterable[str]) -> Iterator[Path]:
    """Files under the folders in which any of the names stands: in their bytes, packed, or as a Parquet file's value.

    A name stands as a word of its own; one of few letters (such as 7) only where it is in quotes.
    """
    pattern = re.compile(b"|".join(form for name in names for form in _forms(name)))
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file() and not path.is_symlink() and pattern.search(_content(path)):
                yield path


def _forms(name: str) -> Iterator[bytes]:
    for form in {name, json.dumps(name)[1:-1]}:
        plain = re.escape(form.encode())
        yield b'"' + plain + b'"' if len(name) < _SHORT else rb"(?<!\w)" + plain + rb"(?!\w)"


def _content(path: Path) -> bytes:
    """A file's bytes, unpacked; of Parquet the values, in quotes."""
    raw = path.read_bytes()
    if raw.startswith(b"PAR1"):
        texts = pl.read_parquet(path).select(cs.string() | cs.binary()).cast(pl.String, strict=False)
        return (
            raw + "\n".join(f'"{one}"' for column in texts for one in column.drop_nulls().unique()).encode()
        )
    return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw


def _lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    return (
        (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(errors="surrogateescape").split("\n")
    )


def _ids(line: str) -> dict[str, str]:
    """The ids of people that a line has; none for what is no JSON object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    more = value.get("event_attributes")
    places = {**(more if isinstance(more, dict) else {}), **value}
    return {name: str(places[name]) for name in _IDS if places.get(name) is not None}


def _without(path: Path, person: _Person) -> int:
    """Write a file again without the person's lines; how many those were."""
    lines = _lines(path)
    kept = [line for line in lines if not person.is_in(line)]
    gone = len(lines) - len(kept)
    if gone:
        content = "\n".join(kept).encode(errors="surrogateescape")
        with whole_file(path) as unfinished:
            unfinished.write_bytes(gzip.compress(content) if content and path.suffix == ".gz" else content)
    return gone
