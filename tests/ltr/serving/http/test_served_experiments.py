"""The server's own log is what an experiment is analysed from: interleaved lists, A/B tests, off-policy estimates."""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from features.errors import InputError
from features.sources.privacy import pseudonym
from ltr import experiment
from ltr.config import command_line
from ltr.experiments import InterleaveSettings
from ltr.experiments.interleaving.preference import preference
from ltr.experiments.interleaving.shown_lists import of_served_log, read_shown
from ltr.experiments.served_log import explored_of_log, mixed_of_log, searches_of_log
from ltr.runs.saved_run import SavedRun
from ltr.serving.lists.exploration import arm_of
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.ranking import candidates_of
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import BEARER, KEY, Clients

DEPTH, SIZE, LISTS = 4, 6, 60
TEXTS = ("blue shoes", "red dress", "shirt")
EXAMINED = 0.9 / (1 + 0.3 * np.arange(DEPTH))  # by place: whether a shopper looks there
NOISE = {"good": 0.0, "poor": 0.6, "also poor": 0.6}  # of a run's scores about what a product is worth
METHODS = [("team-draft", 2), ("probabilistic", 2), ("optimised", 2), ("team-draft", 3), ("probabilistic", 3)]


class World:
    """A server whose runs are of known quality, and shoppers whose chances to click are known."""

    def __init__(self, clients: Clients, runs: dict[str, LiveRun], worth: np.ndarray) -> None:
        self.clients, self.runs, self.worth = clients, runs, worth
        self.rng = np.random.default_rng(4)
        first = next(iter(runs.values()))
        self.row = {name: row for row, name in enumerate(first.builder.catalogue.product_ids)}

    def serve(self, names: tuple[str, ...], log: Path | None, **settings: Any) -> TestClient:
        live = LiveRuns(self.runs[names[0]], [self.runs[name] for name in names[1:]])
        return self.clients(live, log, explore_depth=DEPTH, no_log=log is None, **settings)

    def mixed(
        self, names: tuple[str, ...], log: Path, method: str, lists: int = LISTS, *, at_random: bool = False
    ) -> Path:
        """What so many shoppers saw and clicked."""
        others = [Path(name) for name in names[1:]]
        client = self.serve(names, log, experiment="interleave", others=others, method=method)
        self.shop(client, lists, at_random=at_random)
        return log

    def shop(self, client: TestClient, lists: int = LISTS, *, at_random: bool = False) -> None:
        """Each shopper searches twice."""
        for number in range(lists):
            answer = asked(client, text=TEXTS[number % len(TEXTS)], shopper=f"shopper {number // 2}")
            acts = []
            for card in answer["products"][:DEPTH]:
                worth = 0.5 if at_random else self.worth[self.row[card["product_id"]]]
                if self.rng.random() < worth * EXAMINED[card["position"] - 1]:
                    acts.append(card["product_id"])
            acts += [card["product_id"] for card in answer["products"][DEPTH:]]  # below: tells nothing
            acted(client, answer["request_id"], acts, f"shopper {number // 2}")

    def truth(self, name: str) -> float:
        """Clicks a place of the run's own lists."""
        client = self.serve((name,), None)
        found = [asked(client, text=text)["products"][:DEPTH] for text in TEXTS]
        worth = np.array([[self.worth[self.row[card["product_id"]]] for card in one] for one in found])
        return float((worth * EXAMINED).mean())


@pytest.fixture
def world(clients: Clients, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> World:
    runs = {name: LiveRun(trained.run) for name in NOISE}
    rng = np.random.default_rng(1)
    worth = rng.random(len(runs["good"].builder.catalogue))
    scores = {}
    for name, live in runs.items():
        live.name = name
        scores[id(live.run)] = worth + NOISE[name] * rng.normal(size=len(worth))
    scored = SavedRun.score_list

    def known(self: SavedRun, builder: Any, query: Any, rows: np.ndarray) -> np.ndarray:
        own = scores.get(id(self))
        return scored(self, builder, query, rows) if own is None else own[rows]

    monkeypatch.setattr(SavedRun, "score_list", known)
    searched: dict[tuple[object, ...], np.ndarray] = {}

    def remembered(builder: Any, query: Any, count: int, within: np.ndarray | None = None) -> np.ndarray:
        key = id(builder), query.frame["text"][0], count, None if within is None else within.tobytes()
        if key not in searched:
            searched[key] = candidates_of(builder, query, count, within)
        return searched[key]

    monkeypatch.setattr("ltr.serving.lists.searching.candidates_of", remembered)
    lots = random.Random(7)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=lots.getrandbits(128), version=4))
    return World(clients, runs, worth)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """The status of `python -m ltr.experiment …`, and its record."""
    monkeypatch.setattr("ltr.experiments.survey.load_key", lambda: KEY)

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        out = tmp_path / "record.json"
        with pytest.raises(SystemExit) as ended:
            command_line.run(experiment.main, [*map(str, words), "--json", str(out)])
        return int(str(ended.value.code)), json.loads(out.read_text()) if out.exists() else {}

    return run


def asked(client: TestClient, **body: Any) -> dict[str, Any]:
    given = {"text": "blue shoes", "size": SIZE, "facets": False} | body
    answer = client.post("/search", json=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def acted(client: TestClient, request_id: str, products: list[str], who: str, **act: Any) -> None:
    given = {"action": "click", "request_id": request_id} | act
    events = [given | {"product_id": product} for product in products]
    if events:
        answer = client.post("/events", json={"events": events, "shopper": who}, headers=BEARER)
        assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(("method", "runs"), METHODS)
def test_the_better_run_is_found_in_the_servers_log(
    world: World, command: Callable[..., Any], tmp_path: Path, method: str, runs: int
) -> None:
    names = ("poor", "good", "also poor")[:runs]
    log = world.mixed(names, tmp_path / "log", method)
    status, record = command("interleave", "--data", log)
    assert status == 0, record["seen"]["verdict"]
    seen = record["seen"]["figures"]
    assert seen["lists"] == LISTS
    assert seen["units"]["all"] == LISTS // 2
    preferred = {(row["first"], row["second"]): row["credit"] for row in seen["metrics"]}
    assert preferred["poor", "good"] > 0
    assert preferred.get(("good", "also poor"), -1) < 0
    frame, rankers, logged = mixed_of_log(log, KEY)
    assert rankers == names
    assert logged == method
    assert frame.height == LISTS * DEPTH
    assert frame["team"].null_count() == (frame.height if method == "optimised" else 0)
    assert frame.filter(team="poor")["rank_first"].is_between(1, DEPTH).all()
    shown = read_shown(*of_served_log(InterleaveSettings(data=log)))
    offered = (shown.credit[:, 1] - shown.credit[:, 0]).reshape(LISTS, DEPTH)
    at_random = world.rng.random((400, LISTS, DEPTH)) < 0.5 * EXAMINED
    gained = (at_random * offered).sum(axis=2)
    alarms = [preference("click", "a", "b", one, shown.unit).estimate.p_value < 0.05 for one in gained]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.05)


def test_clicks_at_random_raise_no_alarm(world: World, command: Callable[..., Any], tmp_path: Path) -> None:
    log = world.mixed(tuple(NOISE), tmp_path / "log", "probabilistic", at_random=True)
    status, record = command("interleave", "--data", log)
    assert status == 1, record["seen"]["verdict"]
    assert all(check["state"] == "PASS" for check in record["seen"]["checks"])


def test_a_run_against_itself_is_told_to_be_so(
    world: World, command: Callable[..., Any], tmp_path: Path
) -> None:
    log = world.mixed(("poor", "poor"), tmp_path / "log", "probabilistic")
    status, record = command("interleave", "--data", log)
    assert status == 2  # every list is the same in both, so that no place says anything
    assert "not judged" in record["seen"]["verdict"] or "no preference" in record["seen"]["verdict"]
    assert mixed_of_log(log, KEY)[1] == ("first", "second")


@pytest.mark.parametrize("option", ["--method=optimised", "--list=list", "--click=click"])
def test_what_the_log_says_itself_is_not_asked(
    option: str, world: World, command: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = command("interleave", "--data", tmp_path, option)
    assert status == 2
    assert f"leave {option.partition('=')[0]} out" in capsys.readouterr().err


def test_pages_that_were_not_shown_are_cut(world: World, tmp_path: Path) -> None:
    names, log = ("poor", "good"), tmp_path / "log"
    client = world.serve(names, log, experiment="interleave", others=[Path("good")])
    first = asked(client, size=2)
    asked(client, size=2, page=2, list_id=first["list_id"])
    other = asked(client, size=1)
    asked(client, size=1, page=3, list_id=other["list_id"])
    frame, *_ = mixed_of_log(log, KEY)
    assert dict(frame.group_by("list").agg(pl.col("position")).rows()) == {
        first["list_id"]: [1, 2, 3, 4],
        other["list_id"]: [1],
    }
    assert frame["text"].null_count() == frame.height  # what hardly anybody asked is not told


def satisfaction(people: int, treated: set[str]) -> pl.DataFrame:
    """Stars that each visit gives: those treated are pleased."""
    stars = [5 if f"shopper {number}" in treated else 1 + number % 2 for number in range(people)]
    return pl.DataFrame({"session": [f"visit {number}" for number in range(people)], "stars": stars})


def test_arms_of_the_log_are_judged(
    world: World, command: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log"
    client = world.serve(("poor", "good"), log, experiment="ab", others=[Path("good")], share=0.5, salt="s")
    people, treated = 90, set()
    for number in range(people):
        who = f"shopper {number}"
        answer = asked(client, shopper=who, session=f"visit {number}")
        first = [answer["products"][0]["product_id"]]
        if arm_of(pseudonym(who, KEY), 0.5, "s") == "treatment":
            treated.add(who)
        if (number % 5 > 0) if who in treated else (number % 3 == 0):
            acted(client, answer["request_id"], first, who)
            acted(client, answer["request_id"], first, who, action="purchase", value=2.5)
        elif number % 2:
            asked(client, shopper=who, text="red dress")  # within five minutes, and nothing was done
        if who not in treated:
            asked(client, shopper=who, filters={"brand": ["nobody's"]})
    asked(client)  # of whom nothing is known is in no arm
    acted(client, answer["request_id"], ["elsewhere"], who)
    with caplog.at_level(logging.WARNING):
        frame = searches_of_log(log, KEY)
    assert "1 searches in no arm" in caplog.text
    assert "1 actions on what is no part of this" in caplog.text
    bought = frame.filter(pl.col("purchase") > 0)
    assert frame["value"].sum() == 2.5 * bought.height > 0
    assert frame.filter(pl.col("zero_results") == 1)["impressions"].to_list() == [0] * (people - len(treated))
    asked_again = frame.filter(text="red dress")["person"]
    assert set(frame.filter(reformulated=1)["person"]) == set(asked_again)
    assert set(frame["text"]) == {"blue shoes", "red dress"}
    assert (frame["latency_ms"] > 0).all()
    status, record = command("ab", "--data", log, "--control", "control")
    assert status == 0, record["seen"]["verdict"]
    assert sum(record["seen"]["figures"]["units"].values()) == people
    said = {row["metric"]: row for row in record["seen"]["figures"]["metrics"]}
    assert list(said) == ["CTR", "CVR", "GMV per person", "zero results", "reformulations", "p95 latency"]
    assert said["zero results"]["treatment"] == 0 < said["zero results"]["control"]
    plan = ("plan", "--data", log, "--unit", "person", "--metric", "any:purchase", "--effect", ".3")
    assert command(*plan)[0] in {0, 2}  # too few units of the past are told
    satisfaction(people, treated).write_csv(tmp_path / "answers.csv")
    survey = ("survey", "--data", tmp_path / "answers.csv", "--answer", "stars", "--session", "session")
    status, record = command(*survey, "--arms", log)
    assert status == 0, record["seen"]["verdict"]
    assert sum(record["seen"]["figures"]["units"].values()) == people


@pytest.fixture
def folders(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Folders that stand for the world's runs."""
    monkeypatch.setattr("ltr.serving.log.run_on_log.LiveRun", lambda folder: world.runs[folder.name])
    made = {name: tmp_path / name for name in world.runs}
    for folder in made.values():
        folder.mkdir()
        (folder / "run.json").write_text("{}", encoding="utf-8")
    return made


def test_what_a_run_would_earn_is_told_from_the_log(
    world: World, command: Callable[..., Any], tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Both runs' own lists have support where their lists were mixed probabilistically."""
    log = world.mixed(("poor", "good"), tmp_path / "log", "probabilistic", 360)
    for name in ("good", "poor"):
        status, record = command("off-policy", "--data", log, "--unit", "list", "--run", folders[name])
        snips = next(row for row in record["seen"]["figures"]["estimates"] if row["estimator"] == "snips")
        reach = (snips["high"] - snips["low"]) / 2
        assert abs(snips["value"] - world.truth(name)) < 1.6 * reach
        assert status == (0 if name == "good" else 1), record["seen"]["verdict"]
        assert len(list((folders[name] / "decisions").glob("*.json"))) == 1
    own = [asked(world.serve(("poor",), None), text=text)["products"][:DEPTH] for text in TEXTS]
    policy = [
        {"text": text, "position": place, "product_id": card["product_id"], "probability": 1}
        for text, cards in zip(TEXTS, own, strict=True)
        for place, card in enumerate(cards, 1)
    ]
    pl.DataFrame(policy).write_csv(tmp_path / "policy.csv")
    again = command("off-policy", "--data", log, "--unit", "list", "--policy", tmp_path / "policy.csv")[1]
    assert again["seen"]["figures"] == record["seen"]["figures"]


def test_what_the_log_cannot_know_is_refused(
    world: World, command: Callable[..., Any], tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Swaps of neighbours say nothing of a run that ranks otherwise; without any, nothing at all is said."""
    world.shop(world.serve(("poor",), tmp_path / "swaps", explore_swaps=0.3), 150)
    asking = ("off-policy", "--data", tmp_path / "swaps", "--unit", "list", "--run")
    status, record = command(*asking, folders["good"])
    assert status == 2
    assert "mean weight" in record["seen"]["verdict"]
    assert "support: the log's lists could not have shown" in record["seen"]["verdict"]
    status, record = command(*asking, folders["poor"])
    assert status == 1
    assert abs(record["seen"]["figures"]["estimates"][0]["value"] - world.truth("poor")) < 0.1
    asked(world.serve(("poor",), tmp_path / "plain"))
    with pytest.raises(InputError, match="left to chance"):
        explored_of_log(tmp_path / "plain", KEY)
    assert command("off-policy", "--data", tmp_path / "swaps")[0] == 2  # no word of the new policy


def test_a_log_of_another_experiment_is_refused(world: World, tmp_path: Path) -> None:
    asked(world.serve(("poor",), tmp_path))
    for read in (mixed_of_log, searches_of_log):
        with pytest.raises(InputError, match="in no arm"):
            read(tmp_path, KEY)
    assert searches_of_log(tmp_path, KEY, of_arms=False).height == 1
