"""The event log: nothing acknowledged is lost, killed or not; files are carried into the store once."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from features.behaviour import EventStore
from features.sources.events import action_record, read_ubi, shown_record
from features.sources.ledger import Ledger
from features.store.delta import FeatureStore
from ltr.serving.log.event_log import Carrier, EventLog, left_behind

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
WRITER = """
import sys
from pathlib import Path
from ltr.serving.log.event_log import EventLog
log = EventLog(Path(sys.argv[1]), 20_000, 0.001)
for number in range(10**6):
    log.append("events", [{"action_name": "click", "number": number, "pad": "x" * 300}]).result()
    print(number, flush=True)
"""


def shown(number: int, **about: Any) -> dict[str, Any]:
    rows = 3
    ranked: dict[str, list[Any]] = {
        "position": [1, 2, 3],
        "run": ["a@1", "b@1", "a@1"],
        "arm": ["interleave"] * rows,
        "propensity": [0.5, 0.25, 1.0],
    }
    first = {
        "request_id": f"r{number}",
        "text": "é \u2028 ☃",
        "session": None,
        "shopper": None,
        "shown_at": NOW,
    }
    return shown_record(first | about, ["p1", "p2", "p3"], ranked, scores=[0.1, None, 0.3])


def acted(number: int) -> dict[str, Any]:
    row = {"request_id": f"r{number}", "product_id": "p2", "action": "purchase", "value": 9.99}
    return action_record(row | {"acted_at": NOW, "available_at": NOW, "session": None, "shopper": None})


def test_what_is_written_is_read_as_events(tmp_path: Path) -> None:
    log = EventLog(tmp_path, 1 << 20, 0.001)
    log.append("queries", [shown(1)]).result(5)
    log.append("events", [acted(1), acted(2)]).result(5)
    log.close()
    ledger = Ledger()
    events = read_ubi(tmp_path, ledger)
    assert events.shown["run"].to_list() == ["a@1", "b@1", "a@1"]
    assert events.shown["propensity"].to_list() == [0.5, 0.25, 1.0]
    assert events.shown["text"][0] == "é \u2028 ☃"
    assert events.actions["value"].to_list() == [9.99, 9.99]
    assert not ledger.rejected


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.35])
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, delay: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        said = [first, *writer.stdout.readlines()]
    acknowledged = int(next(line for line in reversed(said) if line.endswith("\n")))
    lines = [line for path in sorted(tmp_path.glob("ubi_events-*")) for line in path.read_text().split("\n")]
    numbers = [int(line.partition('"number":')[2].partition(",")[0]) for line in lines if line.endswith("}")]
    assert numbers[: acknowledged + 1] == list(range(acknowledged + 1))
    assert len(numbers) - len(set(numbers)) == 0
    assert set(left_behind(tmp_path)) == set(tmp_path.glob("ubi_*"))  # its locks died with it


def test_a_full_disk_is_said_and_the_next_line_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(tmp_path, 1 << 20, 0.001)
    real = os.write
    room = [40]

    def write(handle: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(28, "No space left on device")
        took = real(handle, data[: room[0]])
        room[0] -= took
        return took

    monkeypatch.setattr("ltr.serving.log.event_log.os.write", write)
    with pytest.raises(OSError, match="No space"):
        log.append("events", [acted(1)])
    assert log.failing
    room[0] = 10**6
    log.append("events", [acted(2)]).result(5)
    assert not log.failing
    log.close()
    assert read_ubi(tmp_path).actions["request_id"].to_list() == ["r2"]


def test_full_files_are_closed_and_carried_once(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    carrier = Carrier(store)
    folder = tmp_path / "log"
    log = EventLog(folder, 4096, 0.001, carrier)
    for number in range(30):
        log.append("queries", [shown(number)])
        log.append("events", [acted(number)]).result(5)
    log.close()
    events = EventStore(store).settled(Ledger())
    assert events.shown["request_id"].n_unique() == 30
    assert events.actions.height == 30
    carried = sorted((folder / "carried").iterdir())
    assert len(carried) > 2
    for path in carried:  # killed between the store's commit and the move: tried again
        again = folder / path.name
        again.write_bytes(path.read_bytes())
        carrier(again)
    assert EventStore(store).settled(Ledger()).shown.height == events.shown.height
    assert EventStore(store).settled(Ledger()).actions.height == events.actions.height


def test_a_living_servers_files_are_left_alone(tmp_path: Path) -> None:
    log = EventLog(tmp_path, 1 << 20, 0.001)
    log.append("events", [acted(1)]).result(5)
    assert left_behind(tmp_path) == []
    log.close()
    assert len(left_behind(tmp_path)) == 1  # the empty one of queries is gone


def test_what_cannot_be_carried_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "ubi_events-1.ndjson"
    broken.write_text("no line of UBI\n")
    Carrier(FeatureStore(tmp_path / "store"))(broken)
    assert broken.is_file()
    assert "stays in its folder" in caplog.text


def test_a_cut_line_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "ubi_events-1.ndjson"
    log = EventLog(tmp_path / "log", 1 << 20, 0.001)
    log.append("events", [acted(1), acted(2)]).result(5)
    log.close()
    path.write_bytes(next((tmp_path / "log").iterdir()).read_bytes()[:-20])
    ledger = Ledger()
    assert read_ubi(path, ledger).actions.height == 1
    assert [step.affected for step in ledger.steps if "cut off" in step.step] == [1]
