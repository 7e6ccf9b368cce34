"""A shopper's request → the list to show: candidates within the filters, the run's order, exploration, facets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.batch import QueryBatch
from features.groups.lexical import LexicalGroup
from ltr.experiments.interleaving.settings import Method
from ltr.serving.catalogue.shown_catalogue import Filter
from ltr.serving.lists.exploration import Arranged, as_ranked, generator, mixed, swapped
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import best_first, candidates_of

_MERGED = 60  # of reciprocal rank fusion: how slowly a place's worth falls (Cormack et al., SIGIR 2009)


@dataclass(frozen=True)
class Asked:
    """What a shopper looks for.

    sort: see `catalogue.SORTS`; count: candidates, None for as many as the run was trained with; list_id: whose
    draws exploration makes.
    """

    list_id: str
    count: int | None
    text: str | None = None
    photo: bytes | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sort: str = "relevance"
    facets: bool = True
    history: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exploring:
    """How lists are changed on purpose; others: the runs whose lists are mixed in, by which method."""

    swaps: float = 0.0
    depth: int = 10
    others: Sequence[LiveRun] = ()
    method: Method = "team-draft"


@dataclass
class Found:
    """A list under way: what is known of it so far is what a request that ran out of time answers.

    candidates: (n,) rows of the index, rising; scores: (n,) beside them, None where nothing was scored; shown: the
    list in the order to show, of as many rows or more (interleaving adds the other runs'); ignored: by their place in
    the request, values that changed nothing.
    """

    query: QueryBatch | None = None
    within: np.ndarray | None = None
    candidates: np.ndarray | None = None
    scores: np.ndarray | None = None
    shown: Arranged | None = None
    ignored: dict[str, list[str]] = field(default_factory=dict)
    facets: dict[str, Any] = field(default_factory=dict)

    def so_far(self) -> Found:
        """What is known by now, which the thread that goes on filling this one in does not touch."""
        shown = self.shown  # set last: with it, the scores that it was ordered by are there
        return dataclasses.replace(self, shown=shown, facets=dict(self.facets))

    def scores_of(self, rows: Sequence[int]) -> list[float | None]:
        """Beside rows of the list; None for what was not scored: sorted by price, or the other run's candidate."""
        if self.scores is None or self.candidates is None or not len(self.candidates):
            return [None] * len(rows)
        places = np.minimum(np.searchsorted(self.candidates, rows), len(self.candidates) - 1)
        there = (self.candidates[places] == rows).tolist()
        scores = self.scores[places].tolist()
        return [score if known else None for known, score in zip(there, scores, strict=True)]


def search(live: LiveRun, asked: Asked, exploring: Exploring, found: Found) -> Found:
    """Fill `found` in, step by step. Raises InputError for filters or a sort that the catalogue does not have."""
    live.catalogue.check(asked.filters)
    found.within = live.catalogue.within(asked.filters)
    found.ignored = live.catalogue.unmet(asked.filters)
    if unread := _unread(live, asked):
        found.ignored["history"] = unread
    if asked.photo is not None and not live.reads_photos:
        found.ignored["photo"] = [f"no encoder of {live.name} reads photos"]
    if asked.text is None and asked.photo is None:
        found.candidates = _all(live, found.within)
    else:
        found.query = live.query(asked.text, asked.photo, asked.list_id, asked.history)
        found.candidates = candidates_of(
            live.builder, found.query, asked.count or live.candidates, found.within
        )
    if asked.sort != "relevance" or found.query is None:
        found.shown = as_ranked(live.catalogue.sorted_by(asked.sort, found.candidates))
    else:
        found.shown = _ranked(live, asked, exploring, found)
    if asked.facets:
        found.facets = facets_of(live, asked, found)
    return found


def _unread(live: LiveRun, asked: Asked) -> list[str]:
    """What of the history no feature takes: what the catalogue does not have, or all of it."""
    if not live.reads_history or asked.sort != "relevance":
        return list(dict.fromkeys(asked.history))
    return live.catalogue.unknown(asked.history)


def _ranked(live: LiveRun, asked: Asked, exploring: Exploring, found: Found) -> Arranged:
    """By the run's scores, and then as exploration has it."""
    ranked, found.scores = _in_order(live, found.query, found.candidates)
    rng = generator(asked.list_id)
    if not exploring.others:
        return swapped(ranked, exploring.swaps, exploring.depth, rng)
    lists = [ranked]
    for other in exploring.others:
        query = other.query(asked.text, asked.photo, asked.list_id, asked.history)
        rows = candidates_of(other.builder, query, asked.count or other.candidates, found.within)
        lists.append(_in_order(other, query, rows)[0])
    return mixed(lists, exploring.depth, exploring.method, rng)


def _in_order(
    live: LiveRun, query: QueryBatch | None, candidates: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    if query is None or candidates is None or not len(candidates):
        return np.zeros(0, dtype=np.int64), None
    scores = live.run.score_list(live.builder, query, candidates)
    return candidates[best_first(candidates, scores)], scores


def _all(live: LiveRun, within: np.ndarray | None) -> np.ndarray:
    return np.arange(live.catalogue.products.height) if within is None else np.flatnonzero(within)


def facets_of(live: LiveRun, asked: Asked, found: Found) -> dict[str, Any]:
    """Counts among the candidates, of each column as if it were not filtered itself; and the prices' range."""
    counted = {
        name: live.catalogue.facet(name, _without(live, asked, found, name))
        for name in live.catalogue.facet_columns
    }
    shown: dict[str, Any] = {name: values for name, values in counted.items() if values}
    prices = live.catalogue.price_range(_without(live, asked, found, "price"))
    return shown if prices is None else shown | {"price": prices}


def _without(live: LiveRun, asked: Asked, found: Found, name: str) -> np.ndarray:
    """The candidates as if this column were not filtered."""
    rows = found.candidates
    if name not in asked.filters and rows is not None:
        return rows
    within = live.catalogue.within({n: f for n, f in asked.filters.items() if n != name})
    if found.query is None:
        return _all(live, within)
    return candidates_of(live.builder, found.query, asked.count or live.candidates, within)


def retrieval_order(live: LiveRun, asked: Asked, found: Found) -> Arranged:
    """The candidates by their places in the searches that found them, merged by reciprocal rank: no model."""
    rows = np.zeros(0, dtype=np.int64) if found.candidates is None else found.candidates
    if found.query is None:
        return as_ranked(rows)
    vectors = live.builder.catalogue.vectors
    hits = [
        vectors.nearest(found.query, by, asked.count or live.candidates, found.within)
        for by in vectors.searched.values()
    ]
    lexical = live.builder.groups.get("lexical")
    if isinstance(lexical, LexicalGroup):
        hits.append(lexical.best(found.query, asked.count or live.candidates, found.within))
    worth = np.zeros(live.catalogue.products.height)
    for hit in hits:
        worth[hit.items] += 1 / (_MERGED + 1 + np.arange(len(hit.items)))
    return as_ranked(rows[np.argsort(-worth[rows], kind="stable")])


def similar(live: LiveRun, row: int, asked: Asked, found: Found) -> Found:
    """The run's candidates for a query made of a product's title and photo, without the product itself.

    Fills `found` in, step by step, as `search` does.
    """
    titles = live.catalogue.products["title"] if "title" in live.catalogue.products.columns else None
    photo = live.photos.original(row) if live.reads_photos else None
    found.query = live.query(None if titles is None else titles[row], photo, asked.list_id)
    rows = candidates_of(live.builder, found.query, asked.count or live.candidates)
    found.candidates = rows[rows != row]
    ranked, found.scores = _in_order(live, found.query, found.candidates)
    found.shown = as_ranked(ranked)
    return found
