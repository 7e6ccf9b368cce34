"""History: each feature by its formula, and nothing at or after a query's own time."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import polars as pl
import pytest

from features.groups.history import HistoryConfig, HistoryGroup
from features.sources.events import Events, with_history
from features.sources.parsing.histories import read_histories
from tests.features.groups.asking import asked, catalogue_of

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["d", "a", "b", "c"],
        "brand": [None, "x", "x", "y"],
        "category": ["k", "k", "m", "m"],
        "price": [None, 10.0, 20.0, 40.0],
    }
)
START = datetime(2026, 3, 1)


@pytest.mark.parametrize("text", [True, False])
def test_each_feature_is_its_formula(text: bool) -> None:
    met = "a|gone|b|a" if text else ["a", "gone", "b", "a"]
    queries = pl.DataFrame({"query_id": ["q", "none"], "history": [met, None]})
    catalogue = catalogue_of(PRODUCTS)
    group = HistoryGroup.index(catalogue, HistoryConfig())
    pairs = queries.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
    found = pl.concat([pairs, asked(group, catalogue, queries, pairs)], how="horizontal")
    rows = {row["product_id"]: row for row in found.filter(query_id="q").to_dicts()}
    assert [rows[p]["history.brand_share"] for p in "abcd"] == [1, 1, 0, None]
    assert rows["d"]["history.category_share"] == pytest.approx(2 / 3)
    assert rows["c"]["history.price_gap"] == pytest.approx(1.3862944, abs=1e-5)
    assert [rows[p]["history.seen"] for p in "abcd"] == [1, 1, 0, 0]
    assert [rows[p]["history.steps_ago"] for p in "abcd"] == [1, 2, None, None]
    nobody = found.filter(query_id="none").drop("query_id", "product_id")
    assert nobody.null_count().sum_horizontal().item() == nobody.height * nobody.width


def test_histories_are_read_by_the_rules_of_ids() -> None:
    text = pl.Series("history", [" 7.0|8.0", None, "", "9.0"])
    assert read_histories(text, "here").values.to_list() == [["7", "8"], None, None, ["9"]]
    numbers = pl.Series("history", [[7, None], [], None])
    assert read_histories(numbers, "here").values.to_list() == [["7"], None, None]


@pytest.mark.parametrize("seed", range(10))
def test_a_history_holds_what_was_known_before_the_query(seed: int) -> None:
    """Against a recount row by row; times meet often, so that a click at the query's own time is among them."""
    draw = random.Random(seed)
    acts = [
        (draw.choice("abcdef"), draw.randrange(12), draw.randrange(3), draw.choice("st"), draw.choice("uv"))
        for _ in range(30)
    ]
    minute = timedelta(minutes=1)
    actions = pl.DataFrame(
        [(p, "click", START + t * minute, START + (t + late) * minute, s, u) for p, t, late, s, u in acts],
        schema=["product_id", "action", "acted_at", "available_at", "session", "shopper"],
        orient="row",
    )
    shown = pl.DataFrame(
        schema={
            "request_id": pl.String,
            "shown_at": pl.Datetime,
            "product_id": pl.String,
            "position": pl.Int32,
        }
    )
    times = list(range(12))
    queries = pl.DataFrame({"at": [START + t * minute for t in times], "session": "s", "shopper": "u"})
    found = with_history(queries, Events(shown, actions), most=3)["history"].to_list()
    for at, history in zip(times, found, strict=True):
        last: dict[str, int] = {}
        for product, acted, late, session, shopper in acts:
            if acted + late < at and (session == "s" or shopper == "u"):
                last[product] = max(acted, last.get(product, -1))
        assert history == (sorted(last, key=lambda p: (last[p], p))[-3:] or None)
