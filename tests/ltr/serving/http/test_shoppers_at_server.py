"""Simulated people at the server: what its log has is what they saw and did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from features.sources.events import read_ubi
from ltr.demo.shop import DemoShopConfig, generate
from ltr.demo.shoppers import Shoppers, ShopperSettings, shop_at
from tests.ltr.serving.http.conftest import BEARER, KEY, Clients

PAIR = ["request_id", "product_id"]


def test_what_the_log_has_is_what_people_saw_and_did(clients: Clients, tmp_path: Path) -> None:
    shop = generate(DemoShopConfig(products=90, queries=40, judged_per_query=15))
    settings = ShopperSettings(bots=0, shown=8, strength=0.3, carts=1, buys=1, new_products=0)
    client = clients(log=tmp_path / "log")

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(path, json=body, headers=BEARER)
        assert answer.is_success, answer.text
        return answer.json()

    visit = shop_at(Shoppers(shop, settings), post, 10)
    seen = read_ubi(tmp_path / "log", key=KEY)
    theirs, ours = (
        events.shown.select(*PAIR, "position").sort(*PAIR, "position") for events in (seen, visit.events)
    )
    assert theirs.rows() == ours.rows()
    kinds = [*PAIR, "action", "value"]
    assert (
        seen.actions.select(kinds).sort(kinds).rows() == visit.events.actions.select(kinds).sort(kinds).rows()
    )
    assert set(visit.events.actions["action"]) >= {"click", "cart"}
    assert seen.shown["shopper"].n_unique() == visit.events.shown["shopper"].n_unique()
    assert not seen.shown.filter(pl.col("shopper").str.contains("person")).height
