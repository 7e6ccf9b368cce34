"""Strings end to end in one array of bytes, so that a million of them are saved, mapped and looked up as arrays."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

_PAGE = 64


@dataclass(frozen=True, eq=False)
class PackedStrings:
    """String i is `data[offsets[i] : offsets[i + 1]]`, UTF-8. offsets: (n + 1,) int64; data: (bytes,) uint8."""

    offsets: np.ndarray
    data: np.ndarray

    @classmethod
    def of(cls, strings: pl.Series) -> PackedStrings:
        """null as an empty string."""
        filled = strings.cast(pl.String).fill_null("")
        lengths = filled.str.len_bytes().cast(pl.Int64).to_numpy()
        joined = filled.str.join("").item() if len(filled) else ""
        return cls(
            np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            np.frombuffer((joined or "").encode(), dtype=np.uint8),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def find(self, string: str) -> int:
        """The row of a string among sorted ones, -1 where it is not there."""
        wanted = string.encode()
        page = _PAGE * (bisect_right(self._firsts, wanted) - 1)
        if page < 0:
            return -1
        rows = range(page, min(page + _PAGE, len(self)))
        row = page + bisect_left(rows, wanted, key=self.__getitem__)
        return row if row in rows and self[row] == wanted else -1

    @cached_property
    def _firsts(self) -> list[bytes]:
        """Of every 64 strings the first, at hand: most steps of a search take no string out of the array."""
        return [self[row] for row in range(0, len(self), _PAGE)]

    def series(self) -> pl.Series:
        """As a String column."""
        import pyarrow as pa  # noqa: PLC0415 - takes a while to import, and a request needs none

        buffers = [None, pa.py_buffer(np.ascontiguousarray(self.offsets)), pa.py_buffer(self.data)]
        return pl.Series(pa.LargeStringArray.from_buffers(len(self), buffers[1], buffers[2]), dtype=pl.String)

    def take(self, rows: np.ndarray) -> PackedStrings:
        return PackedStrings.of(self.series().gather(rows))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.offsets": self.offsets, f"{name}.bytes": self.data}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> PackedStrings:
        return cls(arrays[f"{name}.offsets"], arrays[f"{name}.bytes"])
