"""Products new, changed and gone while searches go on: none fails, each sees the old catalogue or the new one whole."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.batch import PairBatch
from ltr.serving.lists import Asked as AskedFor
from ltr.serving.lists import Exploring, Found, search
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.ranking import candidates_of
from tests.ltr.serving.http.conftest import ASKED, BEARER, Clients, some
from tests.ltr.serving.http.test_limits import check_problem
from tests.ltr.serving.http.test_runs import here


def change(folder: Path, seed: int) -> dict[str, int]:
    """Some products new, some changed, some gone, the rest in another order; how many."""
    rng = np.random.default_rng(seed)
    products = pl.read_csv(folder / "products.csv").sample(fraction=1.0, shuffle=True, seed=seed)
    gone, changed, new = (int(count) for count in rng.integers(0, 9, 3))
    kept = products.slice(gone)
    other = kept.head(changed).with_columns(price=pl.col("price") + 0.5)
    if changed:
        other = other.with_columns(title=pl.concat_str("title", pl.lit(" green")))
    added = some(rng, [f"n{seed}-{n}" for n in range(new)])
    pl.concat([other, kept.slice(changed), added]).write_csv(folder / "products.csv")
    return {"new": new, "changed": changed, "gone": gone}


def lists_of(live: LiveRun) -> dict[str, list[tuple[str, float]]]:
    """Products and scores by words."""
    found = {}
    for words in ASKED:
        one = search(live, AskedFor("r", None, words, facets=False), Exploring(), Found())
        assert one.shown is not None
        rows = one.shown.rows.tolist()
        ids = live.builder.catalogue.product_ids.gather(rows).to_list()
        found[words] = list(zip(ids, one.scores_of(rows), strict=True))
    return found


def anew(folder: Path, cache: Path) -> LiveRun:
    """The run over its catalogue, whose index nobody has made before."""
    made = LiveRun(folder / "runs" / "renewed-xgboost")
    config = made.run.config
    elsewhere = config.model_copy(update={"cache": config.cache.model_copy(update={"folder": str(cache)})})
    made.run = dataclasses.replace(made.run, config=elsewhere)
    made._take(made.run.catalogue_builder())
    return made


@pytest.fixture
def searching(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Searches over and over, in threads of its own, until told to stop."""
    done, threads, answers = threading.Event(), [], []

    def begin(client: Any) -> list[tuple[str, Any]]:
        def ask(number: int) -> None:
            while not done.is_set():
                words = ASKED[number % len(ASKED)]
                answers.append((words, client.post("/search", json={"text": words, "size": 100})))
                number += 1

        threads.extend(threading.Thread(target=ask, args=(number,)) for number in range(2))
        for thread in threads:
            thread.start()
        return answers

    def end() -> None:
        done.set()
        for thread in threads:
            thread.join()

    yield begin, end
    end()


def test_searches_see_one_catalogue_or_the_other(
    clients: Clients, changing: Path, searching: Any, tmp_path: Path
) -> None:
    runs = LiveRuns(LiveRun(changing / "runs" / "renewed-xgboost"), examine=here)
    client = clients(runs, no_log=True, queue=100)
    begin, end = searching
    known = [lists_of(runs.now)]
    answers = begin(client)
    for seed in range(1, 4):
        counts = change(changing, seed)
        index = client.get("/ready").json()["index"]
        answer = client.post("/catalogue", json={"by": "a job"}, headers=BEARER).json()
        assert {name: answer[name] for name in counts} == counts
        assert (answer["index"] == index) == (not any(counts.values()))
        assert answer["products"] == client.get("/ready").json()["products"]
        known.append(lists_of(runs.now))
    end()
    assert {answer.status_code for _, answer in answers} == {200}
    assert len(answers) > 6
    for words, answer in answers:
        cards = answer.json()["products"]
        assert [(card["product_id"], card["score"]) for card in cards] in [lists[words] for lists in known]
    assert_same(runs.now, anew(changing, tmp_path / "cache"))
    gone = client.get("/product/p999")
    check_problem(gone, 404)


def assert_same(live: LiveRun, other: LiveRun) -> None:
    """Bit for bit: arrays, candidates, every product's features, scores, cards, facets, suggestions, query vectors."""
    assert live.builder is not other.builder
    assert live.index == other.index
    every = np.arange(len(other.builder.catalogue))
    assert live.builder.catalogue.product_ids.equals(other.builder.catalogue.product_ids)
    for kind, group in other.builder.groups.items():
        arrays = live.builder.groups[kind].arrays()
        for name, array in group.arrays().items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=f"{kind} {name}")
    for words in ASKED:
        query, same = live.query(words, None, "q"), other.query(words, None, "q")
        assert (
            candidates_of(live.builder, query, 50).tolist() == candidates_of(other.builder, same, 50).tolist()
        )
        ours, theirs = (
            one.builder.block(PairBatch.of_one(asked, every)).matrix
            for one, asked in ((live, query), (other, same))
        )
        assert np.array_equal(ours, theirs, equal_nan=True)
        for side in {one.query for one in live.builder.catalogue.vectors.compared}:
            vectors = [
                one.builder.catalogue.vectors.of_queries(q, side) for one, q in ((live, query), (other, same))
            ]
            assert np.array_equal(vectors[0].vectors, vectors[1].vectors)
    assert lists_of(live) == lists_of(other)
    assert live.catalogue.cards(every.tolist()) == other.catalogue.cards(every.tolist())
    assert live.suggestions.of("red", 20) == other.suggestions.of("red", 20)
    assert live.catalogue.facet("brand", every) == other.catalogue.facet("brand", every)


def test_what_cannot_be_read_leaves_the_old_catalogue(clients: Clients, changing: Path) -> None:
    runs = LiveRuns(LiveRun(changing / "runs" / "renewed-xgboost"), examine=here)
    client = clients(runs, no_log=True)
    old, whole = lists_of(runs.now), (changing / "products.csv").read_bytes()
    for broken in (b"", b"product_id\n", b"a,b\n1,2\n"):
        (changing / "products.csv").write_bytes(broken)
        check_problem(client.post("/catalogue", json={}, headers=BEARER), 409)
        assert lists_of(runs.now) == old
    (changing / "products.csv").write_bytes(whole)
    answer = client.post("/catalogue", json={}, headers=BEARER).json()
    assert (answer["new"], answer["changed"], answer["gone"]) == (0, 0, 0)


def test_the_run_before_comes_back_over_the_new_catalogue(clients: Clients, changing: Path) -> None:
    folder = changing / "runs" / "renewed-xgboost"
    runs = LiveRuns(LiveRun(folder), examine=here)
    client = clients(runs, no_log=True)
    client.post("/runs", json={"run": folder.name, "force": True}, headers=BEARER)
    assert any(change(changing, 9).values())
    answer = client.post("/catalogue", json={}, headers=BEARER).json()
    client.post("/runs/rollback", json={}, headers=BEARER)
    assert client.get("/ready").json()["index"] == answer["index"]
