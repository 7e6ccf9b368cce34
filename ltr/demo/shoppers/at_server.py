"""The same people at a running server: they ask it, look at what it shows, and tell it what they did."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from ltr.demo.shoppers.people import Requests
from ltr.demo.shoppers.policy import Shown
from ltr.demo.shoppers.visits import Shoppers, Visit

Post = Callable[[str, dict[str, Any]], Mapping[str, Any]]
"""Posts a JSON body to a path of the server and returns the answer's JSON; raises where it is refused."""


def shop_at(shoppers: Shoppers, post: Post, sessions: int, seed: int = 0, at_once: int = 1) -> Visit:
    """Searches by words, photo or both, so many at once; then all actions, told as done now.

    The visit's events are what the people did by their own clock, under the server's request ids; its own log has
    what the server saw. Products that the shop does not know are passed over, and places below the shown ones.
    """
    requests = shoppers.requests(sessions, seed)
    with ThreadPoolExecutor(at_once) as threads:
        answers = list(threads.map(lambda row: _ask(shoppers, post, requests, row), range(len(requests))))
        products = _shown(shoppers, answers)
        unknown = np.full(products.shape, np.nan)
        answered = pl.Series([str(answer["request_id"]) for answer in answers], dtype=pl.String)
        visit = shoppers.browse(requests, Shown(products, unknown), seed, request_ids=answered)
        row_of = {request_id: row for row, request_id in enumerate(answered)}
        acts = visit.events.actions.partition_by("request_id", maintain_order=True)
        acted = [(row_of[of_one["request_id"][0]], of_one) for of_one in acts]
        list(
            threads.map(lambda one: post("/events", _person(requests, one[0]) | _events_body(one[1])), acted)
        )
    return visit


def _ask(shoppers: Shoppers, post: Post, requests: Requests, row: int) -> Mapping[str, Any]:
    query = shoppers.shop.queries.row(int(requests.query[row]), named=True)
    asked = {"text": query["text"]} if query["text"] else {}
    if query["image"]:
        asked["photo"] = base64.b64encode(query["image"]).decode()
    asked |= _person(requests, row)
    return post("/search", asked | {"size": shoppers.settings.shown, "facets": False})


def _shown(shoppers: Shoppers, answers: list[Mapping[str, Any]]) -> np.ndarray:
    """(requests, shown) rows of the shop's products, -1 where a list is shorter."""
    place = {product: row for row, product in enumerate(shoppers.shop.products["product_id"])}
    products = np.full((len(answers), shoppers.settings.shown), -1, dtype=np.int64)
    for number, answer in enumerate(answers):
        rows = [place[card["product_id"]] for card in answer["products"] if card["product_id"] in place]
        products[number, : len(rows)] = rows[: products.shape[1]]
    return products


def _person(requests: Requests, row: int) -> dict[str, Any]:
    return {"shopper": f"person {requests.person[row]}", "session": f"visit {requests.session[row]}"}


def _events_body(acts: pl.DataFrame) -> dict[str, Any]:
    """A request's actions in one message."""
    return {
        "events": [
            {name: act[name] for name in ("product_id", "action", "request_id")}
            | ({} if act["value"] is None else {"value": act["value"]})
            for act in acts.sort("acted_at").iter_rows(named=True)
        ]
    }
