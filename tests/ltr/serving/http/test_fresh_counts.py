"""Counts of events that a job writes while a server runs: taken without a lost request, whole, or not at all."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from features.behaviour.views import COUNTED
from features.errors import InputError
from features.store import FeatureStore
from ltr.serving.lists.searching import Asked, Exploring, Found, search
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.log_check import check_log
from tests.ltr.serving.http.behaving import TODAY, ingest, opened
from tests.ltr.serving.http.conftest import BEARER, Clients

ASKED = {"text": "red hat", "size": 12, "facets": False}


def scores(live: LiveRun) -> list[float]:
    found = search(live, Asked("r", None, "red hat", facets=False), Exploring(), Found())
    assert found.scores is not None
    return found.scores.tolist()


def test_a_server_takes_new_counts_and_loses_no_request(clients: Clients, shop: Path, tmp_path: Path) -> None:
    runs = LiveRuns(opened(shop))
    before = scores(runs.now)
    client = clients(runs, log=tmp_path / "log", counts_every=0.05, queue=200)
    first, answers, done = client.get("/ready").json()["counted_until"], [], threading.Event()

    def ask() -> None:
        while not done.is_set():
            answers.append(client.post("/search", json=ASKED))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    ingest(shop, TODAY)
    while client.get("/ready").json()["counted_until"] == first:
        time.sleep(0.02)
    asked = len(answers)
    while len(answers) < asked + 6:
        time.sleep(0.02)
    done.set()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    after = scores(opened(shop))
    assert after != before
    assert scores(runs.now) == after
    shown = [[card["score"] for card in answer.json()["products"]] for answer in answers]
    assert {tuple(one) for one in shown} == {tuple(sorted(one, reverse=True)) for one in (before, after)}
    assert "ltr_counts_read_total 1.0" in client.get("/metrics", headers=BEARER).text
    counted, same, *_ = check_log(runs.now, tmp_path / "log")
    assert same.level == "PASS"
    assert "with other counts of events than the store has now" in counted.evidence


def test_counts_that_a_job_is_still_writing_wait(shop: Path) -> None:
    runs = LiveRuns(opened(shop))
    before, store = scores(runs.now), FeatureStore(shop / "store")
    view = COUNTED["product"]
    later = store.metadata(view) | {"moment": TODAY.isoformat()}
    store.write(view, store.read(view).head(3), mode="overwrite", metadata=later)
    assert runs.refresh() == []
    assert scores(runs.now) == before
    ingest(shop, TODAY)
    assert runs.refresh() == [runs.now.label]
    assert runs.refresh() == []
    assert scores(runs.now) == scores(opened(shop))


def test_every_run_that_is_open_takes_them(shop: Path) -> None:
    runs = LiveRuns(opened(shop), [opened(shop)])
    runs._swap(opened(shop), {})
    ingest(shop, TODAY)
    held = (runs.now, runs.before, *runs.others)
    assert len(runs.refresh()) == 3
    for live, old in zip((runs.now, runs.before, *runs.others), held, strict=True):
        assert live is not None
        assert live is not old
        assert scores(live) == scores(opened(shop))


def test_a_store_that_cannot_be_read_changes_nothing(
    shop: Path, caplog: pytest.LogCaptureFixture, clients: Clients
) -> None:
    runs = LiveRuns(opened(shop))
    before = scores(runs.now)
    ingest(shop, TODAY)
    for file in (shop / "store" / COUNTED["brand"].name).glob("*.parquet"):
        os.truncate(file, 10)
    with pytest.raises(InputError, match="whole Delta table"):
        runs.refresh()
    client = clients(runs, no_log=True, counts_every=0.01)
    while "counts of events stay" not in caplog.text:
        time.sleep(0.01)
    time.sleep(0.1)
    assert caplog.text.count("counts of events stay") == 1  # not each time
    assert client.post("/search", json=ASKED).status_code == 200
    assert scores(runs.now) == before
