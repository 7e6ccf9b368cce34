"""Who looked at (or bought) what, in the order of time: arrays that every recommender learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.sparse as sp

from features.errors import InputError
from features.sources.events import Events

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NEEDED = ("session", "product_id", "at")


@dataclass(frozen=True, eq=False)
class Histories:
    """s histories over m products: history i is `product[starts[i] : starts[i + 1]]`, oldest first.

    products: (m,) ids, sorted. product: (n,) rows of them. at: (n,) seconds since 1970. sessions: (s,) names, in the
    order of each one's last event, so that the newest come last.
    """

    products: pl.Series
    product: IntArray
    at: FloatArray
    starts: IntArray
    sessions: pl.Series

    @classmethod
    def of(cls, rows: pl.DataFrame, products: pl.Series | None = None) -> Histories:
        """rows: session (or shopper), product_id, at. products: the catalogue's; those of other products are left out.

        InputError for a table without these columns, or without a row.
        """
        for name in NEEDED:
            if name not in rows.columns:
                raise _bad(f"a column {name!r}", f"the columns {', '.join(rows.columns)}", "rename or add it")
        known = rows.select(pl.col("session", "product_id").cast(pl.String), "at").drop_nulls()
        names = (known["product_id"] if products is None else products.cast(pl.String)).unique().sort()
        known = known.filter(pl.col("product_id").is_in(names.implode()))
        if not known.height:
            raise _bad(
                "rows of known products", "none", "name the table of events and the catalogue that fit"
            )
        last = pl.col("at").max().over("session")
        known = known.with_columns(last=last).sort("last", "session", "at", "product_id")
        rle = known["session"].rle().struct
        starts = np.concatenate(([0], np.cumsum(rle.field("len").to_numpy())))
        product = known["product_id"].cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64)
        at = known["at"].cast(pl.Datetime("us")).to_physical().to_numpy() / 1e6
        return cls(names, product, at, starts.astype(np.int64), rle.field("value"))

    @classmethod
    def of_events(
        cls,
        events: Events,
        by: str = "session",
        actions: tuple[str, ...] = (),
        products: pl.Series | None = None,
    ) -> Histories:
        """From a log: each session's (or shopper's) actions, by default all but returns, at the time they were made."""
        wanted = pl.col("action").is_in(actions) if actions else pl.col("action") != "return"
        return cls.of(
            events.actions.filter(wanted).select(pl.col(by).alias("session"), "product_id", at="acted_at"),
            products,
        )

    @property
    def count(self) -> int:
        """Of products."""
        return len(self.products)

    def __len__(self) -> int:
        return len(self.sessions)

    def __iter__(self) -> Iterator[IntArray]:
        for start, end in zip(self.starts[:-1], self.starts[1:], strict=True):
            yield self.product[start:end]

    @property
    def session_of(self) -> IntArray:
        """(n,) the history of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def before(self, moment: float) -> Histories:
        """What had happened by then (seconds since 1970, exclusive): histories cut off, empty ones left out."""
        return self._rows(self.at < moment)

    def ending_from(self, moment: float) -> Histories:
        """Whole histories whose last event is not before the moment."""
        last = self.at[self.starts[1:] - 1]
        return self._rows(np.repeat(last >= moment, np.diff(self.starts)))

    def _rows(self, keep: npt.NDArray[np.bool_]) -> Histories:
        rows = pl.DataFrame(
            {
                "session": self.sessions.gather(self.session_of[keep]),
                "product_id": self.products.gather(self.product[keep]),
                "at": pl.Series((self.at[keep] * 1e6).astype(np.int64)).cast(pl.Datetime("us")),
            }
        )
        if not rows.height:
            empty = np.zeros(0, dtype=np.int64)
            return Histories(
                self.products, empty, empty.astype(float), np.zeros(1, dtype=np.int64), rows["session"]
            )
        return Histories.of(rows, self.products)

    def rows_of(self, product_ids: list[str]) -> IntArray:
        """Rows of these products, in order; unknown ones left out."""
        place = {name: row for row, name in enumerate(self.products)}
        return np.array([place[name] for name in product_ids if name in place], dtype=np.int64)

    def matrix(self) -> sp.csr_matrix:
        """(s, m) 1 where a history has a product."""
        ones = np.ones(len(self.product))
        made = sp.csr_matrix((ones, (self.session_of, self.product)), shape=(len(self), self.count))
        made.sum_duplicates()
        made.data[:] = 1
        return made


def moment_of(when: datetime) -> float:
    """Seconds since 1970 of a moment in UTC."""
    return float((when.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds())


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="histories", expected=expected, got=got, cure=cure)
