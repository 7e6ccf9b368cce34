"""The loop, played small: it ends in a decision that its experiments bear out, or says why nothing was learned."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from features.errors import InputError
from features.sources.events import read_ubi
from ltr import loop
from ltr.clicks import examination
from ltr.config.options import add_options, from_options
from ltr.demo.shoppers import Client
from ltr.experiments.decision import newest_decision
from ltr.experiments.served_log import mixed_of_log
from ltr.pipeline.loop import LoopSettings, at_server
from ltr.pipeline.loop.server_process import served
from ltr.serving.http import make_app
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import EventLog
from ltr.serving.settings import ServeSettings
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import BEARER, KEY, TOKEN

SMALL = [
    *("--data.products", "90", "--data.queries", "40", "--data.judged_per_query", "15"),
    *("--encoders", "{text: {kind: tfidf, dimensions: 16}}", "--ladder", "[lexical, structured, text]"),
    *("--ranker.trees", "20", "--ranker.bags", "1", "--ranker.threads", "1", "--lists.candidates", "40"),
    *("--loop.truth_sessions", "300", "--loop.experiment_sessions", "800", "--loop.shown", "4"),
]


def played(folder: Path, *words: str) -> tuple[int, dict, str]:
    places = ("--cache.folder", str(folder / "cache"), "--runs", str(folder / "runs"))
    with pytest.raises(SystemExit) as end:
        loop.main([*SMALL, *places, *words])
    made = folder / "runs" / "demo-loop"
    record = json.loads((made / "decision.json").read_text(encoding="utf-8"))
    return int(end.value.code or 0), record, (made / "loop.html").read_text(encoding="utf-8")


def test_the_decision_is_what_the_experiments_say_and_promotes_the_new_run(tmp_path: Path) -> None:
    words = ("--loop.judged_queries", "4", "--loop.sessions", "4000", "--loop.exploration", "1")
    status, record, page = played(tmp_path, *words, "--loop.experiment_sessions", "10000")
    figures = record["seen"]["figures"]
    both = figures["interleaving"]["says"] == figures["A/B test"]["says"] == "yes"
    assert figures["promoted"] == both == (status == 0)
    assert record["decided"] == ("go" if both else "stay")
    titles = [step["title"] for step in figures["steps"]]
    assert [title[0] for title in titles] == list("123456")
    assert all(title in page for title in titles)
    truth = {name: clicks for name, _, _, clicks in figures["steps"][3]["rows"]}
    assert figures["true_lift"] == pytest.approx(truth["new"] / truth["old"] - 1)
    (against_truth, *_) = figures["steps"][2]["rows"]
    assert against_truth[2] > 0.3  # labels from clicks rank pairs as the truth does, more or less

    assert both, "a loop whose clicks tell enough is promoted here: else what follows tests nothing"
    old, new = (tmp_path / "runs" / f"demo-loop-{name}" for name in ("old", "new"))
    found = newest_decision(new)
    assert found is not None
    assert {**found[1], "made_at": ""} == {**record, "made_at": ""}
    runs = LiveRuns(LiveRun(old))
    answer = runs.promote("demo-loop-new", force=False, by="a test")
    assert (answer["forced"], answer["decision"], runs.now.name) == (False, found[0].name, "demo-loop-new")
    with pytest.raises(InputError, match="a decision to go live"):
        LiveRuns(LiveRun(new)).promote("demo-loop-old", force=False, by="")


class HttpClient(Client):
    """A client of an application in this process."""

    def __init__(self, http: TestClient) -> None:
        super().__init__("localhost", 0)
        self.http = http

    def _ask(self, path: str, content: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/json", **BEARER}
        answer = self.http.post(path, content=content, headers=headers)
        return answer.status_code, answer.json()


@contextmanager
def in_process(run: Path, *words: str) -> Iterator[HttpClient]:
    """As `served`, by the same words, without the seconds that a process takes to start."""
    made = argparse.ArgumentParser()
    add_options(made, ServeSettings)
    settings = from_options(ServeSettings, made.parse_args(words))
    others = [LiveRun(other) for other in settings.others]
    event_log = None if settings.log is None else EventLog(settings.log, 1 << 20, 0.001)
    app = make_app(LiveRuns(LiveRun(run), others), settings, TOKEN, event_log, KEY)
    with TestClient(app, base_url="http://localhost") as http:
        yield HttpClient(http)


def test_shoppers_at_a_server_play_the_same_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searching, logging, mixing, splitting and promoting, all by requests; what the log has decides."""
    monkeypatch.setattr(at_server, "served", in_process)
    # With so few shoppers the way is tested, not the estimates.
    for name, value in {"LARGEST_ERROR": 1.0, "LEAST_CLICKS": 1, "LEAST_KNOWN": 0.1}.items():
        monkeypatch.setattr(examination, name, value)
    words = ("--loop.judged_queries", "4", "--loop.sessions", "80", "--loop.shown", "2")
    words += ("--loop.exploration", "0.5", "--data.queries", "12")
    status, record, page = played(
        tmp_path, "--loop.shop_at", "server", *words, "--loop.experiment_sessions", "30"
    )
    assert status in (0, 1), "the swaps tell enough to make labels"
    figures = record["seen"]["figures"]
    logs = tmp_path / "runs" / "demo-loop"
    assert {path.name for path in logs.iterdir() if path.is_dir()} == {"log", "interleave", "ab"}
    lists = {name: read_ubi(logs / name, key=KEY).shown["request_id"].n_unique() for name in ("log", "ab")}
    logged = figures["steps"][1]["rows"][0]
    assert logged[1] == lists["log"]  # as many lists as were asked for, none lost
    assert sum(figures["A/B test"]["figures"]["units"].values()) > 5
    assert set(mixed_of_log(logs / "interleave", KEY)[0]["team"]) == {"demo-loop-old", "demo-loop-new"}
    (load,) = (step for step in figures["steps"] if step["title"] == "The server under its shoppers")
    assert [row[0] for row in load["rows"]] == ["log", "interleave", "ab"]
    assert all(row[-1] == 0 for row in load["rows"]), "no list in retrieval's order"
    assert "The server under its shoppers" in page


def test_a_server_in_a_process_of_its_own_is_told_to_promote(trained: Trained, tmp_path: Path) -> None:
    for name in ("old", "new"):
        shutil.copytree(trained.run, tmp_path / name)
    with served(tmp_path / "old", "--log", str(tmp_path / "log")) as client:
        with pytest.raises(InputError, match="a decision to go live"):
            client.post("/runs", {"run": "new"})
        (tmp_path / "new" / "decisions").mkdir()
        (tmp_path / "new" / "decisions" / "1.json").write_text('{"decided": "go"}')
        client.post("/runs", {"run": "new", "by": "a test"})
        answer = client.post("/search", {"text": "shoes", "size": 1, "facets": False})
        assert answer["run"]["name"] == "new"
        assert client.figures()["requests"] == 3
    assert read_ubi(tmp_path / "log").shown.height == 1
    with pytest.raises(InputError, match="a server of this run"), served(tmp_path / "old", "--no-such"):
        pass


def test_clicks_that_tell_nothing_promote_nothing(tmp_path: Path) -> None:
    words = ("--loop.judged_queries", "4", "--loop.sessions", "100", "--loop.exploration", "0")
    status, record, page = played(tmp_path, *words)
    assert (status, record["says"], record["decided"]) == (2, "cannot", "nothing")
    assert "Not promoted: no labels" in page


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"sessions": 0}, "--loop.sessions"),
        ({"held_out": 1}, "--loop.held_out"),
        ({"sesions": 5}, "--loop.sesions"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(given: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        LoopSettings.read(given)


def test_more_judged_queries_than_there_are_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loop\.judged_queries"):
        folders = ("--cache.folder", str(tmp_path / "cache"), "--runs", str(tmp_path / "runs"))
        loop.main([*SMALL, "--loop.judged_queries", "39", *folders])
