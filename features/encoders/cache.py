"""Each distinct text or photo is encoded once, ever: vectors by encoder fingerprint and content hash.

Kept in shards (see embedding_shards): safe for several processes at once and under kill -9.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.encoders.protocol import Encoder, unit_rows
from features.encoders.shards import KEY, MemoryShards, ShardFolder, ShardWriter
from features.media.files import content_hash, content_hashes
from features.progress import progress

Precision = Literal["float16", "float32"]

# What is encoded between two looks at progress and shards. Never by the clock: vectors differ in their last bits with
# the batch they are computed in, and the same catalogue is to have the same vectors.
_STEP_TEXTS, _STEP_BYTES = 1024, 131_072  # some seconds of MiniLM on two cores
_STEP_PHOTOS = 128


class CacheConfig(BaseModel):
    """Where vectors are kept, and how exactly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field("cache", description="relative to the working folder")
    precision: Precision = Field(
        "float32", description="on disk; float16 halves it and moves cosines by < 1e-3"
    )


@dataclass(frozen=True)
class Embeddings:
    """The vectors of a column, each distinct content once."""

    vectors: np.ndarray
    """(u, d) float32 rows of unit length."""
    rows: np.ndarray
    """(n,) int64: each item's row in `vectors`, -1 where it is null or cannot be read."""
    reused: int
    """Distinct contents found in the cache."""
    encoded: int
    """Distinct contents encoded now."""
    unreadable: int
    """Items that are not null and yet have no vector."""
    space: str
    """Two sets of vectors may be compared if and only if their spaces are equal."""


class EmbeddingCache:
    """Vectors of any number of encoders under one folder; without a folder in memory."""

    def __init__(self, folder: Path | None = None, precision: Precision = "float32") -> None:
        self.folder = folder
        self._precision = precision
        self._shards: dict[str, ShardFolder] = {}

    def embed(
        self,
        encoder: Encoder,
        items: pl.Series,
        modality: str,
        label: str = "",
        hashes: pl.Series | None = None,
    ) -> Embeddings:
        """The vectors of (n,) texts (String), or of files by content (Binary) or path (String).

        Only what the cache lacks is encoded. What cannot be read is remembered as such too.
        label: names the progress bar. hashes: (n,) of the files' contents, where they are carried beside the
        column (see media.files.hashes_of), so that no file is read for its key. Raises InputError as the
        encoder does.
        """
        if modality == "text":
            rows, first = _distinct(items)
            keys = _keys([content_hash(text.encode()) for text in items.gather(first)])
        else:
            hashes = content_hashes(items) if hashes is None else hashes
            rows, first = _distinct(hashes)
            keys = _keys(hashes.gather(first))
        shards = self._shards_of(encoder, modality)
        found, vectors = shards.find(keys)
        new = np.setdiff1d(np.arange(len(keys)), found, assume_unique=True)
        if len(new) or vectors is None:
            every = np.empty((len(keys), encoder.dimensions), dtype=np.float32)
            if vectors is not None:
                every[found] = vectors
            self._encode(
                _Work(encoder, items, first[new], keys[new], modality, label), shards, keys, new, every
            )
            vectors = every
        vectors, rows = _drop_unreadable(self._rounded(vectors), rows)
        unreadable = int((rows < 0).sum()) - items.null_count()
        return Embeddings(vectors, rows, len(found), len(new), unreadable, encoder.space)

    def encode_one(self, encoder: Encoder, item: str | bytes, modality: str) -> np.ndarray:
        """(d,) the vector of a single item, as it would be read back, by the shortest way; NaN if it cannot be read.

        Nothing is looked up or kept: a shopper's query is quicker encoded than found on a disk.
        """
        return self._rounded(encoder.encode([item], modality))[0]

    def _encode(
        self, work: _Work, shards: ShardFolder, keys: np.ndarray, new: np.ndarray, every: np.ndarray
    ) -> None:
        """Fill the rows `new` of `every`, writing shards on the way."""
        reported = progress(f"encoding {work.label}", len(work.costs), int(work.costs.sum()))
        with ShardWriter(shards) as writer, reported as step:
            for positions in work.steps():
                rows = new[positions]
                every[rows] = work.encode(positions)
                writer.add(keys[rows], every[rows])
                step(len(positions), int(work.costs[positions].sum()))

    def _shards_of(self, encoder: Encoder, modality: str) -> ShardFolder:
        name = f"{encoder.fingerprint}-{modality}-{self._precision}"
        if name not in self._shards:
            self._shards[name] = (
                ShardFolder(self.folder / name, self._precision) if self.folder else MemoryShards()
            )
        return self._shards[name]

    def _rounded(self, vectors: np.ndarray) -> np.ndarray:
        """As they will be read back, so that the first run gives what the second gives."""
        return (
            vectors
            if self._precision == "float32"
            else unit_rows(vectors.astype(self._precision).astype(np.float32))
        )


class _Work:
    """The items to encode (`at` their places in the column, `keys` their contents), in steps.

    Steps hang on the contents alone: neither the order of the rows nor the speed of the machine changes them.
    """

    def __init__(
        self, encoder: Encoder, items: pl.Series, at: np.ndarray, keys: np.ndarray, modality: str, label: str
    ) -> None:
        self._encoder, self._items, self._at, self._modality = encoder, items, at, modality
        self.label = label or modality
        self._most = _STEP_TEXTS if modality == "text" else _STEP_PHOTOS
        # A text costs about its length, a photo about as much as any other.
        lengths = items.gather(at).str.len_bytes() if modality == "text" else pl.zeros(len(at), eager=True)
        self.costs: np.ndarray = lengths.cast(pl.Int64).to_numpy() + 1
        # Longest first: a step's texts are of one length, so hardly any padding is computed.
        self._order = np.lexsort((*keys.T, -self.costs))

    def steps(self) -> Iterator[np.ndarray]:
        """Positions in `at`, step by step."""
        ends = np.cumsum(self.costs[self._order])
        start = 0
        while start < len(self._order):
            before = ends[start - 1] if start else 0
            within = int(np.searchsorted(ends, before + _STEP_BYTES, side="right"))
            stop = max(start + 1, min(start + self._most, within))
            yield self._order[start:stop]
            start = stop

    def encode(self, positions: np.ndarray) -> np.ndarray:
        # Taken from the column step by step: its photos are never held in memory a second time.
        return self._encoder.encode(self._items.gather(self._at[positions]).to_list(), self._modality)


def _distinct(items: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Each item's row among the distinct ones (-1 for null), and where each distinct one first stands."""
    frame = pl.DataFrame({"item": items}).with_row_index("first")
    distinct = (
        frame.drop_nulls("item").unique("item", keep="first", maintain_order=True).with_row_index("row")
    )
    joined = frame.join(distinct.select("item", "row"), on="item", how="left", maintain_order="left")
    rows = joined["row"].cast(pl.Int64).fill_null(-1).to_numpy()
    return rows, distinct["first"].to_numpy().astype(np.int64)


def _keys(hashes: Iterable[str]) -> np.ndarray:
    """(u, 2) uint64: the 128 bits of each hash."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype="<u8").reshape(-1, len(KEY))


def _drop_unreadable(vectors: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    readable = ~np.isnan(vectors).any(axis=1)
    if readable.all():
        return vectors, rows
    # One more entry than vectors: the row -1 stays -1.
    renumbered = np.append(np.where(readable, np.cumsum(readable) - 1, -1), -1)
    return vectors[readable], renumbered[rows]
