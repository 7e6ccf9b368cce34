"""A shopper's request → the list to show: candidates within the filters, the run's order, facets, a page of cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.batch import QueryBatch
from features.groups.lexical import LexicalGroup
from ltr.serving.catalogue import Filter
from ltr.serving.live_runs import LiveRun
from ltr.serving.ranking import best_first, candidates_of

_MERGED = 60  # of reciprocal rank fusion: how slowly a place's worth falls (Cormack et al., SIGIR 2009)


@dataclass(frozen=True)
class Asked:
    """What a shopper looks for; sort: see `catalogue.SORTS`."""

    text: str | None = None
    photo: bytes | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sort: str = "relevance"
    facets: bool = True


@dataclass
class Found:
    """A list under way: what is known of it so far is what a request that ran out of time answers.

    rows: (n,) of the index, in the order to show; scores: (n,) beside them, None where nothing was scored.
    """

    query: QueryBatch | None = None
    within: np.ndarray | None = None
    candidates: np.ndarray | None = None
    rows: np.ndarray | None = None
    scores: np.ndarray | None = None
    facets: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def search(live: LiveRun, asked: Asked, count: int, found: Found, request_id: str) -> Found:
    """Fill `found` in, step by step. Raises InputError for filters or a sort that the catalogue does not have."""
    live.catalogue.check(asked.filters)
    found.within = live.catalogue.within(asked.filters)
    if asked.text is None and asked.photo is None:
        found.candidates = _all(live, found.within)
    else:
        found.query = live.query(asked.text, asked.photo, request_id)
        found.candidates = candidates_of(live.builder, found.query, count, found.within)
    if asked.sort != "relevance":
        found.rows = live.catalogue.sorted_by(asked.sort, found.candidates)
    elif found.query is not None and len(found.candidates):
        scores = live.run.score_list(live.builder, found.query, found.candidates)
        order = best_first(found.candidates, scores)
        found.scores = scores[order]
        found.rows = found.candidates[order]
    else:
        found.rows = found.candidates
    if asked.facets:
        found.facets = facets_of(live, asked, count, found)
    return found


def _all(live: LiveRun, within: np.ndarray | None) -> np.ndarray:
    return np.arange(live.catalogue.products.height) if within is None else np.flatnonzero(within)


def facets_of(live: LiveRun, asked: Asked, count: int, found: Found) -> dict[str, Any]:
    """Counts among the candidates, of each column as if it were not filtered itself; and the prices' range."""
    counted = {
        name: live.catalogue.facet(name, _without(live, asked, count, found, name))
        for name in live.catalogue.facet_columns
    }
    shown = {name: values for name, values in counted.items() if values}
    prices = live.catalogue.price_range(_without(live, asked, count, found, "price"))
    return shown if prices is None else shown | {"price": prices}


def _without(live: LiveRun, asked: Asked, count: int, found: Found, name: str) -> np.ndarray:
    """The candidates as if this column were not filtered."""
    rows = found.candidates
    if name not in asked.filters and rows is not None:
        return rows
    within = live.catalogue.within({n: f for n, f in asked.filters.items() if n != name})
    if found.query is None:
        return _all(live, within)
    return candidates_of(live.builder, found.query, count, within)


def retrieval_order(live: LiveRun, found: Found, count: int) -> np.ndarray:
    """The candidates by their places in the searches that found them, merged by reciprocal rank: no model."""
    if found.query is None or found.candidates is None:
        return np.zeros(0, dtype=np.int64) if found.candidates is None else found.candidates
    vectors = live.builder.catalogue.vectors
    hits = [vectors.nearest(found.query, by, count, found.within) for by in vectors.searched.values()]
    lexical = live.builder.groups.get("lexical")
    if isinstance(lexical, LexicalGroup):
        hits.append(lexical.best(found.query, count, found.within))
    worth = np.zeros(live.catalogue.products.height)
    for hit in hits:
        worth[hit.items] += 1 / (_MERGED + 1 + np.arange(len(hit.items)))
    return found.candidates[np.argsort(-worth[found.candidates], kind="stable")]


def similar(live: LiveRun, row: int, count: int, request_id: str) -> Found:
    """The run's candidates for a query made of a product's title and photo, without the product itself."""
    title = live.catalogue.products["title"][row] if "title" in live.catalogue.products.columns else None
    reads_photos = any(one.query.modality == "image" for one in live.builder.catalogue.vectors.compared)
    photo = live.photos.original(row) if reads_photos else None
    found = Found(query=live.query(title, photo, request_id))
    rows = candidates_of(live.builder, found.query, count) if found.query else np.zeros(0, dtype=np.int64)
    found.candidates = rows[rows != row]
    scores = live.run.score_list(live.builder, found.query, found.candidates) if found.query else rows
    order = best_first(found.candidates, scores)
    found.rows, found.scores = found.candidates[order], scores[order]
    return found
