"""The log of a feature table: what the store notes in each commit, and which version a request means.

A record holds the sums of the files that its commit added, what files and columns the table has from then on,
and its own sum: so a bit that turns in a data file or in the log itself is found by the next reader.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import xxhash
from deltalake import CommitProperties, DeltaTable

from features.errors import InputError
from features.secrets import masked_address

_RECORD = "feature_view"


@dataclass(frozen=True)
class Record:
    """What the store notes in the commit of each version it writes.

    written_at: milliseconds since 1970, by the writer's clock. files: the sum of each file added. content: digest
    of the names of all files and of the columns from this version on. sum: of the record itself.
    """

    version: int
    mode: str
    rows: int
    keys: list[str]
    available_at: str | None
    metadata: dict[str, str]
    written_at: int
    files: dict[str, str]
    content: str
    sum: str = ""

    def sealed(self, sum_of: Callable[[bytes], str] | None = None) -> Record:
        plain = {name: value for name, value in asdict(self).items() if name != "sum"}
        return replace(self, sum=(sum_of or digest)(json.dumps(plain, sort_keys=True).encode()))


def digest(data: bytes) -> str:
    """128 bits of XXH3, against damage, not against forgers: 150 MB take a fiftieth of a second."""
    return xxhash.xxh3_128_hexdigest(data)


def _digest_before(data: bytes) -> str:
    """The digest of earlier versions."""
    return hashlib.sha256(data).hexdigest()[:32]


def content_of(files: list[str], schema: str) -> str:
    """files: names of all that the table has; schema: its columns as JSON."""
    return digest(json.dumps([sorted(files), json.loads(schema)], sort_keys=True).encode())


def commit_as(record: Record) -> CommitProperties:
    """A commit that carries the record, and fails (CommitFailedError) rather than take another version."""
    return CommitProperties(custom_metadata={_RECORD: asdict(record.sealed())}, max_commit_retries=0)


@dataclass(frozen=True)
class Commit:
    """A version, when it was written, and the store's record of it (None: another tool's commit)."""

    version: int
    written_at: datetime
    record: Record | None


def commits_of(table: DeltaTable) -> list[Commit]:
    """The commits of a table, newest first; InputError where another tool or version wrote it, or a record is damaged.

    Their times never fall: versions come in order, though a clock may have been set back between two.
    """
    history = table.history()
    records = [_read(table, commit.get(_RECORD)) for commit in history]
    # deltalake numbers this list from the version the table was loaded at, though later commits are in it
    # too: where our own records stand is known for sure.
    newest = next((i + record.version for i, record in enumerate(records) if record), None)
    if newest is None:
        raise InputError(
            where=masked_address(table.table_uri),
            expected="a table that a feature store wrote",
            got="a Delta table of another tool",
            cure="give the view another name, or the store another root",
        )
    times = [
        record.written_at if record else commit["timestamp"]
        for commit, record in zip(history, records, strict=True)
    ]
    rising = [*itertools.accumulate(reversed(times), max)][::-1]
    moments = (datetime.fromtimestamp(time / 1000, UTC) for time in rising)
    return [
        Commit(newest - i, moment, record)
        for i, (moment, record) in enumerate(zip(moments, records, strict=True))
    ]


def _read(table: DeltaTable, raw: Mapping[str, Any] | None) -> Record | None:
    if raw is None:
        return None
    known, noted = {field.name for field in fields(Record)}, set(raw)
    if noted < known or noted > known:
        raise _of_version(table, "an older" if noted < known else "a newer")
    try:
        record = Record(**raw)
    except TypeError:
        record = None
    if record is not None and record.sum == record.sealed(_digest_before).sum:
        raise _of_version(table, "an older")
    if record is None or record.sealed().sum != record.sum:
        raise InputError(
            where=masked_address(table.table_uri),
            expected="a whole Delta table",
            got="one with a missing or damaged file (a commit of its log is not as it was written)",
            cure="restore it, or remove it and build the features again",
        )
    return record


def _of_version(table: DeltaTable, age: str) -> InputError:
    return InputError(
        where=masked_address(table.table_uri),
        expected="a table written by this version of the toolkit",
        got=f"one written by {age} version",
        cure="write it anew: ltr.build_features --rebuild, which sets it aside",
    )


def record_at(table: DeltaTable) -> Record:
    """The record that holds at the table's version: other tools' commits (compaction) leave it as it was."""
    return next(c.record for c in commits_of(table) if c.record and c.version <= table.version())


def find_version(table: DeltaTable, wanted: int | datetime) -> int:
    commits = commits_of(table)
    if isinstance(wanted, datetime):
        moment = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        found = [commit.version for commit in commits if commit.written_at <= moment]
    else:
        found = [commit.version for commit in commits if commit.version == wanted]
    if not found:
        first = commits[-1]
        raise InputError(
            where=masked_address(table.table_uri),
            expected=f"a version from {first.version} (written at {first.written_at}) to {commits[0].version}",
            got=str(wanted),
            cure="choose one that history() lists",
        )
    return found[0]
