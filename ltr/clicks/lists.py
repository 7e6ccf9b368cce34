"""Shown lists as arrays: which query–product pair stood at which place, and what was done with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import InputError
from features.sources.events import Events
from features.sources.events.cleaning import query_key

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

PAIR = ["query_id", "product_id"]


@dataclass(frozen=True, eq=False)
class ShownLists:
    """n lists of up to k places, in the order of time.

    item: (n, k) row of `pairs`, -1 where nothing stood. clicked: (n, k). value: (n, k) what was done with it, in
    [0, 1] of the best that can be. propensity: (n, k) NaN where not known. at: (n,) microseconds. request: (n,).
    pairs: query_id, product_id, each once. left_out: rows by the reason why they are not here.
    """

    item: IntArray
    clicked: BoolArray
    value: FloatArray
    propensity: FloatArray
    at: IntArray
    request: pl.Series
    pairs: pl.DataFrame
    left_out: dict[str, int]

    @property
    def shown(self) -> BoolArray:
        return self.item >= 0

    @property
    def places(self) -> int:
        return self.item.shape[1]

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def of(
        cls,
        events: Events,
        places: int = 25,
        window: timedelta = timedelta(days=30),
        values: dict[str, float] | None = None,
    ) -> ShownLists:
        """A query is its query_id, else its words. Actions count once a row, within the window after showing.

        values: what each action is worth; by default 1 for each click and nothing else. InputError for lists of
        which none remains.
        """
        shown, left_out = _rows_of_lists(events.shown, places)
        acted, more = _acted(events, shown, window, values or {"click": 1.0})
        rows = shown.join(acted, on=["request_id", "product_id"], how="left", maintain_order="left")
        rows = rows.with_columns(pl.col("clicked").fill_null(value=False), pl.col("value").fill_null(0.0))
        if not rows.height:
            raise InputError(
                where="events", expected="shown lists of a known query", got="none", cure="check the events"
            )
        return cls._filled(rows, left_out | more)

    @classmethod
    def _filled(cls, rows: pl.DataFrame, left_out: dict[str, int]) -> ShownLists:
        pairs = rows.select(PAIR).unique().sort(PAIR).with_row_index("item")
        rows = rows.join(pairs, on=PAIR, maintain_order="left")
        lists = rows.group_by("request_id", maintain_order=True).agg(pl.col("shown_at").first())
        lists = lists.sort("shown_at", "request_id").with_row_index("list")
        rows = rows.join(lists.select("request_id", "list"), on="request_id", maintain_order="left")
        shape = (lists.height, int(rows["position"].max() or 0))  # type: ignore[arg-type]
        row, place = rows["list"].to_numpy(), rows["position"].to_numpy() - 1

        def matrix(name: str, empty: float, dtype: type) -> npt.NDArray:
            cells: npt.NDArray = np.full(shape, empty, dtype=dtype)
            cells[row, place] = rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            return cells

        return cls(
            matrix("item", -1, np.int64),
            matrix("clicked", 0, np.bool_),
            matrix("value", 0, np.float64),
            matrix("propensity", np.nan, np.float64),
            lists["shown_at"].dt.epoch("us").to_numpy(),
            lists["request_id"],
            pairs.select(PAIR),
            left_out,
        )

    def rows(self, which: BoolArray | slice) -> ShownLists:
        """Some of the lists, with the same pairs."""
        kept = pl.Series(which) if isinstance(which, np.ndarray) else which
        request = self.request.filter(kept) if isinstance(kept, pl.Series) else self.request[which]
        return ShownLists(
            self.item[which],
            self.clicked[which],
            self.value[which],
            self.propensity[which],
            self.at[which],
            request,
            self.pairs,
            self.left_out,
        )

    def split(self, share: float = 0.75) -> tuple[ShownLists, ShownLists]:
        """The earlier lists and the later ones, cut where a day ends, as near to the share as days allow."""
        day = self.at // 86_400_000_000
        ends = np.flatnonzero(np.diff(day)) + 1
        wanted = round(share * len(self))
        cut = int(ends[np.argmin(np.abs(ends - wanted))]) if len(ends) else wanted
        return self.rows(slice(0, cut)), self.rows(slice(cut, None))


def words_asked() -> pl.Expr:
    """What a query without a query_id is called by: its words in small letters; null for none."""
    words = query_key(pl.col("text"))
    return pl.when(words != "").then(words)


def _rows_of_lists(shown: pl.DataFrame, places: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows to use, and how many are left out because of what."""
    rows = shown.with_columns(query_id=pl.coalesce("query_id", words_asked()))
    named = rows.filter(pl.col("query_id").is_not_null())
    near = named.filter(pl.col("position") <= places)
    once = near.unique(["request_id", "position"], keep="first", maintain_order=True)
    once = once.unique(["request_id", "product_id"], keep="first", maintain_order=True)
    counted = {
        "shown without a query": rows.height - named.height,
        f"below place {places}": named.height - near.height,
        "a place or product twice in a list": near.height - once.height,
    }
    columns = ["request_id", *PAIR, "position", "shown_at", "propensity"]
    return once.select(columns), counted


def _acted(
    events: Events, shown: pl.DataFrame, window: timedelta, values: dict[str, float]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """request_id, product_id, clicked (anything was done that needs a click) and value, a row each."""
    worth = {action: value / max(values.values()) for action, value in values.items()}
    deeds = events.actions.filter(pl.col("action").is_in(["click", "cart", "purchase"]))
    known = deeds.join(shown.select("request_id", "product_id", "shown_at"), on=["request_id", "product_id"])
    timely = known.filter((pl.col("available_at") - pl.col("shown_at")).is_between(timedelta(0), window))
    by_row = timely.group_by("request_id", "product_id").agg(
        clicked=pl.lit(value=True),
        value=pl.col("action").replace_strict(worth, default=0.0, return_dtype=pl.Float64).max(),
    )
    counted = {
        "actions on nothing shown": deeds.height - known.height,
        "actions outside the window": known.height - timely.height,
        "actions repeated on a row": timely.height - by_row.height,
    }
    return by_row, counted
