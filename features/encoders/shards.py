"""Vectors on disk: a folder of shards that are written once, whole, and never changed.

A shard is a .npy file of (key, vector) records, named by the hash of its own bytes. So a shard cut short
or damaged is recognised, two processes cannot clash, and there is no index to fall out of step.

Many small shards are joined into larger ones. At every moment each vector stands in some whole shard: a
joined shard is there before those it was made of are removed, and who misses a shard looks again.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import polars as pl

from features.disk import sweep, whole_file

log = logging.getLogger(__name__)

KEY = ["high", "low"]  # the two halves of a 128-bit content hash
_FULL = 1024  # rows; a shard of fewer is small
_MOST_SMALL = 64  # more small shards than that are joined
_JOINED = 4096  # rows of a joined shard, about: what is held in memory at once


class ShardFolder:
    """The shards of one encoder and modality. Keys are held in memory, vectors are read when asked for."""

    def __init__(self, folder: Path, precision: str) -> None:
        self._folder = folder
        self._precision = precision
        self._names: dict[int, str] = {}  # by the number that the index gives them
        self._numbers = itertools.count()
        self._index = _index_of(np.empty((0, 2), dtype=np.uint64), 0)

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Which of the (u, 2) keys are stored, as positions (f,), and their (f, d) float32 vectors.

        The vectors are None where nothing is found.
        """
        wanted = pl.DataFrame(keys, schema=KEY, orient="row").with_row_index("position")
        while True:
            self._refresh()
            hits = wanted.join(self._index, on=KEY, how="inner").unique("position").sort("position")
            if hits.is_empty():
                return np.empty(0, dtype=np.int64), None
            try:
                vectors = self._gather(hits["shard"].to_numpy(), hits["row"].to_numpy())
            except FileNotFoundError:  # joined with others since the refresh
                continue
            return hits["position"].to_numpy().astype(np.int64), vectors

    def write(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """One shard of (n, 2) keys and (n, d) vectors: seen by others as a whole or not at all."""
        layout = np.dtype([("key", "<u8", (2,)), ("vector", np.dtype(self._precision), (vectors.shape[1],))])
        records = np.empty(len(keys), dtype=layout)
        records["key"], records["vector"] = keys, vectors
        self._place(records)

    def join_small(self) -> None:
        """Join the small shards once they are too many; safe beside others who read, write or join."""
        if len(self._there()) <= _MOST_SMALL:
            return
        self._refresh()
        sizes = self._index.group_by("shard").len().filter(pl.col("len") < _FULL)
        if sizes.height <= _MOST_SMALL:
            return
        # In the order of their names, so that two processes at once make the same shards of them.
        names, rows = zip(*sorted((self._names[n], size) for n, size in sizes.iter_rows()), strict=True)
        parts = np.cumsum(rows) // _JOINED
        for part in np.unique(parts):
            self._join([names[place] for place in np.flatnonzero(parts == part)])

    def _join(self, names: list[str]) -> None:
        """One shard of several, each key once; what others have joined meanwhile is theirs."""
        read = {name: found for name in names if (found := _read(self._folder / name)) is not None}
        if len(read) < 2:
            return
        records = np.concatenate(list(read.values()))
        _, first = np.unique(records["key"], axis=0, return_index=True)
        joined = self._place(records[first])
        # The joined shard has the name of one of them where the others hold nothing that it lacks.
        for name in read.keys() - {joined}:
            (self._folder / name).unlink(missing_ok=True)

    def _place(self, records: np.ndarray) -> str:
        """Write a shard; its name."""
        buffer = io.BytesIO()
        np.save(buffer, records, allow_pickle=False)
        data = buffer.getvalue()
        name = f"{_digest(data)}.npy"
        with whole_file(self._folder / name) as unfinished:
            unfinished.write_bytes(data)
        return name

    def _there(self) -> set[str]:
        return {path.name for path in self._folder.glob("*.npy")}

    def _refresh(self) -> None:
        """Index the shards that are there now, whoever wrote or joined them."""
        sweep(self._folder)
        seen: set[str] | None = None
        # Until two looks see the same: where others join shards, one look may find neither the old nor the new.
        while (there := self._there()) != seen:
            seen = there
            self._forget(there)
            for name in sorted(there.difference(self._names.values())):
                self._learn(name)
        self._index = self._index.rechunk()

    def _learn(self, name: str) -> None:
        records = _read(self._folder / name)
        if records is not None:
            number = next(self._numbers)
            self._names[number] = name
            self._index = self._index.vstack(_index_of(np.ascontiguousarray(records["key"]), number))

    def _forget(self, there: set[str]) -> None:
        """Drop from the index what is no longer there."""
        gone = [number for number, name in self._names.items() if name not in there]
        if gone:
            self._index = self._index.filter(~pl.col("shard").is_in(gone))
            self._names = {n: name for n, name in self._names.items() if name in there}

    def _gather(self, shards: np.ndarray, rows: np.ndarray) -> np.ndarray:
        places, parts = [], []
        for shard in np.unique(shards):
            records = np.load(self._folder / self._names[shard], mmap_mode="r", allow_pickle=False)
            places.append(np.flatnonzero(shards == shard))
            parts.append(records["vector"][rows[places[-1]]].astype(np.float32, copy=False))
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]


class MemoryShards(ShardFolder):
    """The same without a folder: kept as long as the object lives."""

    def __init__(self) -> None:
        self._keys = np.empty((0, 2), dtype=np.uint64)
        self._vectors: np.ndarray | None = None

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """As of a folder."""
        if self._vectors is None:
            return np.empty(0, dtype=np.int64), None
        wanted = pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.UInt64), orient="row")
        hits = wanted.with_row_index("position").join(_index_of(self._keys, 0), on=KEY, how="inner")
        hits = hits.unique("position").sort("position")
        if hits.is_empty():
            return np.empty(0, dtype=np.int64), None
        return hits["position"].to_numpy().astype(np.int64), self._vectors[hits["row"].to_numpy()]

    def write(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """As of a folder."""
        before = np.empty((0, vectors.shape[1]), np.float32) if self._vectors is None else self._vectors
        self._keys = np.concatenate([self._keys, keys])
        self._vectors = np.concatenate([before, vectors.astype(np.float32)])

    def join_small(self) -> None:
        """There is nothing to join."""


class ShardWriter:
    """Collects vectors; writes a shard every so many items or seconds, and at the end, be it an error.

    Where nothing can be written (a full disk, another user's folder) it says so, once, and keeps nothing.

    At an end without error it also joins the folder's small shards, if they have become too many.
    """

    def __init__(self, folder: ShardFolder, items: int = _FULL, seconds: float = 30.0) -> None:
        self._folder = folder
        self._items, self._seconds = items, seconds
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._since = time.monotonic()
        self._kept = True

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        if kind is None and self._kept:
            self._folder.join_small()

    def add(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        self._pending.append((keys, vectors))
        count = sum(len(keys) for keys, _ in self._pending)
        if count >= self._items or time.monotonic() - self._since > self._seconds:
            self._flush()

    def _flush(self) -> None:
        if self._pending and self._kept:
            keys, vectors = zip(*self._pending, strict=True)
            try:
                self._folder.write(np.concatenate(keys), np.concatenate(vectors))
            except OSError as error:
                self._kept = False
                log.warning("embedding cache: vectors are not kept for the next time (%s)", error)
        self._pending, self._since = [], time.monotonic()


def _read(path: Path) -> np.ndarray | None:
    """(n,) records of a whole shard; None, with a warning, for a damaged one, which is removed."""
    try:
        data = path.read_bytes()
    except OSError:  # found damaged, or joined with others, by another process; or not ours to read
        return None
    if _digest(data) != path.stem:
        warnings.warn(f"embedding cache: {path} is damaged; its items are encoded again", stacklevel=2)
        with suppress(OSError):  # gone by now, or in a cache that may only be read
            path.unlink()
        return None
    return np.load(io.BytesIO(data), allow_pickle=False)


def _index_of(keys: np.ndarray, shard: int) -> pl.DataFrame:
    frame = pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.UInt64), orient="row")
    return frame.with_row_index("row").with_columns(shard=pl.lit(shard, dtype=pl.Int64))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
