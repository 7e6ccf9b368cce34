"""Vectors on disk: a folder of shards that are written once, whole, and never changed.

A shard is a .npy file of (key, vector) records, named by the hash of its own bytes. So a shard cut short
or damaged is recognised, two processes cannot clash, and there is no index to fall out of step.
"""

from __future__ import annotations

import hashlib
import io
import time
import uuid
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np
import polars as pl

KEY = ["high", "low"]  # the two halves of a 128-bit content hash
_STALE_SECONDS = 3600


class ShardFolder:
    """The shards of one encoder and modality. Keys are held in memory, vectors are read when asked for."""

    def __init__(self, folder: Path, precision: str) -> None:
        self._folder = folder
        self._precision = precision
        self._names: list[str] = []
        self._index = _index_of(np.empty((0, 2), dtype=np.uint64), 0)

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Which of the (u, 2) keys are stored, as positions (f,), and their (f, d) float32 vectors.

        The vectors are None where nothing is found.
        """
        self._refresh()
        wanted = pl.DataFrame(keys, schema=KEY, orient="row").with_row_index("position")
        hits = wanted.join(self._index, on=KEY, how="inner").unique("position").sort("position")
        if hits.is_empty():
            return np.empty(0, dtype=np.int64), None
        positions = hits["position"].to_numpy().astype(np.int64)
        return positions, self._gather(hits["shard"].to_numpy(), hits["row"].to_numpy())

    def write(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """One shard of (n, 2) keys and (n, d) vectors: seen by others as a whole or not at all."""
        layout = np.dtype([("key", "<u8", (2,)), ("vector", np.dtype(self._precision), (vectors.shape[1],))])
        records = np.empty(len(keys), dtype=layout)
        records["key"], records["vector"] = keys, vectors
        buffer = io.BytesIO()
        np.save(buffer, records, allow_pickle=False)
        data = buffer.getvalue()
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{uuid.uuid4().hex}.tmp"
        unfinished.write_bytes(data)
        unfinished.replace(self._folder / f"{_digest(data)}.npy")

    def _refresh(self) -> None:
        """Index the shards that came since the last look, whoever wrote them."""
        self._sweep()
        known = set(self._names)
        for path in sorted(self._folder.glob("*.npy")):
            if path.name in known or (keys := _read_keys(path)) is None:
                continue
            self._index = self._index.vstack(_index_of(keys, len(self._names)))
            self._names.append(path.name)
        self._index = self._index.rechunk()

    def _sweep(self) -> None:
        """Remove what killed writers left behind; a live one needs its file for a moment only."""
        for path in self._folder.glob("*.tmp"):
            try:
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
            except FileNotFoundError:  # finished, or swept by another process
                continue

    def _gather(self, shards: np.ndarray, rows: np.ndarray) -> np.ndarray:
        places, parts = [], []
        for shard in np.unique(shards):
            records = np.load(self._folder / self._names[shard], mmap_mode="r", allow_pickle=False)
            places.append(np.flatnonzero(shards == shard))
            parts.append(records["vector"][rows[places[-1]]].astype(np.float32, copy=False))
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]


class ShardWriter:
    """Collects vectors; writes a shard every so many items or seconds, and at the end, be it an error."""

    def __init__(self, folder: ShardFolder, items: int = 1024, seconds: float = 30.0) -> None:
        self._folder = folder
        self._items, self._seconds = items, seconds
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._since = time.monotonic()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()

    def add(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        self._pending.append((keys, vectors))
        count = sum(len(keys) for keys, _ in self._pending)
        if count >= self._items or time.monotonic() - self._since > self._seconds:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            keys, vectors = zip(*self._pending, strict=True)
            self._folder.write(np.concatenate(keys), np.concatenate(vectors))
        self._pending, self._since = [], time.monotonic()


def _read_keys(path: Path) -> np.ndarray | None:
    """(n, 2) keys of a whole shard; None, with a warning, for a damaged one, which is removed."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # found damaged by another process
        return None
    if _digest(data) != path.stem:
        warnings.warn(f"embedding cache: {path} is damaged; its items are encoded again", stacklevel=2)
        path.unlink(missing_ok=True)
        return None
    return np.ascontiguousarray(np.load(io.BytesIO(data), allow_pickle=False)["key"])


def _index_of(keys: np.ndarray, shard: int) -> pl.DataFrame:
    frame = pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.UInt64), orient="row")
    return frame.with_row_index("row").with_columns(shard=pl.lit(shard, dtype=pl.Int64))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
