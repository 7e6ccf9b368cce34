"""The feature store: one Delta table per feature view, read as of any time or any version.

A store is a folder, or an address of an object store (`s3://…`, `gs://…`, `az://…`) with its options.
Writes are atomic: a reader sees the version before or the version after, and a writer killed half-way
leaves files that no version names. Old versions stay readable until somebody vacuums the table.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from features import secrets
from features.disk import set_aside
from features.errors import InputError
from features.store.as_of import join_as_of, newest_per_key
from features.store.commits import Record, commit_as, commits_of, content_of, find_version, record_at
from features.store.files import TableFiles, folder_of
from features.store.view import WRITTEN_BY, FeatureView

__all__ = ["FeatureStore", "FeatureView", "WriteMode"]

WriteMode = Literal["append", "upsert", "overwrite"]

# Seconds between attempts to commit: with many writers at once, each round lets at least one through.
_WAITS = [min(0.01 * 2**attempt, 0.5) for attempt in range(40)]
# Delta forgets commits after 30 days; an old run must find the version and fingerprints it was made with.
_KEEP_HISTORY = {"delta.enableExpiredLogCleanup": "false"}


class FeatureStore:
    """Feature views under one root.

    root: a folder (made by the first write) or an object store's address.
    storage_options: passed as they are to deltalake and polars (`AWS_REGION`, `AWS_ENDPOINT_URL`, …).
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = str(root).rstrip("/")
        self._options = dict(storage_options) if storage_options else None
        # What the library says of an address or an option may hold them.
        secrets.remember(secrets.secrets_of(self._root))
        secrets.remember(secrets.secrets_of_options(self._options or {}))

    @property
    def folder(self) -> Path | None:
        """The store's folder; None for an object store."""
        return folder_of(self._root)

    def exists(self, view: FeatureView) -> bool:
        return DeltaTable.is_deltatable(self._address(view), self._options)

    def version(self, view: FeatureView) -> int:
        """The newest version's number; the first write makes version 0."""
        return self._open(view).version()

    def write(
        self,
        view: FeatureView,
        frame: pl.DataFrame,
        mode: WriteMode = "append",
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """Write rows as one new version and return its number; the first write makes the table.

        append: add the rows. upsert: replace the rows with equal keys and `available_at`, add the others.
        overwrite: the frame becomes the whole table, and may have other columns.
        metadata: kept with the version. It tells of the whole table: append and upsert inherit what the
        version before had, overwrite starts anew. The view's fingerprint is under "fingerprint".

        Any number of processes may write at once: a commit that finds another one in its place is made
        again on top of it. Types change as `FeatureView.storable` says: Delta has no Enum.

        Raises InputError for absent columns, null keys or times, repeated keys in the frame, types that
        Delta lacks, and (but for overwrite) other columns or another fingerprint than the table's.
        """
        rows = view.storable(frame)
        try:
            for wait in _WAITS:
                try:
                    return self._commit(view, rows, mode, dict(metadata or {}))
                except CommitFailedError:
                    time.sleep(wait)
            return self._commit(view, rows, mode, dict(metadata or {}))
        except (DeltaError, OSError, pl.exceptions.ComputeError) as error:
            raise InputError(
                where=f"feature store {self._shown(self._root)}",
                expected="a place where tables can be written",
                got=_in_words(error),
                cure="check store.root, your rights to it and the space left",
            ) from None  # the library's own words may hold what an address or an option keeps

    def forget(self, view: FeatureView, rows: pl.Expr) -> int:
        """Remove the rows for which `rows` is true, from the earlier versions too; how many the newest had of them.

        Earlier versions can be read no more. Nobody else may write the view meanwhile: what
        another process has written and not yet committed is removed with the files that no version names.
        """
        there = self.read(view)
        kept = there.remove(rows)
        gone = there.height - kept.height
        if gone:
            kept = kept.unique(
                view.index, keep="last", maintain_order=True
            )  # the later-written is what counts
            self.write(view, kept, mode="overwrite", metadata=self.metadata(view))
        self.purge(view)
        return gone

    def purge(self, view: FeatureView) -> None:
        """Remove every data file that the newest version does not name; see `forget`."""
        live = _names_of(self._open(view))
        files = self._files(view)
        files.remove([name for name in files.names() if name not in live])

    def read(self, view: FeatureView, version: int | datetime | None = None) -> pl.DataFrame:
        """All rows of the newest version, of a given one, or of the one that was newest at a time.

        Rows come in order of writing, version by version; within one write the order is not kept.
        A datetime without a zone is taken as UTC. Raises InputError where there is no such version.
        """
        table = self._open(view, version)
        self._check_whole(view, table)
        return self._scan(view, table).sort(WRITTEN_BY, maintain_order=True).drop(WRITTEN_BY)

    def history(self, view: FeatureView) -> pl.DataFrame:
        """One row a version, newest first: its number, time (UTC), mode, rows written, metadata as JSON."""
        rows = [
            (c.version, c.written_at, c.record.mode, c.record.rows, json.dumps(c.record.metadata))
            if c.record
            else (c.version, c.written_at, "by another tool", None, None)
            for c in commits_of(self._open(view))
        ]
        schema = {
            "version": pl.Int64(),
            "written_at": pl.Datetime("ms", "UTC"),
            "mode": pl.String(),
            "rows": pl.Int64(),
            "metadata": pl.String(),
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def metadata(self, view: FeatureView, version: int | datetime | None = None) -> dict[str, str]:
        """What was written as metadata of the newest or the given version, the fingerprint among it."""
        return dict(record_at(self._open(view, version)).metadata)

    def latest(self, view: FeatureView, frame: pl.DataFrame) -> pl.DataFrame:
        """Append to each row of `frame` (which has the view's keys) the newest value of its key, for serving.

        The newest by `available_at`, be it in the future; for "now" by your clock use `as_of`.
        Order, ties and nulls are those of `as_of`.
        """
        return newest_per_key(frame, self.read(view), keys=view.keys, available_at=view.available_at)

    def as_of(
        self,
        frame: pl.DataFrame,
        views: Sequence[FeatureView],
        at: str = "at",
        max_age: timedelta | None = None,
        versions: Mapping[str, int] | None = None,
    ) -> pl.DataFrame:
        """Append to each row of `frame` each view's newest value available at the row's time, never later.

        frame: n rows with every view's keys and the Datetime column `at`. Returns the n rows in the same
        order, each view's features behind, under their own names: a name that comes twice is an error.
        The rules for ties, nulls, static views and `max_age` are those of `features.as_of.join_as_of`; of
        two values available at the same time the later-written one counts.
        versions: by view name, to make an old run's frame again; other views are read at their newest.
        """
        pinned = dict(versions or {})
        unknown = pinned.keys() - {view.name for view in views}
        if unknown:
            raise InputError(
                where="versions",
                expected="names of the views that are joined",
                got=", ".join(map(repr, sorted(unknown))),
                cure="correct the name, or join that view too",
            )
        for view in views:
            frame = join_as_of(
                frame,
                self.read(view, pinned.get(view.name)),
                keys=view.keys,
                available_at=view.available_at,
                at=at,
                max_age=max_age,
            )
        return frame

    def _address(self, view: FeatureView) -> str:
        return f"{self._root}/{view.name}"

    def _open(self, view: FeatureView, version: int | datetime | None = None) -> DeltaTable:
        with self._library_errors(view):
            try:
                table = DeltaTable(self._address(view), storage_options=self._options)
            except TableNotFoundError as error:
                raise InputError(
                    where=f"feature store {self._shown(self._root)}",
                    expected=f"a view {view.name!r}",
                    got="none of that name",
                    cure="write it first, or correct the store's root",
                ) from error
            if version is not None:
                table.load_as_version(find_version(table, version))
            return table

    @contextmanager
    def _library_errors(self, view: FeatureView) -> Iterator[None]:
        """Raise as InputError what the libraries raise of a table that is damaged."""
        try:
            yield
        except (InputError, CommitFailedError, KeyboardInterrupt):
            raise
        except BaseException as error:
            # Rust's panics are no Exceptions.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise self._damaged(view, _in_words(error)) from None

    def _check_whole(self, view: FeatureView, table: DeltaTable) -> None:
        """Raise InputError for another view's table, and for one that is not, byte by byte, as it was written.

        Files that other tools wrote (compaction) have no sums.
        """
        with self._library_errors(view):
            commits = [commit for commit in commits_of(table) if commit.version <= table.version()]
            files, schema = _names_of(table), table.schema().to_json()
        newest = next(commit.record for commit in commits if commit.record)
        _check_same_view(view, newest)
        if commits[0].record and content_of(files, schema) != newest.content:
            raise self._damaged(view, "its log names other files or columns")
        sums = {name: written for c in commits if c.record for name, written in c.record.files.items()}
        live = {name: sums[name] for name in files if name in sums}
        if name := self._files(view).damaged(live):
            raise self._damaged(view, name)

    def _scan(self, view: FeatureView, table: DeltaTable) -> pl.DataFrame:
        with self._library_errors(view):
            # Not pl.read_delta: it finds no file under a folder with a blank or an umlaut in its name.
            return pl.DataFrame(table.scan())

    def _files(self, view: FeatureView) -> TableFiles:
        return TableFiles(self._address(view), self._options)

    def _damaged(self, view: FeatureView, got: str) -> InputError:
        return InputError(
            where=self._shown(self._address(view)),
            expected="a whole Delta table",
            got=f"one with a missing or damaged file ({got})",
            cure="restore it, or remove it and build the features again",
        )

    @staticmethod
    def _shown(address: str) -> str:
        return secrets.scrub(address)

    def _commit(
        self, view: FeatureView, rows: pl.DataFrame, mode: WriteMode, metadata: dict[str, str]
    ) -> int:
        """One attempt to write the next version; CommitFailedError if another process came first."""
        if view.fingerprint is not None:
            metadata = metadata | {"fingerprint": view.fingerprint}
        table = self._to_write(view, mode)
        if table is None:
            return self._create(view, rows, mode, metadata)
        if mode != "overwrite":
            before = record_at(table)
            _check_same_view(view, before)
            stored = pl.scan_delta(table).drop(WRITTEN_BY).collect_schema()
            view.check_schema(rows, stored)
            rows, metadata = rows.select(stored.names()), before.metadata | metadata
        kept = pl.DataFrame()
        if mode == "upsert":
            self._check_whole(view, table)
            kept = self._scan(view, table).join(rows, on=view.index, how="anti", maintain_order="left")
        draft = _prepare(view, rows, table.version() + 1, mode, metadata)
        added, draft = self._write_files(
            view, pl.concat([kept, _numbered(rows, draft)], how="diagonal"), draft
        )
        whole = mode != "append"
        schema = table.schema() if mode != "overwrite" else _schema_of(rows)
        names = [action.path for action in added]
        names += [] if whole else _names_of(table)
        commit = commit_as(replace(draft, content=content_of(names, schema.to_json())))
        with self._unnamed_removed(view, draft):
            table.create_write_transaction(
                [*added], "overwrite" if whole else "append", schema, commit_properties=commit
            )
        return draft.version

    def _to_write(self, view: FeatureView, mode: WriteMode) -> DeltaTable | None:
        """The table as it stands, None where there is none yet.

        One that could not be read afterwards (damaged, of another version or tool) is set aside by an overwrite.
        """
        if not self.exists(view):
            return None
        try:
            table = self._open(view)
            if mode == "overwrite":
                with self._library_errors(view):
                    commits_of(table)
        except InputError as error:
            folder = self._files(view).folder
            if mode != "overwrite" or folder is None:
                raise
            set_aside(folder)
            warnings.warn(
                f"feature store: {error.where} is {error.got}; it is set aside and made anew", stacklevel=2
            )
            return None
        return table

    def _create(
        self, view: FeatureView, rows: pl.DataFrame, mode: WriteMode, metadata: dict[str, str]
    ) -> int:
        draft = _prepare(view, rows, 0, mode, metadata)
        added, draft = self._write_files(view, _numbered(rows, draft), draft)
        schema = _schema_of(rows)
        content = content_of([action.path for action in added], schema.to_json())
        with self._unnamed_removed(view, draft):
            try:
                create_table_with_add_actions(
                    self._address(view),
                    schema,
                    added,
                    mode="error",
                    configuration=_KEEP_HISTORY,
                    storage_options=self._options,
                    commit_properties=commit_as(replace(draft, content=content)),
                )
            except DeltaError as error:
                if self.exists(view):  # another process made it since we looked
                    raise CommitFailedError(str(error)) from error
                raise
        return 0

    def _write_files(
        self, view: FeatureView, rows: pl.DataFrame, draft: Record
    ) -> tuple[list[AddAction], Record]:
        added, sums = self._files(view).write(rows)
        return added, replace(draft, files=sums)

    @contextmanager
    def _unnamed_removed(self, view: FeatureView, draft: Record) -> Iterator[None]:
        """Remove the files of a commit that fails."""
        try:
            yield
        except BaseException:
            with suppress(OSError, DeltaError):
                self._files(view).remove([*draft.files])
            raise


def _prepare(
    view: FeatureView, rows: pl.DataFrame, version: int, mode: str, metadata: dict[str, str]
) -> Record:
    """The record of a commit that can only become that version, before its files are written.

    Retries are therefore made here and not by deltalake, which would keep the old number in the rows.
    """
    now = int(time.time() * 1000)
    return Record(version, mode, rows.height, list(view.keys), view.available_at, metadata, now, {}, "")


def _numbered(rows: pl.DataFrame, draft: Record) -> pl.DataFrame:
    """Rows that carry their version's number."""
    return rows.with_columns(pl.lit(draft.version, pl.Int64).alias(WRITTEN_BY))


def _names_of(table: DeltaTable) -> list[str]:
    """The data files that the table has at its version."""
    return [str(name) for name in table.get_add_actions()["path"].to_pylist()]


def _schema_of(rows: pl.DataFrame) -> Schema:
    return Schema.from_arrow(
        rows.clear().with_columns(pl.lit(0, pl.Int64).alias(WRITTEN_BY)).to_arrow().schema
    )


def _in_words(error: BaseException) -> str:
    """The first line of a library's words, without secrets."""
    if isinstance(error, OSError) and error.strerror:
        return f"Could not create {error.filename} ({error.strerror})"
    said = " ".join(str(error).partition("\n")[0].split()) or type(error).__name__
    return secrets.scrub(said)


def _check_same_view(view: FeatureView, record: Record) -> None:
    """The table was written with the view's keys and clock and, if the view names one, its fingerprint."""
    made_by = record.metadata.get("fingerprint")
    ours = (view.keys, view.available_at, view.fingerprint)
    theirs = (tuple(record.keys), record.available_at, made_by if view.fingerprint else None)
    if ours != theirs:
        raise InputError(
            where=f"feature view {view.name!r}",
            expected="keys {}, available_at {!r}, fingerprint {!r}, as the table has".format(*theirs),
            got="{}, {!r}, {!r}".format(*ours),
            cure="declare the view as it was written, or overwrite it, or choose another name",
        )
