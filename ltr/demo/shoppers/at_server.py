"""The same people at a running server: they ask it, look at what it shows, and tell it what they did."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from ltr.demo.shoppers.policy import Shown
from ltr.demo.shoppers.visits import Shoppers, Visit

Post = Callable[[str, dict[str, Any]], Mapping[str, Any]]
"""Posts a JSON body to a path of the server and returns the answer's JSON; raises where it is refused."""


def shop_at(shoppers: Shoppers, post: Post, sessions: int, seed: int = 0) -> Visit:
    """One search after the other, each by words, photo or both; then all actions, told as done now.

    The visit's events are what the people did by their own clock, under the server's request ids; its own log has
    what the server saw. Products that the shop does not know are passed over, and places below the shown ones.
    """
    requests = shoppers.requests(sessions, seed)
    place = {product: row for row, product in enumerate(shoppers.shop.products["product_id"])}
    products = np.full((len(requests), shoppers.settings.shown), -1, dtype=np.int64)
    answered = []
    for number in range(len(requests)):
        person = _person(int(requests.person[number]), int(requests.session[number]))
        body = _asked(shoppers, int(requests.query[number])) | person
        answer = post("/search", body | {"size": shoppers.settings.shown, "facets": False})
        answered.append(str(answer["request_id"]))
        rows = [place[card["product_id"]] for card in answer["products"] if card["product_id"] in place]
        products[number, : len(rows)] = rows[: products.shape[1]]
    unknown = np.full(products.shape, np.nan)
    visit = shoppers.browse(requests, Shown(products, unknown), seed, request_ids=pl.Series(answered))
    _tell(visit, requests.person, requests.session, answered, post)
    return visit


def _person(person: int, session: int) -> dict[str, str]:
    return {"shopper": f"person {person}", "session": f"visit {session}"}


def _asked(shoppers: Shoppers, query: int) -> dict[str, str]:
    row = shoppers.shop.queries.row(query, named=True)
    asked = {"text": row["text"]} if row["text"] else {}
    if row["image"]:
        asked["photo"] = base64.b64encode(row["image"]).decode()
    return asked


def _tell(visit: Visit, person: np.ndarray, session: np.ndarray, answered: list[str], post: Post) -> None:
    """A request's actions in one message."""
    number = {request_id: row for row, request_id in enumerate(answered)}
    for (request_id,), acts in visit.events.actions.group_by("request_id", maintain_order=True):
        row = number[str(request_id)]
        told = [
            {"product_id": act["product_id"], "action": act["action"], "request_id": request_id}
            | ({} if act["value"] is None else {"value": act["value"]})
            for act in acts.sort("acted_at").iter_rows(named=True)
        ]
        post("/events", _person(int(person[row]), int(session[row])) | {"events": told})
