"""Queries that say by whom and when they were asked get their history from the events, and raw ids nowhere."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features import Shop
from features.sources.events import Events, write_ubi
from features.sources.load import CatalogueConfig, load
from features.sources.privacy import Key, are_pseudonyms, pseudonym

PRODUCTS = pl.DataFrame({"product_id": list("abcdef"), "title": [f"thing {c}" for c in "abcdef"]})
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def read(queries: list[dict[str, Any]], events: list[dict[str, Any]], **columns: str) -> Shop:
    given = {"query_id": [f"q{i}" for i in range(len(queries))], "text": ["thing"] * len(queries)}
    frame = pl.DataFrame(given).hstack(pl.DataFrame(queries, infer_schema_length=None))
    settings = {"events": {"action": "click"}, "queries": {"columns": columns}}
    return Shop.from_frames(products=PRODUCTS, queries=frame, events=pl.DataFrame(events), settings=settings)


@pytest.mark.parametrize("seed", range(6))
def test_each_history_is_what_was_known_before_that_query(seed: int) -> None:
    """Ids as numbers or texts, in columns of any name, sessions, shoppers or both, in any order of rows."""
    draw = random.Random(seed)
    kind = draw.choice([int, str, lambda number: f"person {number}"])
    who = draw.choice([["session"], ["shopper"], ["session", "shopper"]])
    events = [
        {"product_id": draw.choice("abcdef"), "at": START + minute * HOUR / 60}
        | {"session": kind(draw.randrange(4)), "shopper": kind(draw.randrange(3))}
        for minute in draw.sample(range(40 * 60), 60)
    ]
    called = {name: draw.choice([name, f"my {name}"]) for name in who}
    asked: list[dict[str, Any]] = [
        {"at": START + draw.randrange(45) * HOUR} | {called[name]: kind(draw.randrange(4)) for name in who}
        for _ in range(20)
    ]
    shop = read(asked, events, **called)
    assert shop.events is not None
    for name in who:
        assert are_pseudonyms(shop.queries[name]).all()
    met = 0
    for query, history in zip(asked, shop.queries["history"].to_list(), strict=True):
        before = [
            event
            for event in events
            if event["at"] < query["at"] and any(event[name] == query[called[name]] for name in who)
        ]
        last = {event["product_id"]: event["at"] for event in sorted(before, key=lambda event: event["at"])}
        assert history == (sorted(last, key=lambda name: (last[name], name)) or None)
        met += bool(history)
    assert met
    said = [remark.evidence for remark in shop.remarks if remark.check == "queries: history"]
    assert said == [f"{met:,} of 20 queries have a history in the events before them"]
    assert "person 1" not in str([shop.remarks, shop.steps, shop.rejected, shop.queries])


def test_a_given_history_stays() -> None:
    events = [{"product_id": "a", "at": START, "session": "s"}]
    asked = [{"at": START + HOUR, "session": "s", "history": given} for given in ("c|d", None)]
    assert read(asked, events).queries["history"].to_list() == [["c", "d"], ["a"]]


def test_who_without_when_is_said_and_when_without_who_is_enough_for_behaviour() -> None:
    events = [{"product_id": "a", "at": START, "session": "s"}]
    shop = read([{"session": "s"}], events)
    assert [remark.level for remark in shop.remarks if remark.check == "queries: history"] == ["WARN"]
    assert "history" not in shop.queries.columns
    shop = read([{"at": START}], events)
    assert not [remark for remark in shop.remarks if remark.check == "queries: history"]


@pytest.mark.parametrize("key", [1, 2])
def test_a_log_s_pseudonyms_are_found_by_raw_ids_under_the_same_key(
    key: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server writes its log, and a shop its queries; after a change of the key nothing fits, which is said."""
    monkeypatch.setenv("SHOP_LTR_PSEUDONYM_KEY", f"{key} {str(key) * 64}")
    who = pseudonym("person 7", Key(1, bytes.fromhex("1" * 64)))
    acted = {"product_id": "a", "action": "click", "acted_at": START, "available_at": START, "shopper": who}
    write_ubi(Events(Events.none().shown, pl.DataFrame([acted])), tmp_path / "log")
    asked = {"query_id": "q", "text": "thing", "at": START + HOUR, "shopper": "person 7"}
    pl.DataFrame([asked]).write_parquet(tmp_path / "queries.parquet")
    PRODUCTS.write_parquet(tmp_path / "products.parquet")
    places = {"products": "products.parquet", "queries": "queries.parquet", "events": "log"}
    config = CatalogueConfig.model_validate({name: {"path": path} for name, path in places.items()})
    shop = load(config, tmp_path)
    said = next(remark for remark in shop.remarks if remark.check == "queries: history")
    assert shop.queries["history"].to_list() == ([["a"]] if key == 1 else [None])
    assert (said.level == "PASS") == (key == 1)
    assert "key" in said.cure or key == 1
