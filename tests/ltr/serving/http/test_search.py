"""Searching by the API: the run's own order, filters, facets, pages, sorts; photos and suggestions."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from starlette.testclient import TestClient

from features.batch import QueryBatch
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import one_query, rank, read_as

WORDS = "blue shoes"


def found(client: TestClient, **asked: Any) -> dict[str, Any]:
    answer = client.post("/search", json={"text": WORDS, "size": 100, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: dict[str, Any]) -> list[str]:
    return [product["product_id"] for product in answer["products"]]


def test_the_order_is_that_of_ltr_rank(client: TestClient, live: LiveRun) -> None:
    answer = found(client)
    ranked = rank(live.run, live.builder, QueryBatch(one_query(WORDS, None)))
    assert ids(answer) == ranked["product_id"].to_list()[:100]
    assert [p["score"] for p in answer["products"]] == ranked["score"].to_list()[:100]
    assert answer["run"] == {"name": live.name, "version": live.version}
    assert [p["position"] for p in answer["products"]] == list(range(1, answer["total"] + 1))


def test_a_typo_is_read_as_the_nearest_word_which_is_said(client: TestClient) -> None:
    answer = found(client, text="blue trousres")
    assert answer["read_as"] == {"trousres": "trouser"}
    assert answer["total"] > 0
    assert found(client)["read_as"] == {}
    assert found(client, text=None, sort="price")["read_as"] == {}


def test_products_like_one_are_looked_for_by_words_that_products_have(live: LiveRun) -> None:
    """So nothing is read otherwise, and nothing is to be told: the words are a product's own title."""
    titles = live.catalogue.products["title"].drop_nulls().to_list()
    assert titles
    assert {str(read_as(live.builder, live.query(title, None, "like"))) for title in titles} == {"{}"}


def test_pages_part_one_list(client: TestClient) -> None:
    whole = found(client)
    parts = [
        found(client, size=7, page=page) for page in range(1, whole["pages"] * 100)[: -(-whole["total"] // 7)]
    ]
    assert [one for part in parts for one in ids(part)] == ids(whole)
    assert found(client, size=7, page=1000)["products"] == []


@pytest.mark.parametrize("seed", range(8))
def test_filters_keep_what_they_say_and_facets_count_it(client: TestClient, live: LiveRun, seed: int) -> None:
    rng = np.random.default_rng(seed)
    products = live.catalogue.products
    paths = products["category"].drop_nulls().unique().sort().to_list()
    chosen: dict[str, Any] = {}
    if seed % 2:
        chosen["brand"] = rng.choice(products["brand"].drop_nulls().unique().sort().to_list(), 3).tolist()
    if seed % 3:
        chosen["category"] = [str(rng.choice(paths)).split(" > ")[0]]
    if seed % 4:
        low = float(rng.uniform(5, 60))
        chosen["price"] = {"min": low, "max": low + 100}
    chosen["season"] = ["summer", "winter"]
    answer = found(client, filters=chosen)
    kept = products.filter(product_id=pl.col("product_id")).filter(
        pl.col("season").is_in(["summer", "winter"]),
        *([pl.col("brand").is_in(chosen["brand"])] if "brand" in chosen else []),
        *([pl.col("category").str.starts_with(chosen["category"][0])] if "category" in chosen else []),
        *([pl.col("price").is_between(low, low + 100)] if "price" in chosen else []),
    )
    assert set(ids(answer)) <= set(kept["product_id"])
    for product in ids(answer):
        row = live.catalogue.row_of(product)
        assert live.catalogue.within({n: tuple(v) for n, v in chosen.items() if n != "price"})[row]
    rows = products.filter(pl.col("product_id").is_in(ids(answer)))
    for name in {"brand", "season"} - set(chosen):
        counted = {one["value"]: one["count"] for one in answer["facets"].get(name, [])}
        assert counted == dict(rows[name].drop_nulls().value_counts().rows())
    seasons = {one["value"] for one in answer["facets"]["season"]}
    every = found(client, filters={n: v for n, v in chosen.items() if n != "season"})
    assert seasons == {
        one["value"] for one in every["facets"].get("season", [])
    }  # as if it were not filtered


@pytest.mark.parametrize(
    ("sort", "column", "falling"), [("price", "price", False), ("-price", "price", True)]
)
def test_sorted_by_price_the_unpriced_come_last(
    client: TestClient, sort: str, column: str, falling: bool
) -> None:
    prices = [p[column] for p in found(client, sort=sort)["products"]]
    known = [price for price in prices if price is not None]
    assert known == sorted(known, reverse=falling)
    assert prices[len(known) :] == [None] * (len(prices) - len(known))


def test_without_words_the_filtered_catalogue_by_date(client: TestClient, live: LiveRun) -> None:
    answer = found(client, text=None, sort="newest", filters={"season": ["summer"]})
    newest = live.catalogue.products.filter(season="summer").sort(
        "listed_at", descending=True, nulls_last=True, maintain_order=True
    )
    assert ids(answer) == newest["product_id"].to_list()


def test_a_photo_finds_its_own_product_by_look(client: TestClient, live: LiveRun) -> None:
    photo = live.photos.original(3)
    assert photo is not None
    for text in (
        base64.b64encode(photo).decode(),
        "data:image/png;base64," + base64.b64encode(photo).decode(),
    ):
        answer = found(client, text=None, photo=text)
        assert live.catalogue.products["product_id"][3] in ids(answer)


@pytest.mark.parametrize("size", ["small", "large"])
def test_thumbnails_are_made_once(client: TestClient, live: LiveRun, size: str) -> None:
    product = live.catalogue.products["product_id"][3]
    first = client.get(f"/photo/{product}?size={size}")
    assert first.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(first.content)) as picture:
        assert max(picture.size) <= 800
    again = client.get(f"/photo/{product}?size={size}")
    assert (again.content, again.headers["last-modified"]) == (first.content, first.headers["last-modified"])


def test_products_like_one_leave_it_out(client: TestClient, live: LiveRun) -> None:
    product = live.catalogue.products["product_id"][3]
    answer = client.get(f"/similar/{product}?size=5").json()
    assert len(answer["products"]) == 5
    assert product not in ids(answer)


def test_suggestions_begin_as_typed(client: TestClient, live: LiveRun) -> None:
    products = live.catalogue.products
    brand, title = products["brand"].drop_nulls()[0], products["title"].drop_nulls()[0]
    texts = [one["text"] for one in client.get(f"/suggest?q={brand[:4].upper()}").json()["suggestions"]]
    assert brand in texts
    texts = [
        one["text"]
        for one in client.get("/suggest", params={"q": title[:9], "size": 20}).json()["suggestions"]
    ]
    assert title in texts
    assert client.get("/suggest?q=%20").json()["suggestions"] == []


def test_the_product_whole(client: TestClient, live: LiveRun) -> None:
    card = client.get("/product/p000001").json()["product"]
    assert card["season"] == live.catalogue.products["season"][1]
    assert "image" not in card
