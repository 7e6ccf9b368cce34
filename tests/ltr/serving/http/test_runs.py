"""Another run put in place: only with a decision or by force, only when whole, without a lost request; and back."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from features.batch import QueryBatch
from features.errors import InputError
from ltr.experiments.decision import newest_decision
from ltr.runs.sums import seal, write_about
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.live.run_checks import check_golden
from ltr.serving.live.trial import Asked, Report, examined
from ltr.serving.ranking import one_query, rank
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import BEARER, Clients
from tests.ltr.serving.http.test_limits import check_problem


@pytest.fixture
def shelf(trained: Trained, tmp_path: Path) -> Path:
    """A folder of two runs, as ltr.train would leave them beside each other."""
    for name in ("old", "new"):
        shutil.copytree(trained.run, tmp_path / name)
    return tmp_path


def here(asked: Asked) -> Report:
    """In this process, for it is quicker; test_trial.py has it in one of its own."""
    return examined(asked.folder, asked.what, asked.golden, force=asked.force)


@pytest.fixture
def runs(shelf: Path) -> LiveRuns:
    return LiveRuns(LiveRun(shelf / "old"), examine=here)


def promote(client: TestClient, **body: Any) -> Any:
    return client.post("/runs", json={"run": "new", **body}, headers=BEARER)


def decide(run: Path, decided: str) -> None:
    (run / "decisions").mkdir(exist_ok=True)
    record = {"decided": decided, "made_at": "2026-01-01", "says": "yes"}
    (run / "decisions" / f"2026-01-0{len(list((run / 'decisions').iterdir())) + 1}.json").write_text(
        json.dumps(record)
    )


def test_only_a_decision_to_go_lets_a_run_in(clients: Clients, runs: LiveRuns, shelf: Path) -> None:
    client = clients(runs, no_log=True)
    assert "got none" in check_problem(promote(client), 409)["detail"]
    decide(shelf / "new", "stay")
    assert "'stay'" in check_problem(promote(client), 409)["detail"]
    assert runs.now.name == "old"
    decide(shelf / "new", "go")
    answer = promote(client, by="the team").json()
    assert answer["now"]["name"] == "new"
    assert answer["decision"] == "2026-01-02.json"
    assert not answer["forced"]
    assert client.get("/health").json()["run"]["name"] == "new"
    history = json.loads((shelf / "served.json").read_text())
    assert (history[0]["by"], history[0]["before"]["name"]) == ("the team", "old")


def test_force_is_recorded_and_is_no_decision_later(clients: Clients, runs: LiveRuns, shelf: Path) -> None:
    client = clients(runs, no_log=True)
    assert promote(client, force=True, by="me").json()["forced"]
    found = newest_decision(shelf / "new")
    assert found is not None
    assert (found[1]["forced"], found[1]["by"], found[1]["against_verdict"]) == (True, "me", True)
    back = client.post("/runs/rollback", json={}, headers=BEARER).json()
    assert back["now"]["name"] == "old"
    check_problem(promote(client), 409)
    assert client.get("/runs", headers=BEARER).json()["before"]["name"] == "new"


def spoil_model(run: Path) -> None:
    model = next((run / "model").glob("model_*.txt"))
    model.write_text(model.read_text().replace("leaf_value=", "leaf_value=9", 1))


def spoil_scores(run: Path) -> None:
    """A run that was measured far better than it is now: its pipeline must have changed."""
    path = run / "metrics.json"
    metrics = json.loads(path.read_text())
    for row in metrics["summary"]:
        row["low"] = 0.99 + 0.06
    path.write_text(json.dumps(metrics))
    seal(run)


def spoil_schema(run: Path) -> None:
    path = run / "features.json"
    path.write_text(path.read_text().replace("lexical.bm25_all", "lexical.bm25_none"))
    seal(run)


def spoil_report(run: Path) -> None:
    (run / "per_query.parquet").write_bytes(b"changed")


@pytest.mark.parametrize("spoil", [spoil_model, spoil_scores, spoil_schema, spoil_report])
def test_a_run_that_fails_its_checks_is_refused(
    clients: Clients, runs: LiveRuns, shelf: Path, spoil: Any
) -> None:
    spoil(shelf / "new")
    client = clients(runs, no_log=True)
    check_problem(promote(client, force=True), 409)
    assert runs.now.name == "old"
    assert client.post("/search", json={"text": "shoes"}).status_code == 200
    assert newest_decision(shelf / "new") is None  # nothing is recorded of what did not happen


def test_golden_queries(live: LiveRun, tmp_path: Path) -> None:
    file = tmp_path / "golden.csv"
    ranked = rank(live.run, live.builder, QueryBatch(one_query("blue shoes", None)))["product_id"]
    table = pl.DataFrame({"query": "blue shoes", "product_id": ranked[:3], "top": [1, 2, 3]})
    table.write_csv(file)
    assert check_golden(live, file) == "3 golden products in their places"
    table.with_columns(top=pl.Series([1, 1, 3])).write_csv(file)
    with pytest.raises(
        InputError, match=f"1 missed: '{ranked[1]}' for 'blue shoes' is not among the first 1"
    ):
        check_golden(live, file)
    table.drop("top").write_csv(file)
    with pytest.raises(InputError, match="no column 'top'"):
        check_golden(live, file)


def bomb(run: Path) -> None:
    """A record that takes more memory to read than there is."""
    (run / "decisions").mkdir(exist_ok=True)
    with (run / "decisions" / "2026.json").open("wb") as file:
        file.truncate(64 << 30)  # of holes: it takes no disk


def test_neither_a_change_of_runs_nor_a_hostile_run_costs_a_request(clients: Clients, shelf: Path) -> None:
    runs = LiveRuns(LiveRun(shelf / "old"), seconds=120)
    client = clients(runs, no_log=True, queue=200, timeout=30)
    statuses: list[tuple[int, str]] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            answer = client.post("/search", json={"text": "blue shoes", "size": 1, "facets": False})
            statuses.append((answer.status_code, answer.json().get("run", {}).get("name", "")))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        bomb(shelf / "new")
        assert "MemoryError" in check_problem(promote(client, force=True), 409)["got"]
        assert {name for _, name in statuses} <= {"old"}
        shutil.rmtree(shelf / "new" / "decisions")
        answer = promote(client, force=True)
        assert answer.status_code == 200, answer.text
        for _ in range(10):
            assert client.post("/runs/rollback", json={}, headers=BEARER).status_code == 200
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in statuses} == {200}
    assert {name for _, name in statuses} <= {"old", "new"}
    assert len(statuses) > 3


def test_a_run_exchanged_after_its_trial_is_refused(clients: Clients, shelf: Path) -> None:
    def exchanges(asked: Asked) -> Report:
        found = here(asked)
        about = json.loads((asked.folder / "run.json").read_text())
        write_about(asked.folder, about | {"note": "another"})
        return found

    runs = LiveRuns(LiveRun(shelf / "old"), examine=exchanges)
    problem = check_problem(promote(clients(runs, no_log=True), force=True), 409)
    assert "leave the folder alone" in problem["cure"]
    assert runs.now.name == "old"
