"""What a log says of lists and actions before lists are settled: a set of rows, the same in whatever order they came.

A list is told in pieces: the query's line with the products it returned, and the impressions of those that were seen.
Pieces come in any order and in several readings; `settle` makes lists of all that are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from features.sources.events.event_log import ACTIONS, MOMENT, SHOWN, Events, set_apart, with_chances
from features.sources.ledger import Ledger

QUERY_ITSELF = ""  # in the place of a product: the query was asked, whatever it returned
LISTED = pl.Schema(
    {
        "source": pl.String(),
        "seen": pl.Boolean(),
        **{name: dtype for name, dtype in SHOWN.items() if name != "shown_at"},
        "at": MOMENT,
    }
)
_RANKED = ("run", "arm", "propensity")
_PAIR = ["request_id", "product_id"]


@dataclass(frozen=True, eq=False)
class Logged:
    """Pieces of lists, columns as `LISTED`, and actions, as `ACTIONS`.

    seen: an impression; else what a query's line says was returned, and the query itself. position: as its source
    counts, from 0 or 1; null where an impression has none.
    """

    listed: pl.DataFrame
    actions: pl.DataFrame

    @classmethod
    def of(cls, events: Events, source: str) -> Logged:
        """Lists that are settled already."""
        shown = events.shown.rename({"shown_at": "at"}).with_columns(
            source=pl.lit(source), seen=pl.lit(value=True)
        )
        return cls(shown.select(LISTED.names()), events.actions)

    @classmethod
    def together(cls, parts: Iterable[Logged]) -> Logged:
        logs = [cls(LISTED.to_frame(), ACTIONS.to_frame()), *parts]
        return cls(pl.concat([log.listed for log in logs]), pl.concat([log.actions for log in logs]))

    def settle(self, ledger: Ledger) -> Events:
        """Lists of impressions, with what their query's line says; of requests without any, of what was returned.

        Positions of a source that counts from 0 are raised by one. Lists come in order of time, each in its own order.
        """
        rows = self.listed.sort("request_id", "at", pl.all().exclude("request_id", "at"), nulls_last=True)
        lowest = pl.col("position").min().over("source", "seen")  # of query lines and impressions apart
        from_zero = (lowest == 0).fill_null(value=False).cast(pl.Int32)
        rows = rows.with_columns(pl.col("position") + from_zero)
        # Of each request the earliest line: some sources write one a letter typed.
        line = pl.struct("at", "text")
        later = (line != line.first().over("request_id")) & pl.col("request_id").is_not_null()
        lines = rows.filter(~pl.col("seen"))
        queries = set_apart(lines, later.fill_null(value=False), "a later line of the same query", ledger)
        asked = queries.unique("request_id", keep="first", maintain_order=True)
        hits = queries.filter(pl.col("product_id") != QUERY_ITSELF)
        impressions = rows.filter("seen")
        returned = hits.join(impressions, on="request_id", how="anti", maintain_order="left")
        seen = _with_their_query(impressions, asked, hits)
        shown = pl.concat([returned, seen.select(rows.columns)])
        shown = set_apart(shown, pl.col("position").is_null(), "position missing", ledger)
        shown = set_apart(shown, pl.col("position") < 1, "position negative", ledger)
        shown = with_chances(shown, ledger)
        of_list = pl.col("text", "session", "shopper").drop_nulls().first(), pl.col("at").min()
        shown = shown.with_columns(one.over("request_id") for one in of_list).rename({"at": "shown_at"})
        shown = shown.sort("shown_at", "request_id", "position", maintain_order=True)
        return Events(shown.select(SHOWN.names()), self.actions)


def _with_their_query(seen: pl.DataFrame, asked: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Impressions with the text and ranker that the query's line names, and its place where they have none."""
    about = asked.select("request_id", asked_id="query_id", asked="text")
    seen = seen.join(about, on="request_id", how="left", maintain_order="left")
    theirs = {f"its_{name}": name for name in ("position", *_RANKED)}
    places = hits.unique(_PAIR, keep="first", maintain_order=True).select(*_PAIR, **theirs)
    seen = seen.join(places, on=_PAIR, how="left", maintain_order="left")
    return seen.with_columns(
        *(pl.coalesce(name, its).alias(name) for its, name in theirs.items()),
        text=pl.coalesce("asked", "text"),
        query_id=pl.coalesce("asked_id", "query_id"),
    )
