"""The job from log to features: whatever the order, the deaths and the company, it ends in the same state."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from features.behaviour import BehaviourConfig, EventStore, update_behaviour
from features.behaviour.event_store import EVENT_VIEWS
from features.behaviour.views import COUNTED, WRITTEN
from features.sources.events import EventRules, Events, write_ubi
from features.sources.ledger import Ledger
from features.store import FeatureStore
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events

EVENTS = make_events()
END = START + timedelta(days=DAYS + 5)


def settings(root: Path, **changes: int) -> BehaviourConfig:
    given = {"store": str(root), "windows": (3, 10), "least_people": 3, "retention_days": 300} | changes
    return BehaviourConfig.model_validate(given)


def state(root: Path) -> dict[str, pl.DataFrame]:
    """All that the tables hold, whatever the order of writing."""
    store = FeatureStore(root)
    frames = {view.name: store.read(view) for view in (*EVENT_VIEWS, *WRITTEN)}
    return {name: frame.sort(pl.all()) for name, frame in frames.items()}


def same(one: Path, other: Path) -> bool:
    found, wanted = state(one), state(other)
    return all(found[name].equals(wanted[name]) for name in wanted)


def write_log(folder: Path, events: Events = EVENTS) -> list[Path]:
    write_ubi(events, folder)
    return [folder / "ubi_queries.ndjson", folder / "ubi_events.ndjson"]


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state after one reading of the whole log."""
    folder = tmp_path_factory.mktemp("in_order")
    write_log(folder / "log")
    update_behaviour(folder / "log", PRODUCTS, settings(folder / "store"), moment=END)
    return folder / "store"


def test_a_log_that_grows_is_read_on_from_where_it_was(tmp_path: Path, in_order: Path) -> None:
    write_log(tmp_path / "whole")
    lines = {path.name: path.read_text().splitlines(keepends=True) for path in (tmp_path / "whole").iterdir()}
    (tmp_path / "log").mkdir()
    config, read = settings(tmp_path / "store"), []
    for share in (0.0, 0.3, 0.3, 0.8, 1.0):
        for name, all_lines in lines.items():
            cut = all_lines[: int(share * len(all_lines))]
            torn = all_lines[len(cut)][:20] if len(cut) < len(all_lines) else ""
            (tmp_path / "log" / name).write_text("".join(cut) + torn)
        ledger = Ledger()
        read.append(update_behaviour(tmp_path / "log", PRODUCTS, config, moment=END, ledger=ledger).read)
        assert not any(step.affected for step in ledger.steps if step.action == "rejected")
    assert read[0] == read[2] == 0
    assert min(read[1], read[3], read[4]) > 0
    assert same(tmp_path / "store", in_order)


def test_events_out_of_order_and_again_give_the_same_state(tmp_path: Path, in_order: Path) -> None:
    for path in write_log(tmp_path / "log"):
        lines = path.read_text().splitlines(keepends=True)
        random.Random(3).shuffle(lines)
        path.write_text("".join(lines[len(lines) // 2 :]))
        (tmp_path / "log" / path.name.replace("ubi_", "ubi_later_")).write_text(
            "".join(lines[: len(lines) // 2 + 9])
        )
    config = settings(tmp_path / "store")
    update_behaviour(tmp_path / "log" / "ubi_events.ndjson", PRODUCTS, config, moment=END)
    update_behaviour(tmp_path / "log", PRODUCTS, config, moment=END)
    found, wanted = state(tmp_path / "store"), state(in_order)
    for name in (view.name for view in WRITTEN):
        assert found[name].equals(wanted[name])


JOB = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from features.behaviour import update_behaviour
from tests.features.behaviour.test_job import settings
from tests.features.behaviour.world import PRODUCTS
root, moment, dies_at = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
rename, taken = Path.replace, []

def replace(self, target):
    moved = rename(self, target)
    taken.append(target)
    if len(taken) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return moved

Path.replace = replace
update_behaviour(root / "log", PRODUCTS, settings(root / "store"), moment=moment)
"""


def job(root: Path, dies_at: int) -> subprocess.Popen[bytes]:
    """The job in a process of its own, which is killed (-9) when so many files have taken their names; 0: never."""
    command = [sys.executable, "-c", JOB, str(root), END.isoformat(), str(dies_at)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3])


def test_killed_and_two_at_once_end_in_the_same_state(tmp_path: Path, in_order: Path) -> None:
    write_log(tmp_path / "log")
    for dies_at in (2, 4):  # of actions, when lists are in the store; in the middle of the counts
        assert job(tmp_path, dies_at).wait() == -signal.SIGKILL
    both = [job(tmp_path, 0), job(tmp_path, 0)]
    assert [one.wait() for one in both] == [0, 0]
    assert same(tmp_path / "store", in_order)


def test_what_a_day_s_serving_saw_is_what_training_joins_later(tmp_path: Path) -> None:
    """Replay: at each of some moments the job ran on the log as it was; `latest` then is `as_of` afterwards."""
    config, store = settings(tmp_path), FeatureStore(tmp_path)
    keys = {"product": PRODUCTS.select("product_id"), "brand": pl.DataFrame({"brand": ["Ao", "Bo"]})}
    seen = []
    for days in (9.4, 16.0, 16.7, 30.2):
        moment = START + timedelta(days=days)
        update_behaviour(EVENTS.known_at(moment), PRODUCTS, config, moment=moment)
        seen.append((moment, {level: store.latest(COUNTED[level], asked) for level, asked in keys.items()}))
    update_behaviour(EVENTS, PRODUCTS, config, moment=END)
    for moment, served in seen:
        for level, asked in keys.items():
            joined = store.as_of(asked.with_columns(at=pl.lit(moment)), [COUNTED[level]])
            assert joined.drop("at").equals(served[level])
            assert served[level]["popularity_3d"].count()


def test_old_events_go_from_every_version_and_their_counts_stay(tmp_path: Path) -> None:
    whole, short = settings(tmp_path / "whole"), settings(tmp_path / "short", retention_days=15)
    for days in (20, 30, 45):
        moment = START + timedelta(days=days)
        for config in (whole, short):
            done = update_behaviour(EVENTS.known_at(moment), PRODUCTS, config, moment=moment)
    assert done.deleted
    kept, found = FeatureStore(short.store), FeatureStore(whole.store)
    for view in WRITTEN:
        assert kept.read(view).sort(pl.all()).equals(found.read(view).sort(pl.all()))
    oldest = START + timedelta(days=30)
    tables = [
        pl.read_parquet(path)
        for view in EVENT_VIEWS
        for path in Path(short.store, view.name).glob("*.parquet")
    ]
    times = [
        table[name].min() for table in tables for name in ("at", "available_at") if name in table.columns
    ]
    assert min(time for time in times if time) >= oldest


def test_changes_of_price_and_stock_are_noted_when_they_happen(tmp_path: Path) -> None:
    config = settings(tmp_path)
    products = PRODUCTS.with_columns(stock=pl.lit(1.0))
    later = products.with_columns(price=pl.when(product_id="p3").then(99.0).otherwise("price"))
    noted = [
        update_behaviour(Events.none(), table, config, moment=START + timedelta(days=day)).changes
        for day, table in enumerate((products, products, later, later))
    ]
    assert noted == [24, 0, 1, 0]


def test_an_empty_log_is_no_fault(tmp_path: Path) -> None:
    done = update_behaviour(Events.none(), PRODUCTS, settings(tmp_path), moment=END)
    assert (done.read, done.deleted) == (0, 0)
    assert set(done.counts.values()) == {0}
    assert (
        EventStore(FeatureStore(tmp_path)).events(END, rules=EventRules(), ledger=Ledger()).actions.is_empty()
    )
