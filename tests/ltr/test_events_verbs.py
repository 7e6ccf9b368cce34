"""From a shop's log to its features and back out again, by the commands."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.build import FeatureBuilder
from features.errors import InputError
from features.groups import behaviour
from features.sources.events import write_ubi
from features.sources.privacy import load_key, pseudonym
from ltr import erase_person, ingest_events
from ltr.config.tree import read_config
from ltr.pipeline.prepare import prepare
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events

RAW = "ann@example.org"
END = (START + timedelta(days=DAYS)).isoformat()
CONFIG = """
name: shop
data:
  kind: catalogue
  products: {path: products.csv, columns: {}}
  queries: {path: queries.csv, columns: {at: at}}
  judgements: {path: judgements.csv}
  events: {path: log}
features: {similarity: false, shown_words: false, behaviour: {windows: [7], least_people: 3, store: STORE/store}}
store: {root: STORE/store}
cache: {folder: STORE/cache}
runs: STORE/runs
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    PRODUCTS.write_csv(tmp_path / "products.csv")
    at = [START + timedelta(days=20, hours=5), START - timedelta(days=1)]
    queries = pl.DataFrame({"query_id": ["q1", "q2"], "text": ["red hat", "bag"], "at": at})
    queries.with_columns(pl.col("at").dt.to_string("iso")).write_csv(tmp_path / "queries.csv")
    pairs = pl.DataFrame({"query_id": ["q1", "q2"]}).join(PRODUCTS.select("product_id"), how="cross")
    pairs.with_columns(grade=pl.int_range(pl.len()) % 3).write_csv(tmp_path / "judgements.csv")
    write_ubi(make_events(), tmp_path / "log")
    (tmp_path / "shop.yaml").write_text(CONFIG.replace("STORE", str(tmp_path)))
    return tmp_path


def test_a_log_becomes_features_of_the_time_at_which_each_query_was_asked(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(shop / "shop.yaml"), "--until", END]
    ingest_events.main([*words, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["read"]
    assert said["counts"]["product"]
    ingest_events.main(words)
    assert "read 0 new rows" in capsys.readouterr().out
    table = prepare(read_config(shop / "shop.yaml")).table.frame
    early = table.filter(query_id="q2").select(pl.col("^behaviour.product_.*$"))
    assert early.null_count().row(0) == (early.height,) * early.width, (
        "before the first event nothing is known"
    )
    known = table.filter(query_id="q1")["behaviour.product_popularity_7d"]
    assert known.count() > 6
    first = prepare(read_config(shop / "shop.yaml"))
    assert first.from_store
    ingest_events.main([*words[:-1], (START + timedelta(days=DAYS + 1)).isoformat()])
    assert not prepare(read_config(shop / "shop.yaml")).from_store, "other counts are other features"


def test_who_asked_and_when_bring_history_and_graph_as_of_then(shop: Path) -> None:
    """By the commands' own path: a query's column says who asked, and training rows know what was known before."""
    queries, shoppers = (
        pl.read_csv(shop / "queries.csv"),
        make_events().shown["shopper"].drop_nulls().unique().sort(),
    )
    queries.with_columns(shopper=shoppers.head(2)).write_csv(shop / "queries.csv")
    text = (shop / "shop.yaml").read_text()
    more = f"history: true, graph: {{store: {shop}/store}}, behaviour:"
    (shop / "shop.yaml").write_text(text.replace("behaviour:", more))
    ingest_events.main(["--config", str(shop / "shop.yaml"), "--until", END])
    made = prepare(read_config(shop / "shop.yaml"))
    assert {"history", "graph", "behaviour"} <= set(made.schema.groups)
    table = made.table.frame
    early, late = (table.filter(query_id=name).select("^(history|graph)\\..*$") for name in ("q2", "q1"))
    assert early.null_count().row(0) == (early.height,) * early.width
    assert late["history.seen"].sum() > 0
    assert late["graph.looked_walk"].max() > 0


def test_serving_knows_what_is_known_now(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    behaviour._warn_stale.cache_clear()  # it is said once
    ingest_events.main(["--config", str(shop / "shop.yaml"), "--until", END])
    config = read_config(shop / "shop.yaml")
    builder = FeatureBuilder(PRODUCTS, config.features.model_copy(update={"lexical": None}), {})
    asked = pl.DataFrame({"query_id": ["q"], "text": ["Red hat"], "at": [datetime.now(UTC)]})
    pairs = asked.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
    found = builder.build(asked, pairs).frame
    assert found["behaviour.query_popularity_7d"].count()
    assert "run ingest_events again" in caplog.text


def test_what_lies_after_the_moment_is_counted(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = (START - timedelta(days=1)).isoformat()
    ingest_events.main(["--config", str(shop / "shop.yaml"), "--until", early])
    said = " ".join(capsys.readouterr().out.split())
    events = make_events()
    assert f"actions after {early[:10]}" in said
    assert f"shown after {early[:10]}" in said
    assert f"{events.shown.height:,}" in said


def test_a_person_is_erased_by_the_command(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--config", str(shop / "shop.yaml")]
    ingest_events.main([*words, "--until", END])
    person = make_events().shown["shopper"].drop_nulls()[0]
    assert any(person in path.read_text() for path in (shop / "log").iterdir())
    erase_person.main([person, *words])
    assert not any(person in path.read_text() for path in (shop / "log").iterdir())
    (shop / "runs").mkdir()
    (shop / "runs" / "note").write_text(person)
    with pytest.raises(SystemExit) as ended:
        erase_person.main([person, *words])
    assert ended.value.code == 1


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.parquet", "events.jsonl"])
@pytest.mark.parametrize("person", [RAW, "7", "4711"])
def test_a_table_of_events_that_holds_the_person_is_named(
    shop: Path, name: str, person: str, capsys: pytest.CaptureFixture[str]
) -> None:
    numeric = person.isdigit()
    who = pl.Series(
        "shopper", [int(person), 71, 47110] if numeric else [person, "bo@example.org", "x" + person]
    )
    rows = pl.DataFrame(
        {
            "action": ["scroll", "click", "click"],  # hers is of a kind that no count reads
            "product_id": ["p1", "p2", "p1"],
            "at": [f"2024-03-0{day}T10:00:00" for day in (1, 2, 3)],
        }
    ).with_columns(who)

    def write(frame: pl.DataFrame) -> None:
        path = shop / name
        if name.endswith(".parquet"):
            frame.write_parquet(path)
        else:
            text = (frame.write_ndjson() if name.endswith(".jsonl") else frame.write_csv()).encode()
            path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    text = (shop / "shop.yaml").read_text().replace("events: {path: log}", f"events: {{path: {name}}}")
    (shop / "shop.yaml").write_text(text)
    words = [person, "--config", str(shop / "shop.yaml")]
    write(rows)
    before = (shop / name).read_bytes()
    for known_as in (person, pseudonym(person, load_key())):
        with pytest.raises(SystemExit) as ended:
            erase_person.main([known_as, *words[1:]])
        assert ended.value.code == 1
    assert name in capsys.readouterr().out.replace("\n", "")
    assert (shop / name).read_bytes() == before
    write(rows[1:])
    erase_person.main(words)
    assert "nothing is left" in capsys.readouterr().out.replace("\n", " ")


def _table(shop: Path, rows: list[dict[str, Any]]) -> list[str]:
    pl.DataFrame(rows).write_csv(shop / "events.csv")
    text = (shop / "shop.yaml").read_text().replace("events: {path: log}", "events: {path: events.csv}")
    (shop / "shop.yaml").write_text(text)
    return ["--config", str(shop / "shop.yaml"), "--until", END]


LOST: dict[str, dict[str, Any]] = {
    "at missing": {"at": None},
    "product_id missing": {"product_id": None},
    "('hover'): left out": {"action": "hover"},
    "not yet": {"at": "2030-01-01T10:00:00"},
    "not among the products": {"product_id": "gone"},
}


@pytest.mark.parametrize("step", LOST)
@pytest.mark.parametrize("count", [4, 5, 6])
def test_more_than_half_of_the_rows_left_out_is_a_warning(
    shop: Path, step: str, count: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {
            "action": "click",
            "product_id": "p1",
            "at": f"2024-03-0{1 + day % 9}T1{day % 9}:00:00",
            "session": f"s{day}",
        }
        for day in range(10)
    ]
    lost = [row | LOST[step] for row in rows[:count]]
    ingest_events.main(_table(shop, [*lost, *rows[count:]]))
    assert f"{step} " in " ".join(capsys.readouterr().out.split())
    warned = [record.message for record in caplog.records if step in record.message]
    assert warned == [] if count <= 5 else f"{count} of 10 rows: " in warned[0]


def test_reasons_that_are_more_than_half_together_are_a_warning(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"action": "click", "product_id": "p1", "at": "2024-03-01T10:00:00"}
    rows = [row | {"session": f"s{number}"} for number in range(10)]
    lost = [
        rows[number] | LOST[step] for number, step in enumerate(["at missing", "('hover'): left out"] * 3)
    ]
    ingest_events.main(_table(shop, [*lost, *rows[6:]]))
    assert "6 of 10 rows are left out: 3 " in caplog.text


def test_a_log_of_other_kinds_alone_is_refused_and_leaves_nothing(shop: Path) -> None:
    words = _table(
        shop, [{"action": "klick", "product_id": "p1", "at": "2024-03-01T10:00:00", "session": "s"}]
    )
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"1 of other kinds alone: 'klick'; say under data\.events\.actions"
        ):
            ingest_events.main(words)


@pytest.mark.parametrize(
    "until",
    [
        "0001-01-01",
        "1969-12-31",
        "9999-12-31",
        (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        "2126-03-01",
    ],
    ids=("year 1", "before 1970", "year 9999", "in an hour", "in a century"),
)
def test_a_time_that_is_none_to_count_up_to_deletes_nothing(shop: Path, until: str) -> None:
    words = ["--config", str(shop / "shop.yaml"), "--until"]
    ingest_events.main([*words, END])
    files = {path: path.read_bytes() for path in (shop / "store").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="a time from 1990 until now"):
        ingest_events.main([*words, until])
    assert files == {path: path.read_bytes() for path in (shop / "store").rglob("*") if path.is_file()}


def test_json_says_what_was_left_out(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"action": "click", "product_id": "p1", "at": "2024-03-01T10:00:00", "session": "s"}
    ingest_events.main([*_table(shop, [row, row | {"action": "hover"}]), "--json"])
    (step,) = json.loads(capsys.readouterr().out)["steps"]
    assert (step["rows"], step["affected"], step["action"]) == (2, 1, "left out")
    assert "hover" in step["step"]


def test_a_later_part_of_a_log_may_be_of_other_kinds_alone(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["--config", str(shop / "shop.yaml"), "--until", END]
    ingest_events.main(words)
    with (shop / "log" / "ubi_events.ndjson").open("a") as file:
        thing = {"object": {"object_id": "p1"}}
        line = {"action_name": "hover", "timestamp": "2024-03-09T10:00:00Z", "event_attributes": thing}
        file.write(json.dumps(line) + "\n")
    ingest_events.main(words)
    assert "1 of 1 rows: action of another kind ('hover')" in caplog.text


def test_without_events_it_says_so(shop: Path) -> None:
    text = (shop / "shop.yaml").read_text().replace("  events: {path: log}\n", "")
    (shop / "shop.yaml").write_text(text)
    with pytest.raises(InputError, match="--log FOLDER"):
        ingest_events.main(["--config", str(shop / "shop.yaml")])
    with pytest.raises(InputError, match="an ISO time"):
        ingest_events.main(
            ["--config", str(shop / "shop.yaml"), "--log", str(shop / "log"), "--until", "noon"]
        )
