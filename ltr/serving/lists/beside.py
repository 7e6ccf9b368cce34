"""One query by two orders side by side: the run that serves against BM25 alone or another run, and what moved."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import polars as pl

from features.batch import QueryBatch
from features.errors import InputError
from features.groups.lexical import LexicalGroup
from ltr.serving.lists.searching import Asked, Exploring, Found, search
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.ranking import read_as

BM25 = "bm25"


class OpenedRun:
    """The run that was looked at last beside the one that serves: opening one takes seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: LiveRun | None = None

    def of(self, runs: LiveRuns, name: str) -> LiveRun:
        """The run of that name beside the one that serves; InputError where there is none. Call it in a thread."""
        for known in (runs.now, runs.before, *runs.others):
            if known is not None and known.name == name:
                return known
        if name not in runs.names():
            raise InputError(
                where="against",
                expected=f"{BM25}, or a run in {runs.folder.name}/",
                got=repr(name),
                cure=f"name one of {', '.join([BM25, *runs.names()])}",
            )
        with self._lock:
            if self._last is None or self._last.name != name:
                self._last = LiveRun(runs.folder / name)
            self._last = self._last.refreshed()
            return self._last


def side_by_side(live: LiveRun, other: LiveRun | None, asked: Asked, size: int) -> dict[str, Any]:
    """The first `size` of both lists, each product with its position in the other, and how many moved how; and what
    words each read as others, which hangs on its catalogue and its settings.

    other: None for BM25 over the run's own index.
    """
    ours, theirs = _rows(live, asked), _bm25(live, asked) if other is None else _rows(other, asked)
    theirs_of = live if other is None else other
    words = QueryBatch(pl.DataFrame({"text": pl.Series([asked.text], dtype=pl.String)}))
    first, second = (_ids(one, rows) for one, rows in ((live, ours), (theirs_of, theirs)))
    return {
        "read_as": {"ours": read_as(live.builder, words), "theirs": read_as(theirs_of.builder, words)},
        "ours": _cards(live, ours[:size], second),
        "theirs": _cards(theirs_of, theirs[:size], first),
        "moved": _moved(list(first)[:size], list(second)[:size]),
    }


def _rows(live: LiveRun, asked: Asked) -> list[int]:
    found = search(live, dataclasses.replace(asked, facets=False), Exploring(), Found())
    return [] if found.shown is None else found.shown.rows.tolist()


def _bm25(live: LiveRun, asked: Asked) -> list[int]:
    lexical = live.builder.groups.get("lexical")
    if not isinstance(lexical, LexicalGroup):
        raise InputError(
            where="against",
            expected="a run with lexical features, of which BM25 is one",
            got=f"features of {', '.join(live.builder.groups)} only",
            cure="compare with another run",
        )
    live.catalogue.check(asked.filters)
    query = live.query(asked.text, asked.photo, asked.list_id)
    rows: list[int] = lexical.best(
        query, asked.count or live.candidates, live.catalogue.within(asked.filters)
    ).items.tolist()
    return rows


def _ids(live: LiveRun, rows: list[int]) -> dict[str, int]:
    """Position, from 1, by product."""
    ids = live.catalogue.products["product_id"]
    return {ids[row]: place for place, row in enumerate(rows, start=1)}


def _cards(live: LiveRun, rows: list[int], elsewhere: dict[str, int]) -> list[dict[str, Any]]:
    cards = live.catalogue.cards(rows)
    return [
        {"position": place, **card, "elsewhere": elsewhere.get(card["product_id"])}
        for place, card in enumerate(cards, start=1)
    ]


def _moved(ours: list[str], theirs: list[str]) -> dict[str, int]:
    """Of the products in the first list: how many stand where the other has them, higher, lower, or are new to it."""
    places = {product: place for place, product in enumerate(theirs)}
    steps = [places[product] - place for place, product in enumerate(ours) if product in places]
    return {
        "same": steps.count(0),
        "higher": sum(step > 0 for step in steps),
        "lower": sum(step < 0 for step in steps),
        "new": len(ours) - len(steps),
    }
