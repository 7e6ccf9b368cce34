"""The server's own log is what an experiment is analysed from."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from features.errors import InputError
from features.sources.privacy import pseudonym
from ltr import experiment
from ltr.experiments import AbSettings, Columns, InterleaveSettings, analyse_ab, analyse_interleaving
from ltr.experiments.served_log import lists_of_log
from ltr.runs.saved_run import SavedRun
from ltr.serving.lists.exploration import arm_of
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import BEARER, KEY, Clients

DEPTH, SIZE, PEOPLE = 4, 6, 90
LISTS = {
    "list": "list",
    "position": "position",
    "rank": ("first=rank_first", "second=rank_second"),
    "method": "team-draft",
    "team": "team",
    "click": "click",
    "unit": "person",
}


@pytest.fixture
def runs(live: LiveRun, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> LiveRuns:
    """The second run ranks the other way round."""
    second = LiveRun(trained.run)
    second.name = "second"
    scored = SavedRun.score_list

    def upside_down(self: SavedRun, *given: Any) -> np.ndarray:
        scores = scored(self, *given)
        return -scores if self is second.run else scores

    monkeypatch.setattr(SavedRun, "score_list", upside_down)
    return LiveRuns(live, [second])


def asked(client: TestClient, **body: Any) -> dict[str, Any]:
    given = {"text": "blue shoes", "size": SIZE, "facets": False} | body
    answer = client.post("/search", json=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def acted(client: TestClient, request_id: str, product_id: str, who: str, **act: Any) -> None:
    event = {"action": "click", "request_id": request_id, "product_id": product_id} | act
    answer = client.post("/events", json={"events": [event], "shopper": who}, headers=BEARER)
    assert answer.status_code == 202, answer.text


@pytest.fixture
def mixed(clients: Clients, runs: LiveRuns, trained: Trained, tmp_path: Path) -> Path:
    """Two of three click what the second run put in, and something below the draft, which tells nothing."""
    folder = tmp_path / "mixed"
    client = clients(runs, folder, others=[trained.run], experiment="interleave", explore_depth=DEPTH)
    best = {
        card["product_id"]
        for card in clients(LiveRuns(runs.others[0]), no_log=True)
        .post("/search", json={"text": "blue shoes", "size": DEPTH, "facets": False})
        .json()["products"]
    }
    for number in range(PEOPLE):
        who = f"shopper {number}"
        answer = asked(client, shopper=who)
        for card in answer["products"]:
            if (number % 3 and card["product_id"] in best) or card["position"] > DEPTH:
                acted(client, answer["request_id"], card["product_id"], who)
        if number == 0:
            asked(client, page=3, list_id=answer["list_id"], shopper=who)
    return folder


def test_interleaved_lists_of_the_log_are_judged(mixed: Path, tmp_path: Path) -> None:
    frame = lists_of_log(mixed, KEY)
    assert frame["list"].n_unique() == PEOPLE
    assert frame.height == PEOPLE * DEPTH
    assert set(frame["team"]) == {"first", "second"}
    assert frame.filter(pl.col("click") > 0)["team"].unique().to_list() == ["second"]
    assert frame.filter(team="first")["rank_first"].is_not_null().all()
    outcome = analyse_interleaving(InterleaveSettings(data=mixed, **LISTS), Columns(frame))
    assert outcome.says == "yes"
    assert outcome.figures["lists"] == outcome.figures["units"]["all"] == PEOPLE
    words = ["--list", "list", "--position", "position", "--method", "team-draft", "--team", "team"]
    words += ["--click", "click", "--unit", "person", "--rank", "first=rank_first", "second=rank_second"]
    with pytest.raises(SystemExit) as ended:
        experiment.main(["interleave", "--data", str(mixed), *words, "--json", str(tmp_path / "out.json")])
    assert ended.value.code == 0


def test_arms_of_the_log_are_judged(
    clients: Clients, runs: LiveRuns, trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = clients(runs, tmp_path, others=[trained.run], experiment="ab", share=0.5, salt="s")
    for number in range(PEOPLE):
        who = f"shopper {number}"
        answer = asked(client, shopper=who)
        treated = arm_of(pseudonym(who, KEY), 0.5, "s") == "treatment"
        if (number % 5 > 0) if treated else (number % 3 == 0):
            first = answer["products"][0]["product_id"]
            acted(client, answer["request_id"], first, who)
            acted(client, answer["request_id"], first, who, action="purchase", value=2.5)
    asked(client)  # of whom nothing is known is in no arm
    acted(client, answer["request_id"], "elsewhere", who)
    with caplog.at_level(logging.WARNING):
        frame = lists_of_log(tmp_path, KEY)
    assert "1 lists in no arm" in caplog.text
    assert "1 actions on what no list" in caplog.text
    assert frame.height == PEOPLE * SIZE
    assert frame["value"].sum() == 2.5 * frame["purchase"].sum() > 0
    settings = AbSettings(
        data=tmp_path, arm="arm", unit="person", metric=("any:click", "value"), control="control"
    )
    outcome = analyse_ab(settings, Columns(frame))
    assert outcome.says == "yes", outcome.verdict
    assert sum(outcome.figures["units"].values()) == PEOPLE


def test_a_log_of_no_experiment_is_refused(clients: Clients, tmp_path: Path) -> None:
    asked(clients(log=tmp_path))
    with pytest.raises(InputError, match="in no arm"):
        lists_of_log(tmp_path, KEY)
