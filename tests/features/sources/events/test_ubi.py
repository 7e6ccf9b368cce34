"""UBI files: what is written comes back, and foreign lines of every kind are read or counted."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.errors import InputError
from features.sources.config import EventsConfig
from features.sources.events import Events, read_ubi, write_ubi
from features.sources.events.event_log import ACTION_NAMES
from features.sources.ledger import Ledger
from features.sources.privacy import Key, are_pseudonyms, pseudonym
from tests.features.sources.test_real_sets import SHARED

KEY = Key(1, b"k" * 32)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

_moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
_words = st.one_of(st.none(), st.text(min_size=1, max_size=8))
_ids = st.text(alphabet='abé/7 ."\\\n', min_size=1, max_size=5)


@st.composite
def logs(draw: st.DrawFn) -> Events:
    shown, acted = [], []
    for request in draw(st.lists(_ids, max_size=4, unique=True)):
        about = {
            "request_id": request,
            "query_id": draw(_words),
            "text": draw(_words),
            "session": draw(_words),
        }
        about |= {"shopper": draw(_words), "shown_at": draw(_moments)}
        for product in draw(st.lists(_ids, min_size=1, max_size=4, unique=True)):
            place = {"position": draw(st.integers(1, 99)), "run": draw(_words), "arm": draw(_words)}
            chance = draw(st.one_of(st.none(), st.floats(0.001, 1)))
            shown.append(about | {"product_id": product, "propensity": chance} | place)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(_moments)
        row = {
            "request_id": draw(_words),
            "product_id": draw(_ids),
            "action": draw(st.sampled_from(ACTION_NAMES)),
        }
        row |= {"acted_at": at, "available_at": at + timedelta(seconds=draw(st.integers(0, 9**6)))}
        row |= {"value": draw(st.one_of(st.none(), st.floats(0, 1e6))), "session": draw(_words)}
        acted.append(row | {"shopper": draw(_words)})
    none = Events.none()
    return Events(
        pl.DataFrame(shown, schema=none.shown.schema), pl.DataFrame(acted, schema=none.actions.schema)
    )


@settings(max_examples=15)
@given(events=logs())
def test_what_is_written_comes_back(events: Events, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ubi")
    write_ubi(events, folder)
    back = read_ubi(folder)
    assert back.shown.equals(back.shown.sort("shown_at", "request_id", "position", maintain_order=True))
    for got, wanted in ((back.shown, events.shown), (back.actions, events.actions)):
        assert_frame_equal(got.sort(pl.all()), wanted.sort(pl.all()))


def write(folder: Path, *lines: Any, name: str = "ubi_events.ndjson") -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def event(action: str = "click", **fields: Any) -> dict[str, Any]:
    line = {"application": "theirs", "action_name": action, "query_id": "r1", "client_id": "person 7"}
    attributes = {"object": {"object_id": "p1"}, "position": {"ordinal": fields.pop("ordinal", None)}}
    return line | {"timestamp": NOON.isoformat(), "event_attributes": attributes} | fields


def impression(product: str, ordinal: int | None, **fields: Any) -> dict[str, Any]:
    attributes = {"object": {"object_id": product}, "position": {"ordinal": ordinal}}
    return event("impression", event_attributes=attributes, **fields)


def query(*products: str, **fields: Any) -> dict[str, Any]:
    line = {"query_id": "r1", "user_query": "shoes", "timestamp": NOON.isoformat(), "application": "theirs"}
    return line | {"query_response_hit_ids": list(products)} | fields


def test_raw_ids_become_pseudonyms_and_appear_nowhere(tmp_path: Path) -> None:
    ledger = Ledger()
    bad = event(timestamp="never")
    events = read_ubi(write(tmp_path, query("p1", client_id="person 7"), event(), bad), ledger, KEY)
    assert events.actions["shopper"].item() == pseudonym("person 7", KEY)
    assert events.shown["shopper"].item() == pseudonym("person 7", KEY)
    kept = str([rows.to_dicts() for rows in ledger.rejected.values()]) + str(ledger.steps)
    assert "never" not in kept or "person 7" not in kept
    assert "person 7" not in kept
    assert "shoes" not in kept


def test_pseudonyms_are_left_as_they_are(tmp_path: Path) -> None:
    name = pseudonym("person 7", Key(3, b"x" * 32))
    events = read_ubi(write(tmp_path, event(client_id=name, session_id="visit 1")), key=KEY)
    assert events.actions["shopper"].item() == name
    assert are_pseudonyms(events.actions["session"]).all()


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [1, 3])
def test_positions_count_from_one_whatever_the_source_says(tmp_path: Path, first: int, count: int) -> None:
    lines = [impression(f"p{i}", first + i) for i in range(count)]
    other = [impression(f"o{i}", 1 + i, query_id="r2", application="another") for i in range(count)]
    events = read_ubi(write(tmp_path, *lines, *other), key=KEY)
    places = dict(zip(events.shown["product_id"], events.shown["position"], strict=True))
    assert places == {f"{kind}{i}": i + 1 for kind in "po" for i in range(count)}


def test_lists_come_from_impressions_else_from_the_query_line(tmp_path: Path) -> None:
    lines = [
        query("p1", "p2", "p3"),
        query("p4", "p5", query_id="r2"),
        impression("p2", 5),
        impression("p3", None),
    ]
    events = read_ubi(write(tmp_path, *lines), key=KEY)
    rows = (
        events.shown.select("request_id", "product_id", "position", "text")
        .sort("request_id", "product_id")
        .rows()
    )
    assert rows == [
        ("r1", "p2", 5, "shoes"),
        ("r1", "p3", 3, "shoes"),
        ("r2", "p4", 1, "shoes"),
        ("r2", "p5", 2, "shoes"),
    ]


def test_every_line_that_is_no_use_is_counted(tmp_path: Path) -> None:
    ledger = Ledger()
    lines = [
        event(),
        '{"index": {"_index": "ubi_events"}}',
        "[1]",
        '{"action_name": "click", "timesta',
        "{}",
        event("scroll"),
        event(timestamp=None),
        event(event_attributes=None),
        impression("p1", None),
        impression("p1", 2, query_id=None),
    ]
    events = read_ubi(write(tmp_path, *lines), ledger, KEY)
    assert len(events) == 1
    counted = {step.step: step.affected for step in ledger.steps if step.affected}
    assert counted == {
        "ubi_events.ndjson: no line of UBI, or one cut off": 3,
        "timestamp missing or unreadable": 1,
        "no product": 1,
        "impression without a query_id": 1,
        "position missing": 1,
        "action of another kind ('scroll'): left out": 1,
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [(1000, "1000"), (1000.0, "1000"), (1000.5, "1000.5"), ("1000.0", "1000.0"), (-0.0, "0")],
)
def test_ids_that_are_numbers_are_read_as_whole_ones_are_written(
    tmp_path: Path, written: object, read: str
) -> None:
    line = event(event_attributes={"object": {"object_id": written}})
    events = read_ubi(write(tmp_path, line), key=KEY)
    assert events.actions["product_id"].to_list() == [read]


@pytest.mark.parametrize(
    "stamp",
    ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00.000+01:00", 1772366400000, "1772366400", 1772366400],
)
def test_times_are_utc_however_written(tmp_path: Path, stamp: object) -> None:
    events = read_ubi(write(tmp_path, event(timestamp=stamp)), key=KEY)
    assert events.actions["acted_at"].item() == NOON
    assert events.actions["available_at"].item() == NOON


def test_a_folder_without_files_and_files_without_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ubi_events"):
        read_ubi(tmp_path)
    with pytest.raises(InputError, match="lines of UBI queries or events"):
        read_ubi(write(tmp_path, "{}", "{}"))


def test_the_shared_sample() -> None:
    path = SHARED / "ubi_esci" / "ubi_queries_events.ndjson.gz"
    if not path.exists():
        pytest.skip("needs the real set 'ubi_esci' in ../shared/data")
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    impressions = sum(line.get("action_name") == "impression" for line in lines)
    events = read_ubi(path, key=KEY)
    carts = sum(line.get("action_name") == "add_to_cart" for line in lines)
    assert events.actions.filter(pl.col("action") == "cart").height == carts
    assert events.shown.height >= impressions
    assert events.shown["position"].min() == 1


@pytest.mark.parametrize("kinds", [["klick"], ["hover", "scroll", "hover"], ["", None, 7]])
@pytest.mark.parametrize("asked", [False, True])
def test_a_log_whose_actions_are_all_of_other_kinds_is_refused(
    tmp_path: Path, kinds: list[Any], asked: bool
) -> None:
    at = "2026-03-01T12:00:00Z"
    lines: list[dict[str, Any]] = [
        {"action_name": kind, "timestamp": at, "event_attributes": {"object": {"object_id": "a"}}}
        for kind in kinds
    ]
    if asked:
        lines.append({"query_id": "r", "user_query": "hat", "timestamp": at, "query_response_hit_ids": ["a"]})
    path = tmp_path / "ubi_events.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"return, like, got \d of other kinds alone"):
        read_ubi(tmp_path, key=KEY)
    clicked = json.dumps(lines[0] | {"action_name": "click"})
    path.write_text(path.read_text() + clicked + "\n")
    assert read_ubi(tmp_path, key=KEY).actions.height == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("actions", {"klick": "click"}),
        ("action", "click"),
        ("columns", {"product_id": "sku"}),
        ("time_zone", "Europe/Berlin"),
        ("separator", ";"),
        ("encoding", "cp1252"),
        ("decimal", ","),
    ],
)
def test_settings_of_a_table_are_refused_beside_ubi_files(tmp_path: Path, setting: str, value: Any) -> None:
    (tmp_path / "log").mkdir()
    for path in ("log", "ubi_events.ndjson"):
        with pytest.raises(InputError, match=f"data.events.{setting}"):
            EventsConfig(path=Path(path), **{setting: value}).is_ubi(tmp_path)
    assert not EventsConfig(path=Path("events.csv"), **{setting: value}).is_ubi(tmp_path)
