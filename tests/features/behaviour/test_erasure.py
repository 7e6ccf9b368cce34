"""One person erased: found in no file, packed or not, of log and store, while all others stay as they were."""

from __future__ import annotations

import fcntl
import gzip
import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from features.behaviour import BehaviourConfig, EventStore, Places, erase_person, update_behaviour
from features.behaviour.erasure import search
from features.behaviour.event_store import EVENT_VIEWS
from features.behaviour.views import COUNTED
from features.errors import InputError
from features.sources.events import Events, write_ubi
from features.sources.privacy import load_key, pseudonym
from features.store import FeatureStore
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events

END = START + timedelta(days=DAYS)
RAW = "ann@example.org"


def with_ann(events: Events) -> Events:
    """One of the shoppers is Ann, by her pseudonym; the sessions are named as such."""
    ann = pseudonym(RAW, load_key())
    shopper = pl.col("shopper").replace(f"k1-{3:032x}", ann)
    return Events(events.shown.with_columns(shopper), events.actions.with_columns(shopper))


@pytest.fixture
def world(tmp_path: Path) -> tuple[BehaviourConfig, Path]:
    """Ann's events in a log (also packed, and raw as another program wrote them), in the store, over some versions."""
    log = tmp_path / "log"
    events = with_ann(make_events())
    write_ubi(events, log)
    line = {
        "application": "theirs",
        "action_name": "click",
        "query_id": "r1",
        "client_id": RAW,
        "session_id": "raw",
    }
    line |= {"timestamp": START.isoformat(), "event_attributes": {"object": {"object_id": "p1"}}}
    hers = line | {"client_id": None, "timestamp": END.isoformat()}  # in a session that she was seen in
    (log / "ubi_theirs.ndjson").write_text("\n".join(json.dumps(one) for one in (line, hers)) + "\nno json\n")
    (log / "carried").mkdir()
    (log / "carried" / "ubi_old.ndjson.gz").write_bytes(
        gzip.compress((log / "ubi_events.ndjson").read_bytes())
    )
    config = BehaviourConfig(store=str(tmp_path / "store"), windows=(3, 10), least_people=3)
    for days in (10, DAYS):
        update_behaviour(log, PRODUCTS, config, moment=START + timedelta(days=days))
    return config, log


def test_nothing_of_a_person_is_left_in_any_file(world: tuple[BehaviourConfig, Path], tmp_path: Path) -> None:
    config, log = world
    ann = pseudonym(RAW, load_key())
    names = [RAW, ann, pseudonym("raw", load_key())]
    before = {path.parent.name for path in search([tmp_path], names)}
    assert before == {"log", "carried", *(view.name for view in EVENT_VIEWS)}
    orphan = Path(config.store) / EVENT_VIEWS[0].name / "part-killed.parquet"
    pl.DataFrame({"shopper": [ann]}).write_parquet(orphan)
    counted = FeatureStore(config.store).read(COUNTED["product"])

    erased = erase_person(RAW, PRODUCTS, config, Places(logs=[log]))
    assert erased.lines
    assert erased.rows
    assert not erased.left
    assert not list(search([tmp_path], names))
    sessions = make_events().shown.filter(shopper=f"k1-{3:032x}")["session"].unique()
    assert not list(search([tmp_path], [f'"{one}"' for one in sessions]))

    again = FeatureStore(config.store).read(COUNTED["product"])
    assert not again.equals(counted)
    update_behaviour(log, PRODUCTS, config, moment=END)
    assert not list(search([tmp_path], names))


def test_everybody_else_stays(world: tuple[BehaviourConfig, Path], tmp_path: Path) -> None:
    config, log = world
    erase_person(RAW, PRODUCTS, config, Places(logs=[log]))
    events = with_ann(make_events())
    ann = pseudonym(RAW, load_key())
    hers = pl.concat(
        frame.filter(shopper=ann)["session"] for frame in (events.shown, events.actions)
    ).unique()
    others = pl.col("session").is_in(hers.implode()).not_()
    rest = Events(events.shown.filter(others), events.actions.filter(others))
    other = config.model_copy(update={"store": str(tmp_path / "other")})
    write_ubi(rest, tmp_path / "rest")
    update_behaviour(tmp_path / "rest", PRODUCTS, other, moment=END)
    update_behaviour(log, PRODUCTS, config, moment=END)
    for level, view in COUNTED.items():
        found, wanted = (FeatureStore(one.store).read(view).sort(pl.all()) for one in (config, other))
        assert found.equals(wanted), level


def test_who_is_in_folders_elsewhere_is_said(world: tuple[BehaviourConfig, Path], tmp_path: Path) -> None:
    config, log = world
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "note.txt").write_text(f"asked by {RAW}")
    pl.DataFrame({"who": [pseudonym(RAW, load_key())]}).write_parquet(runs / "table.parquet")
    erased = erase_person(RAW, PRODUCTS, config, Places(logs=[log], also=[runs]))
    assert erased.left == [runs / "note.txt", runs / "table.parquet"]


def test_erasing_nobody_changes_nothing(world: tuple[BehaviourConfig, Path]) -> None:
    config, log = world
    before = {path: path.read_bytes() for path in log.rglob("ubi_*")}
    rows = FeatureStore(config.store).read(EVENT_VIEWS[0]).height
    erased = erase_person("someone else", PRODUCTS, config, Places(logs=[log]))
    assert (erased.lines, erased.rows, erased.left) == (0, 0, [])
    assert {path: path.read_bytes() for path in log.rglob("ubi_*")} == before
    assert FeatureStore(config.store).read(EVENT_VIEWS[0]).height == rows
    assert EventStore(FeatureStore(config.store)).sessions_of({"someone else"}) == set()


def test_a_log_that_a_server_has_open_is_refused_before_anything_is_erased(
    world: tuple[BehaviourConfig, Path],
) -> None:
    config, log = world
    with (log / "ubi_events.ndjson").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="stop the server"):
            erase_person(RAW, PRODUCTS, config, Places(logs=[log]))
    assert list(search([log], [RAW]))


def test_counts_of_days_whose_events_are_deleted_stay_and_all_others_lose_the_person(tmp_path: Path) -> None:
    """Who is erased after the retention is in sums of earlier days alone: nothing there can be taken apart again."""
    moments = [START + timedelta(days=days) for days in (20, 30, 40)]
    made, alone = (
        with_ann(make_events()),
        pl.col("shopper").alias("session"),
    )  # nobody shares a session with her
    events = Events(made.shown.with_columns(alone), made.actions.with_columns(alone))
    others = pl.col("shopper").ne_missing(pseudonym(RAW, load_key()))
    worlds = {"with": events, "without": Events(events.shown.filter(others), events.actions.filter(others))}
    config = BehaviourConfig(store="", windows=(3, 10), least_people=3, retention_days=15)
    for name, seen in worlds.items():
        one = config.model_copy(update={"store": str(tmp_path / name)})
        for moment in moments:
            update_behaviour(seen.known_at(moment), PRODUCTS, one, moment=moment)
    one = config.model_copy(update={"store": str(tmp_path / "with")})
    before = FeatureStore(one.store).read(COUNTED["product"])
    assert not erase_person(RAW, PRODUCTS, one, Places()).left
    whole = moments[-1] - timedelta(
        days=15 - 10 - 2
    )  # all events of the longest window are there from here on
    late, at = pl.col("available_at") >= whole, pl.col("available_at") <= moments[-1]
    after, clean = (FeatureStore(tmp_path / name).read(COUNTED["product"]) for name in worlds)
    assert after.filter(late, at).sort(pl.all()).equals(clean.filter(late, at).sort(pl.all()))
    assert not after.filter(late).equals(before.filter(late))
    assert after.filter(~late).sort(pl.all()).equals(before.filter(~late).sort(pl.all()))
    assert not after.filter(~late).equals(clean.filter(~late))
