"""What a group of features is asked, and what it answers: pairs as row numbers, columns as one matrix.

Between an opened index and the ranker there are arrays only: the same for ten million training rows and for the
candidates of one request.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema

Read = TypeVar("Read")


def has_values(rows: pl.DataFrame, column: str) -> bool:
    """Whether the column is there and any row has a value in it."""
    return column in rows.columns and rows[column].null_count() < rows.height


@dataclass(frozen=True, eq=False)
class QueryBatch:
    """Queries at hand, a row each: query_id, text, image (and `media.*`), as the sources clean them.

    What several groups need of them (tokens, vectors, neighbours) is read by whoever asks first, once.
    """

    frame: pl.DataFrame
    _read: dict[Hashable, object] = field(default_factory=dict)

    def once(self, what: Hashable, read: Callable[[], Read]) -> Read:
        """What `read` gives, read at the first call only; `what` names it."""
        if what not in self._read:
            self._read[what] = read()
        return cast("Read", self._read[what])

    def column(self, name: str) -> pl.Series:
        """A column, or nulls: queries need not have every modality that the products have."""
        if name in self.frame.columns:
            return self.frame[name]
        return pl.repeat(None, self.frame.height, dtype=pl.String, eager=True).alias(name)

    @property
    def texts(self) -> list[str | None]:
        return self.column("text").cast(pl.String).to_list()

    def __len__(self) -> int:
        return self.frame.height


@dataclass(frozen=True, eq=False)
class PairBatch:
    """n pairs of q queries with products of one index, those of a query together: its list.

    queries: each has at least one pair; query_rows: (n,) int32, the row in `queries`, rising; product_rows: (n,)
    int32, the row in the index, rising within a list; starts: (q + 1,) int64, list i is `starts[i] : starts[i + 1]`.
    among: (n,) bool, the rows that a value's standing in its list is taken among; None: all of the list. The others,
    judged but not retrieved, are placed among those without moving them.
    """

    queries: QueryBatch
    query_rows: np.ndarray
    product_rows: np.ndarray
    starts: np.ndarray
    among: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        queries: pl.DataFrame,
        query_rows: np.ndarray,
        product_rows: np.ndarray,
        among: np.ndarray | None = None,
    ) -> tuple[PairBatch, np.ndarray | None]:
        """The pairs of rows of `queries` and of the index, in any order; and where each row of the batch stood.

        The order is None where the pairs already lay as a batch has them.
        """
        order = None
        rising = np.diff(query_rows.astype(np.int64) << 32 | product_rows) >= 0
        if not rising.all():
            order = np.lexsort((product_rows, query_rows))
            query_rows, product_rows = query_rows[order], product_rows[order]
            among = None if among is None else among[order]
        starts = list_starts(query_rows)
        used = query_rows[starts[:-1]]
        frame = queries if len(used) == queries.height else queries[used]
        places = np.repeat(np.arange(len(used), dtype=np.int32), np.diff(starts))
        return cls(QueryBatch(frame), places, product_rows.astype(np.int32), starts, among), order

    @classmethod
    def of_one(cls, query: QueryBatch, product_rows: np.ndarray) -> PairBatch:
        """One query's candidates, in rising rows: a request."""
        rows = np.zeros(len(product_rows), dtype=np.int32)
        starts = np.array([0, len(product_rows)] if len(product_rows) else [0], dtype=np.int64)
        return cls(query, rows, product_rows.astype(np.int32), starts)

    def __len__(self) -> int:
        return len(self.product_rows)


def list_starts(rows: np.ndarray) -> np.ndarray:
    """Where each run of equal values begins, and the end of the last: (runs + 1,) int64."""
    changes = (
        np.flatnonzero(np.diff(rows, prepend=rows[:1] - 1)) if len(rows) else np.zeros(0, dtype=np.int64)
    )
    return np.append(changes, len(rows)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Block:
    """Columns of features: matrix (n, k) float32, NaN where missing, codes of categories as whole numbers."""

    features: tuple[Feature, ...]
    matrix: np.ndarray

    @classmethod
    def empty(cls, features: tuple[Feature, ...], rows: int) -> Block:
        """All missing; column after column in memory, as a group writes them and a table takes them."""
        matrix = np.empty((len(features), rows), dtype=np.float32).T
        matrix.fill(np.nan)
        return cls(features, matrix)

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def select(self, schema: FeatureSchema) -> Block:
        """The schema's features in its order; one that is not here is missing in all rows."""
        if schema.names == self.names:
            return self
        place = {name: column for column, name in enumerate(self.names)}
        chosen = Block.empty(schema.features, len(self.matrix))
        for column, name in enumerate(schema.names):
            if name in place:
                chosen.matrix[:, column] = self.matrix[:, place[name]]
        return chosen

    def frame(self) -> pl.DataFrame:
        """Float32, or Enum for categories; null where missing."""
        return pl.DataFrame([self._series(column) for column in range(len(self.features))])

    def _series(self, column: int) -> pl.Series:
        feature, values = self.features[column], np.ascontiguousarray(self.matrix[:, column])
        if feature.kind == "numeric":
            return pl.Series(feature.name, values, nan_to_null=True)
        codes = pl.Series(feature.name, values, nan_to_null=True).cast(pl.UInt32)
        return codes.cat.to(pl.Enum(feature.categories))


def rows_of(keys: pl.Series, known: pl.Series) -> np.ndarray:
    """The row in `known` of each key, (n,) int64.

    A key that is not known raises InputError naming it: its features would all be missing, and the
    pair would be ranked on nothing.
    """
    index = pl.DataFrame([known.alias("key")]).with_row_index("row")
    asked = pl.DataFrame([keys.alias("key")])
    found = asked.join(index, on="key", how="left", maintain_order="left", validate="m:1")
    unknown = found.filter(pl.col("row").is_null())["key"].unique().sort()
    if len(unknown):
        raise InputError(
            where=f"pairs, column {keys.name!r}",
            expected=f"keys among the {len(known)} known",
            got=f"{len(unknown)} unknown, such as {unknown[0]!r}",
            cure="leave these pairs out, or add the rows they name",
        )
    return found["row"].cast(pl.Int64).to_numpy()
