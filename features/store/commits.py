"""The log of a feature table: what the store notes in each commit, and which version a request means."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from deltalake import CommitProperties, DeltaTable

from features.errors import InputError

_RECORD = "feature_view"


@dataclass(frozen=True)
class Record:
    """What the store notes in the commit of each version it writes."""

    version: int
    mode: str
    rows: int
    keys: list[str]
    available_at: str | None
    metadata: dict[str, str]


def commit_as(record: Record) -> CommitProperties:
    """A commit that carries the record, and fails (CommitFailedError) rather than take another version."""
    return CommitProperties(custom_metadata={_RECORD: asdict(record)}, max_commit_retries=0)


def commits_of(table: DeltaTable) -> list[tuple[int, datetime, Record | None]]:
    """Version, time and record (None: another tool's commit) of each commit of a table, newest first."""
    history = table.history()
    records = [Record(**raw) if (raw := commit.get(_RECORD)) else None for commit in history]
    # deltalake numbers this list from the version the table was loaded at, though later commits are in it
    # too: where our own records stand is known for sure.
    newest = next((i + record.version for i, record in enumerate(records) if record), None)
    if newest is None:
        raise InputError(
            where=table.table_uri,
            expected="a table that a feature store wrote",
            got="a Delta table of another tool",
            cure="give the view another name, or the store another root",
        )
    times = (datetime.fromtimestamp(commit["timestamp"] / 1000, UTC) for commit in history)
    return [
        (newest - i, moment, record) for i, (moment, record) in enumerate(zip(times, records, strict=True))
    ]


def record_at(table: DeltaTable) -> Record:
    """The record that holds at the table's version: other tools' commits (compaction) leave it as it was."""
    return next(r for version, _, r in commits_of(table) if r is not None and version <= table.version())


def find_version(table: DeltaTable, wanted: int | datetime) -> int:
    commits = commits_of(table)
    if isinstance(wanted, datetime):
        moment = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        found = [version for version, written_at, _ in commits if written_at <= moment]
    else:
        found = [version for version, _, _ in commits if version == wanted]
    if not found:
        first = commits[-1]
        raise InputError(
            where=table.table_uri,
            expected=f"a version from {first[0]} (written at {first[1]}) to {commits[0][0]}",
            got=str(wanted),
            cure="choose one that history() lists",
        )
    return found[0]
