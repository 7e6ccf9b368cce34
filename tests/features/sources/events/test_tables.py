"""Plain tables of events: every way in which shops write them comes to the same two frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features import Shop
from features.errors import InputError
from features.sources.events import Events
from features.sources.parsing.ids import nearly_known
from features.sources.privacy import are_pseudonyms
from tests.features.sources.test_real_sets import SHARED

PRODUCTS = pl.DataFrame({"product_id": ["a", "b", "c"], "title": ["hat", "cap", "bag"]})
QUERIES = pl.DataFrame({"query_id": ["q1", "q2"], "text": ["warm hat", "cap"]})
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_LTR_PSEUDONYM_KEY", f"1 {'5' * 64}")


def read(rows: list[dict[str, Any]], **settings: Any) -> tuple[Events, dict[str, int], Shop]:
    shop = Shop.from_frames(
        products=PRODUCTS, queries=QUERIES, events=pl.DataFrame(rows), settings={"events": settings}
    )
    assert shop.events is not None
    steps = {step.step: step.affected for step in shop.steps if step.table == "events" and step.affected}
    return shop.events, steps, shop


PRINTED = [
    *("a|b|c", ["a", "b", "c"], "a,b,c", "a b c", "a; b; c", "[a|b|c]", "[a, b, c]", "{a,b,c}", "(a, b, c)"),
    *(
        '["a", "b", "c"]',
        "['a', 'b', 'c']",
        "('a', 'b', 'c')",
        "['a' 'b' 'c']",
        '{"a","b","c"}',
        '"a","b","c"',
    ),
]


@pytest.mark.parametrize("shown", PRINTED)
def test_lists_in_one_cell(shown: Any) -> None:
    row = {"reference": "b", "impressions": shown, "at": NOON, "kind": "clickout item", "visit": 7}
    columns = {"product_id": "reference", "shown": "impressions", "action": "kind", "session": "visit"}
    rows = [row, row | {"at": NOON + timedelta(hours=1)}]
    events, _, _ = read(rows, columns=columns, actions={"Clickout Item": "click"})
    assert events.shown["product_id"].to_list() == ["a", "b", "c"] * 2
    assert events.shown["position"].to_list() == [1, 2, 3] * 2
    assert events.shown["request_id"].n_unique() == 2
    assert (
        events.actions["request_id"].to_list()
        == events.shown["request_id"].unique(maintain_order=True).to_list()
    )
    assert are_pseudonyms(events.actions["session"]).all()


@pytest.mark.parametrize(
    ("written", "action"),
    [
        *(("select_item", "click"), ("Product Clicked", "click"), ("itemClick", "click"), ("CLICK", "click")),
        *(("add_to_cart", "cart"), ("Product Added", "cart"), ("addToCart", "cart"), ("add-to-cart", "cart")),
        *(("Order Completed", "purchase"), ("checkout_completed", "purchase"), ("Purchase", "purchase")),
        *(("refund", "return"), ("Order Refunded", "return"), ("add_to_wishlist", "like")),
    ],
)
def test_actions_as_programs_name_them(written: str, action: str) -> None:
    row = {"product_id": "a", "action": written, "at": NOON, "session": "s"}
    events, _, _ = read([row, row | {"product_id": "b", "action": "page_scroll"}])
    assert events.actions["action"].to_list() == [action]


@pytest.mark.parametrize("written", ["view", "View", "product_view", "Product View"])
@pytest.mark.parametrize("more", [{}, {"session": "s1"}, {"shopper": 7}])
def test_a_view_outside_any_list_opened_the_products_page(written: str, more: dict[str, Any]) -> None:
    rows = [{"product_id": one, "action": written, "at": NOON, **more} for one in "abc"]
    rows.append({"product_id": "a", "action": "addtocart", "at": NOON, **more})
    events, steps, _ = read(rows)
    assert events.actions["action"].to_list() == ["click", "click", "click", "cart"]
    assert events.shown.is_empty()
    assert [count for step, count in steps.items() if step.startswith("view outside any list")] == [3]
    said_otherwise, steps, _ = read(rows, actions={written: "shown"})
    assert said_otherwise.actions["action"].to_list() == ["cart"]
    assert steps["shown without a request_id"] == 3


@pytest.mark.parametrize("place", [{"request_id": "r"}, {"position": 2}, {"request_id": "r", "position": 2}])
def test_a_view_of_a_list_is_no_click(place: dict[str, Any]) -> None:
    rows = [{"product_id": "a", "action": "view", "at": NOON, **place}]
    rows.append({"product_id": "a", "action": "click", "at": NOON, "request_id": None, "position": None})
    events, _, _ = read(rows)
    assert events.actions["action"].to_list() == ["click"]
    assert events.shown.height == (len(place) == 2)


def test_kinds_of_actions_that_are_left_out_are_named_the_most_frequent_first() -> None:
    kinds = ["scroll"] * 3 + [f"kind {number}" for number in range(7)] + ["click"]
    rows = [{"product_id": "a", "action": kind, "at": NOON, "session": "s"} for kind in kinds]
    _, steps, _ = read(rows)
    (message,) = (step for step in steps if step.startswith("action of another kind"))
    assert message.startswith("action of another kind ('scroll', 'kind ")
    assert message.endswith(", …): left out")
    assert steps[message] == 10


@pytest.mark.parametrize("shown", [0, 40])
@pytest.mark.parametrize("kinds", [["klick"], ["scroll", "hover", "scroll"], [f"kind {n}" for n in range(9)]])
def test_a_table_whose_actions_are_all_of_other_kinds_is_refused(kinds: list[str], shown: int) -> None:
    row = {"product_id": "a", "at": NOON, "request_id": "r"}
    rows = [row | {"action": "impression", "position": place + 1} for place in range(shown)]
    rows += [
        row | {"action": kind, "position": None, "request_id": f"r{number}"}
        for number, kind in enumerate(kinds)
    ]
    with pytest.raises(InputError) as refused:
        read(rows)
    message = str(refused.value)
    assert "click, cart, purchase, return, like" in message
    assert f"{len(kinds)} of other kinds alone: '{kinds[0]}'" in message
    assert "events.actions" in message
    events, steps, _ = read(rows, actions={kinds[0]: "click"})
    assert events.actions.height == kinds.count(kinds[0])
    assert sum(count for step, count in steps.items() if "another kind" in step) == len(kinds) - kinds.count(
        kinds[0]
    )


@pytest.mark.parametrize(
    ("known", "written", "way"),
    [
        (["1000", "1001"], "SKU-{}", "before their last number"),
        (["SKU-1000", "SKU-1001"], "{0[4]}{0[5]}{0[6]}{0[7]}", "before their last number"),
        (["ab-1", "ab-2"], "AB-{0[3]}", ""),
        (["1000", "1001"], "00{}", ""),
    ],
)
def test_ids_of_events_that_nearly_join_are_told(known: list[str], written: str, way: str) -> None:
    rows = [
        {"product_id": written.format(one), "action": "click", "at": NOON, "session": "s"} for one in known
    ]
    shop = Shop.from_frames(
        products=pl.DataFrame({"product_id": known, "title": ["hat", "cap"]}),
        queries=QUERIES,
        events=pl.DataFrame(rows),
    )
    (step,) = (step.step for step in shop.steps if "not among the products" in step.step and step.affected)
    assert "2 of 2 such ids would be" in step
    assert way in step


def test_ids_that_share_a_number_are_not_taken_for_each_other() -> None:
    known = pl.Series(["hat-12", "shoe-12", "shoe-13"])
    assert nearly_known(pl.Series(["bag-12"]), known) == (0, "")


@pytest.mark.parametrize("text", ["Warm Hat", "WARM  HAT", " warm hat "])
def test_queries_join_by_their_words_whatever_their_capitals_and_blanks(text: str) -> None:
    row = {"request_id": "r", "query": text, "product_id": "a", "position": 1, "action": "shown", "at": NOON}
    events, _, _ = read([row, row | {"request_id": "s", "query": "cold hat"}])
    assert dict(events.shown.select("request_id", "query_id").rows()) == {"r": "q1", "s": None}


@pytest.mark.parametrize(
    ("shown", "ids"),
    [
        ("7.0|8.0", ["7", "8"]),
        ("[7.0, 8.0]", ["7", "8"]),
        ([7.0, 8.0], ["7", "8"]),
        ("red hat|blue hat", ["red hat", "blue hat"]),
        ('["red hat", "a,b"]', ["red hat", "a,b"]),
        ("{gid://shop/Product/7,gid://shop/Product/8}", ["gid://shop/Product/7", "gid://shop/Product/8"]),
    ],
)
def test_ids_of_a_cell_are_read_as_ids_of_a_column(shown: Any, ids: list[str]) -> None:
    events, _, _ = read([{"shown": shown, "at": NOON, "session": "s"}], action="click")
    assert events.shown["product_id"].to_list() == ids


def test_a_missing_id_keeps_its_place() -> None:
    events, _, _ = read([{"shown": ["a", None, "c"], "at": NOON, "session": "s"}], action="click")
    assert events.shown.select("product_id", "position").rows() == [("a", 1), ("c", 3)]


@pytest.mark.parametrize(
    "shown", ['[{"product_id": "a"}]', "{'id': 'a'}", [{"product_id": "a"}], '[{"id":1},{"id":2}]']
)
def test_lists_of_objects_are_refused(shown: Any) -> None:
    with pytest.raises(InputError, match=r"expected lists of ids, got .*objects.*one row a product"):
        read([{"shown": shown, "at": NOON, "session": "s"}], action="click")


def test_one_row_a_shown_product_and_one_an_action() -> None:
    rows = [
        {"list": "r1", "query": "warm  hat", "product_id": "a", "rank": 0, "what": "impression", "at": NOON},
        {"list": "r1", "query": "warm  hat", "product_id": "b", "rank": 1, "what": "impression", "at": NOON},
        {"list": "r1", "query": None, "product_id": "b", "rank": None, "what": "Buy", "at": NOON},
        {"list": "r1", "query": None, "product_id": "b", "rank": None, "what": "scroll", "at": NOON},
    ]
    columns = {"request_id": "list", "position": "rank", "action": "what"}
    events, steps, _ = read(rows, columns=columns)
    assert events.shown.select("product_id", "position", "query_id").rows() == [
        ("a", 1, "q1"),
        ("b", 2, "q1"),
    ]
    assert events.actions.select("request_id", "product_id", "action").rows() == [("r1", "b", "purchase")]
    assert steps["positions from 0 raised by one"] == 2
    (other,) = (step for step in steps if step.startswith("action of another kind ("))
    assert steps[other] == 1


def test_purchases_alone_on_days_are_known_when_the_day_has_ended() -> None:
    rows = [{"person": i, "product_id": "a", "at": "2026-03-01", "paid": "12.50"} for i in (1, 1, 2)]
    events, steps, shop = read(rows, columns={"shopper": "person", "value": "paid"}, action="purchase")
    assert events.actions.height == 3, "two pieces are no copies"
    assert events.actions["available_at"].unique().to_list() == [datetime(2026, 3, 2, tzinfo=UTC)]
    assert events.actions["value"].unique().to_list() == [12.5]
    assert not steps
    assert any("when the day has ended" in remark.evidence for remark in shop.remarks)


@pytest.mark.parametrize(
    ("written", "zone", "utc"),
    [
        ("2026-07-01T12:00:00", "Europe/Berlin", 10),
        ("2026-07-01T12:00:00+02:00", "America/New_York", 10),
        ("2026-07-01 12:00:00Z", "America/New_York", 12),
        ("2026-07-01 12:00", "America/New_York", 16),
        ("2026-07-01T12:00:00", None, 12),
        (datetime(2026, 7, 1, 12), "Europe/Berlin", 10),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "Europe/Berlin", 12),
        (1782907200, "Europe/Berlin", 12),
        ("1782907200", "Europe/Berlin", 12),
    ],
)
def test_times_without_a_zone_are_of_the_config_s(written: Any, zone: str | None, utc: int) -> None:
    events, _, _ = read([{"product_id": "a", "at": written}], action="click", time_zone=zone)
    assert events.actions["acted_at"].item() == datetime(2026, 7, 1, utc, tzinfo=UTC)


def test_an_hour_that_never_was_is_no_time() -> None:
    rows = [{"product_id": "a", "at": at} for at in ("2026-03-29T02:30:00", "2026-03-29T04:30:00")]
    events, steps, _ = read(rows, action="click", time_zone="Europe/Berlin")
    assert events.actions.height == 1
    assert steps["at missing"] == 1


def test_available_is_never_before_it_was_made() -> None:
    rows = [
        {"product_id": "a", "at": NOON, "available_at": NOON - timedelta(hours=1)},
        {"product_id": "b", "at": NOON, "available_at": NOON + timedelta(hours=1)},
    ]
    events, steps, _ = read(rows, action="click")
    assert dict(events.actions.select("product_id", "available_at").rows()) == {
        "a": NOON,
        "b": NOON + timedelta(hours=1),
    }
    assert steps["available before it was made: raised to that"] == 1


def test_no_raw_id_and_no_typed_word_is_kept_or_told() -> None:
    rows = [
        {
            "product_id": "a",
            "at": NOON,
            "shopper": "ann@example.org",
            "query": "secret wish",
            "action": "click",
        },
        {
            "product_id": None,
            "at": NOON,
            "shopper": "ann@example.org",
            "query": "secret wish",
            "action": "click",
        },
        {
            "product_id": "a",
            "at": None,
            "shopper": "ann@example.org",
            "query": "secret wish",
            "action": "click",
        },
    ]
    events, steps, shop = read(rows)
    assert len(steps) == 2
    kept = str([table.to_dicts() for table in shop.rejected.values()]) + str(shop.steps) + str(shop.remarks)
    kept += str(events.actions.to_dicts())
    assert "ann@" not in kept
    assert "secret" not in kept


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        ([{"product_id": "a", "at": NOON}], {}, "says what a row is"),
        ([{"product_id": "a", "action": "click"}], {}, "a column 'at'"),
        ([{"product_id": "a", "at": NOON}], {"time_zone": "Mars/Base", "action": "click"}, "time zone"),
        ([{"product_id": "a", "at": NOON}], {"action": "looked"}, "'looked'"),
    ],
)
def test_what_cannot_be_read_is_said(
    rows: list[dict[str, Any]], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read(rows, **settings)


def test_a_real_session_log_of_lists_and_click_outs() -> None:
    """Trivago: click-outs with the list they were made from; what is read has the known rates by position."""
    path = SHARED / "trivago" / "events.parquet"
    if not path.exists():
        pytest.skip("needs the real set 'trivago' in ../shared/data")
    frame = pl.read_parquet(
        path, columns=["session_id", "user_id", "action_type", "reference", "impressions", "at"]
    )
    frame = frame.filter(pl.col("action_type") == "clickout item")
    columns = {"product_id": "reference", "shown": "impressions", "action": "action_type"}
    columns |= {"session": "session_id", "shopper": "user_id"}
    settings = {"columns": columns, "actions": {"clickout item": "click"}}
    shop = Shop.from_frames(products=PRODUCTS, events=frame, settings={"events": settings})
    assert shop.events is not None
    pair = ["request_id", "product_id"]
    clicked = shop.events.shown.join(shop.events.actions.select(pair).unique(), on=pair, how="semi")
    by_place = clicked["position"].value_counts().sort("position")["count"].head(4)
    seen = shop.events.shown["position"].value_counts().sort("position")["count"].head(4)
    rates = (by_place / seen).to_list()
    assert [rate / rates[0] for rate in rates] == pytest.approx([1, 0.34, 0.25, 0.19], abs=0.01)


@pytest.mark.parametrize("form", ["{},50 €", "€{}.50", "{}.50 EUR", "{},50", "{}.5"])
def test_what_was_paid_is_read_as_prices_are(form: str) -> None:
    rows = [
        {
            "product_id": "p1",
            "action": "purchase",
            "at": "2024-05-01T10:00",
            "session": f"s{paid}",
            "value": form.format(paid),
        }
        for paid in (9, 12, 31)
    ]
    events, *_ = read(rows)
    assert sorted(events.actions["value"]) == [9.5, 12.5, 31.5]


def test_payments_in_another_currency_are_counted_not_mixed() -> None:
    rows = [
        {
            "product_id": "p1",
            "action": "purchase",
            "at": "2024-05-01T10:00",
            "session": f"s{at}",
            "value": value,
        }
        for at, value in enumerate(["€9.50", "€12.50", "1500 JPY"])
    ]
    events, counts, _ = read(rows)
    assert sorted(events.actions["value"].drop_nulls()) == [9.5, 12.5]
    assert any("another currency" in step for step in counts)
