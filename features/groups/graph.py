"""How near each candidate is to the shopper's history on the graph of what people looked at, and bought, together.

The graph is that of the moment at which the query was asked (`at`), from the tables that `update_behaviour` wrote: an
edge counts what was known when that day began, so that a list's own clicks are in no edge that its features saw.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from pydantic import Field

from features.batch import PairBatch
from features.behaviour.item_graph import ItemGraph, weights_by_last
from features.behaviour.together import GRAPHS
from features.behaviour.views import TOGETHER, read_moment, settled, versions
from features.errors import InputError
from features.feature_schema import Feature
from features.groups.behaviour import codes_of, seconds_asked, seconds_known, warn_if_stale
from features.groups.history import Met
from features.groups.protocol import Arrays, Group, GroupSettings
from features.index import CatalogueIndex
from features.sources.parsing.histories import HISTORY
from features.store import FeatureStore

log = logging.getLogger(__name__)
REACH, RESTART, ROUNDS = 5, 0.3, 3
_AT_ONCE = 4_000_000  # numbers of a walk: products times queries
_MEASURES = ("tie", "walk", "lift")


class GraphConfig(GroupSettings):
    """The graph is made with the counts of behaviour; queries bring their history and their time."""

    store: str = Field(
        default="store", description="the folder of the tables of events and counts, as behaviour.store"
    )


class GraphGroup(Group):
    """Of each of GRAPHS: tie, walk and lift, from the last products of the history; the n-th last counts 1 / n.

    tie: people of the edge over the root of both products' degrees. walk: where walkers from the history are, by
    personalised PageRank. lift: that share over the candidate's share of all edges. All missing where the query has no
    time, or nothing in its history has an edge yet; the lift also where the candidate has none.
    """

    kind = "graph"
    settings: ClassVar[type[GraphConfig]] = GraphConfig

    def __init__(self, product_ids: pl.Series, settings: GraphConfig) -> None:
        store, self._settings = FeatureStore(Path(settings.store)), settings
        self._versions = versions(store)
        if TOGETHER.name not in self._versions:
            raise InputError(
                where=f"features.graph.store ({settings.store})",
                expected="what people looked at together",
                got="no such table",
                cure="write it first: python -m ltr.ingest_events, or features.behaviour.update_behaviour",
            )
        self.counted_until = read_moment(store, TOGETHER, self._versions)
        """The moment up to which events are counted."""
        rows = store.read(TOGETHER, self._versions[TOGETHER.name])
        self._ids = product_ids
        pairs = np.stack([codes_of(rows[name], product_ids) for name in ("product_id", "other_id")])
        known = (pairs >= 0).all(axis=0)
        self._known_at = seconds_known(rows["available_at"])[known]
        order = np.argsort(self._known_at, kind="stable")
        self._known_at, self._pairs = self._known_at[order], pairs[:, known][:, order].astype(np.int32)
        self._counts = rows.select(GRAPHS).to_numpy()[known][order]
        self._moments = np.unique(self._known_at)
        self._last: tuple[int, list[ItemGraph]] | None = None

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: GraphConfig) -> Self:
        return cls(catalogue.product_ids, settings)

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(Feature(f"graph.{graph}_{measure}") for graph in GRAPHS for measure in _MEASURES)

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        out[...] = np.nan
        met = batch.queries.once("history", lambda: Met.of(batch.queries.column(HISTORY), self._ids))
        asked_at = batch.queries.once("behaviour.at", lambda: seconds_asked(batch.queries))
        warn_if_stale(asked_at, self.counted_until)
        has_history = np.diff(met.starts) > 0
        if has_history.any() and (asked_at[has_history] < 0).all():
            _warn_once()
        moment = np.searchsorted(self._moments, asked_at, side="right") - 1  # -1 too where there is no time
        for one in np.unique(moment[has_history & (moment >= 0)]):
            graphs = self._as_of(int(one))
            asking = np.flatnonzero(has_history & (moment == one))
            size = max(1, _AT_ONCE // max(1, len(self._ids)))
            for start in range(0, len(asking), size):
                self._write(graphs, batch, asking[start : start + size], met, out)

    def refreshed(self) -> Self:
        """With the graph of a job that has ended since; while one is writing, as before."""
        found = settled(FeatureStore(Path(self._settings.store)))
        return self if found is None or found == self._versions else type(self)(self._ids, self._settings)

    def _as_of(self, moment: int) -> list[ItemGraph]:
        """The graphs as they were from this one of the moments on; the newest one asked for is kept."""
        last = self._last
        if last is None or last[0] != moment:
            until = np.searchsorted(self._known_at, self._moments[moment], side="right")
            codes = self._pairs[0, :until].astype(np.int64) * len(self._ids) + self._pairs[1, :until]
            _, newest = np.unique(codes[::-1], return_index=True)
            rows = until - 1 - newest
            last = self._last = moment, [self._graph(rows, place) for place in range(len(GRAPHS))]
        return last[1]

    def _graph(self, rows: np.ndarray, place: int) -> ItemGraph:
        counts = self._counts[rows, place].astype(np.float64)
        rows, counts = rows[counts > 0], counts[counts > 0]
        one, other = self._pairs[:, rows]
        half = sp.csr_matrix((counts, (one, other)), shape=(len(self._ids),) * 2)
        return ItemGraph.of((half + half.T).tocsr())

    def _write(
        self, graphs: list[ItemGraph], batch: PairBatch, asking: np.ndarray, met: Met, out: np.ndarray
    ) -> None:
        """The features of these queries' lists, (asking,) rows of the batch's queries."""
        for place, graph in enumerate(graphs):
            starts = np.stack([self._starts(graph, met.of_query(int(query))) for query in asking], axis=1)
            root = np.sqrt(np.maximum(graph.degrees, 1.0))[:, np.newaxis]
            ties = (graph.edges @ (starts / root)) / root
            walks = graph.walk(starts, RESTART, ROUNDS)
            share = graph.degrees / max(graph.degrees.sum(), 1.0)
            lifts = np.divide(
                walks, share[:, np.newaxis], out=np.full_like(walks, np.nan), where=share[:, np.newaxis] > 0
            )
            for column, query in enumerate(asking):
                if not starts[:, column].any():
                    continue
                first, end = batch.starts[query : query + 2]
                candidates = batch.product_rows[first:end]
                for measure, values in enumerate((ties, walks, lifts), start=place * len(_MEASURES)):
                    out[first:end, measure] = values[candidates, column]

    @staticmethod
    def _starts(graph: ItemGraph, history: np.ndarray) -> np.ndarray:
        """(products,) where walkers begin: at the last products of the history that have an edge."""
        there = history[history >= 0]
        return weights_by_last(there[graph.degrees[there] > 0], REACH, len(graph.degrees))

    def arrays(self) -> dict[str, np.ndarray]:
        """Nothing: edges are the store's, which changes while the catalogue does not."""
        return {}

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: GraphConfig, arrays: Arrays) -> Self:  # noqa: ARG003
        return cls(catalogue.product_ids, settings)


@cache
def _warn_once() -> None:
    log.warning("graph: queries without a time (column at) know nothing of what people looked at together")
